/*
 * db: the file: opening, closing, checking.
 *
 * WAL with one connection; the page cache is held to 1 MB, because the agent keeps its snapshots in
 * memory and reads the database only when it starts.
 */
#include <string.h>

#include "base/fault.h"
#include "base/fs.h"
#include "state/state_internal.h"

static const char pragmas[] = "PRAGMA journal_mode = WAL;"
                              "PRAGMA synchronous = NORMAL;"
                              "PRAGMA foreign_keys = ON;"
                              "PRAGMA temp_store = MEMORY;"
                              "PRAGMA cache_size = -1024;"
                              "PRAGMA wal_autocheckpoint = 1000;"
                              "PRAGMA journal_size_limit = 4194304;";

#define BUSY_TIMEOUT_MS 5000

/* Env variables of containers are in here: not for everybody's eyes.  SQLite gives -wal and -shm
 * the mode of the database. */
static int make_file(const char *path, struct err *e)
{
    if (strcmp(path, ":memory:") == 0 || fs_exists(path))
        return 0;
    return fs_write_atomic(path, "", 0, 0600, true, e);
}

static int prepare(struct state *st, struct err *e)
{
    if (sqlite3_open_v2(st->path, &st->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return db_error(st, e, "open");
    sqlite3_extended_result_codes(st->db, 1);
    sqlite3_busy_timeout(st->db, BUSY_TIMEOUT_MS);
    if (db_exec(st, pragmas, e))
        return -1;
    return schema_check(st, "PRAGMA quick_check(1)", e) || schema_migrate(st, e) ? -1 : 0;
}

int state_open(const char *path, struct state **out, struct err *e)
{
    struct state *st;

    if (FAULT("state.open"))
        return err_set(e, ERR_IO, "injected");
    if (make_file(path, e))
        return err_wrap(e, "state database");
    st = xcalloc(1, sizeof(*st));
    mutex_init(&st->lock);
    st->path = xstrdup(path);
    if (prepare(st, e)) {
        state_close(st);
        return -1;
    }
    *out = st;
    return 0;
}

void state_close(struct state *st)
{
    if (!st)
        return;
    stmt_finalize_all(st);
    sqlite3_close(st->db);
    mutex_destroy(&st->lock);
    free(st->path);
    free(st);
}

int state_check(struct state *st, struct err *e)
{
    int r;

    mutex_lock(&st->lock);
    r = schema_check(st, "PRAGMA integrity_check(1)", e);
    mutex_unlock(&st->lock);
    return r;
}

/* ------------------------------------------------------------ errors */

int db_error(struct state *st, struct err *e, const char *doing)
{
    int code = st->db ? sqlite3_errcode(st->db) & 0xff : SQLITE_NOMEM; /* without the detail */
    const char *text = st->db ? sqlite3_errmsg(st->db) : "out of memory";

    switch (code) {
    case SQLITE_FULL:
        return err_set(e, ERR_IO,
                       "state database %s: %s: the disk is full (or a quota is); free some space",
                       st->path, doing);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(e, ERR_IO,
                       "state database %s is damaged: %s; it was left as it is: stop the agent, "
                       "then restore a copy, or move %s, -wal and -shm away and start again",
                       st->path, text, st->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(e, ERR_UNAVAILABLE, "state database %s: %s: another process has it open",
                       st->path, doing);
    case SQLITE_READONLY:
        return err_set(e, ERR_IO, "state database %s: %s: it cannot be written to", st->path,
                       doing);
    default:
        break;
    }
    return err_os(e, st->db ? sqlite3_system_errno(st->db) : 0, "state database %s: %s: %s",
                  st->path, doing, text);
}

int db_exec(struct state *st, const char *sql, struct err *e)
{
    if (sqlite3_exec(st->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    return db_error(st, e, "exec");
}
