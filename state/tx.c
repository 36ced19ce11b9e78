/*
 * tx: transactions that end with their scope.
 *
 * In WAL mode a commit with synchronous=NORMAL survives the end of the process, one with FULL
 * survives the end of power, and takes along every commit before it, since all are in one log.  The
 * setting is switched only when it differs: most writes in a row are of one kind.
 */
#include "base/fault.h"
#include "state/state_internal.h"

int tx_begin(struct state *st, bool durable, struct tx *tx, struct err *e)
{
    static const char begin[] = "BEGIN IMMEDIATE";
    sqlite3_stmt *s;

    mutex_lock(&st->lock);
    if (st->full_sync != durable) {
        if (db_exec(st, durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", e))
            goto fail;
        st->full_sync = durable;
    }
    s = stmt_get(st, begin, e);
    if (!s || stmt_run(st, s, "begin", e))
        goto fail;
    tx->st = st;
    return 0;
fail:
    mutex_unlock(&st->lock);
    return -1;
}

int tx_commit(struct tx *tx, struct err *e)
{
    static const char commit[] = "COMMIT";
    struct state *st = tx->st;
    sqlite3_stmt *s;

    if (FAULT("state.commit"))
        return err_set(e, ERR_IO, "state database %s: commit: injected", st->path);
    s = stmt_get(st, commit, e);
    if (!s || stmt_run(st, s, "commit", e))
        return -1;
    tx->st = NULL;
    mutex_unlock(&st->lock);
    return 0;
}

/* SQLite may have rolled back by itself (disk full, I/O error); then there is nothing to undo. */
void tx_end(struct tx *tx)
{
    struct state *st = tx->st;

    if (!st)
        return;
    for (size_t i = 0; i < st->n_stmts; i++)
        sqlite3_reset(st->stmts[i].stmt);
    if (!sqlite3_get_autocommit(st->db))
        sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
    tx->st = NULL;
    mutex_unlock(&st->lock);
}
