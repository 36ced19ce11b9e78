/*
 * schema: the tables, as numbered steps.
 *
 * A step is never changed once it was released; a new one is added below it.  PRAGMA user_version
 * is the number of the last step done.  All that is missing is done in one transaction, so a
 * database is always at one version.  One that is newer than this program is refused, because an
 * older program does not know what it would break.
 *
 * Records are JSON (core/'s codecs); what is searched or must be unique is a column.
 */
#include <string.h>

#include "state/state_internal.h"

#define APPLICATION_ID 0x42616c6c /* "Ball", in the file's header */

static const char *const steps[] = {
    /* 1 */
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE container ("
    " id TEXT NOT NULL UNIQUE,"
    " name TEXT NOT NULL UNIQUE,"
    " created_ns INTEGER NOT NULL,"
    " image_id TEXT NOT NULL,"
    " app TEXT NOT NULL,"
    " service TEXT NOT NULL,"
    " spec_hash TEXT NOT NULL,"
    " goal INTEGER NOT NULL,"
    " keep INTEGER NOT NULL,"
    " stop_grace_s INTEGER NOT NULL,"
    " stop_sig INTEGER NOT NULL,"
    " generation INTEGER NOT NULL,"
    " observed_generation INTEGER NOT NULL,"
    " durable INTEGER NOT NULL," /* its deletion must be as durable as the row was */
    " state TEXT NOT NULL,"
    " spec TEXT NOT NULL) STRICT;"
    "CREATE TABLE network ("
    " id TEXT NOT NULL UNIQUE,"
    " name TEXT NOT NULL UNIQUE,"
    " generation INTEGER NOT NULL,"
    " observed_generation INTEGER NOT NULL,"
    " record TEXT NOT NULL) STRICT;"
    "CREATE TABLE volume ("
    " name TEXT NOT NULL UNIQUE,"
    " record TEXT NOT NULL) STRICT;"
    "CREATE TABLE app ("
    " name TEXT NOT NULL UNIQUE,"
    " source TEXT NOT NULL,"
    " observed_revision TEXT NOT NULL,"
    " applied_revision TEXT NOT NULL,"
    " suspended INTEGER NOT NULL,"
    " absent INTEGER NOT NULL,"
    " conditions TEXT NOT NULL) STRICT;"
    "CREATE TABLE app_revision ("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " app TEXT NOT NULL,"
    " revision TEXT NOT NULL,"
    " state INTEGER NOT NULL,"
    " created_ns INTEGER NOT NULL,"
    " model TEXT NOT NULL,"
    " UNIQUE (app, revision)) STRICT;"
    "CREATE TABLE image ("
    " id TEXT NOT NULL UNIQUE,"
    " parent TEXT NOT NULL,"
    " created_ns INTEGER NOT NULL,"
    " manifest_digest TEXT NOT NULL,"
    " manifest_media_type TEXT NOT NULL,"
    " manifest_size INTEGER NOT NULL,"
    " size INTEGER NOT NULL,"
    " layer_blobs TEXT NOT NULL) STRICT;" /* JSON list */
    "CREATE TABLE image_ref ("
    " ref TEXT PRIMARY KEY,"
    " image_id TEXT NOT NULL,"
    " tagged_ns INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE layer ("
    " chain_id TEXT PRIMARY KEY,"
    " diff_id TEXT NOT NULL,"
    " blob TEXT NOT NULL,"
    " size INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE event ("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " time_ns INTEGER NOT NULL,"
    " type TEXT NOT NULL,"
    " action TEXT NOT NULL,"
    " object TEXT NOT NULL,"
    " attributes TEXT NOT NULL) STRICT;"
    "CREATE INDEX event_time ON event (time_ns);"
    "CREATE TABLE intent ("
    " key TEXT PRIMARY KEY,"
    " what TEXT NOT NULL,"
    " created_ns INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
};

int64_t schema_newest(void)
{
    return (int64_t)ARRAY_LEN(steps);
}

static int pragma_i64(struct state *st, const char *sql, int64_t *out, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int r = -1;

    if (sqlite3_prepare_v2(st->db, sql, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW) {
        *out = sqlite3_column_int64(s, 0);
        r = 0;
    } else {
        db_error(st, e, sql);
    }
    sqlite3_finalize(s);
    return r;
}

/* An empty file is ours to fill; one with tables of somebody else is not. */
static int check_owner(struct state *st, struct err *e)
{
    int64_t id, tables;

    if (pragma_i64(st, "PRAGMA application_id", &id, e) ||
        pragma_i64(st, "SELECT count(*) FROM sqlite_schema", &tables, e))
        return -1;
    if (id == APPLICATION_ID || (id == 0 && tables == 0))
        return 0;
    return err_set(e, ERR_IO,
                   "%s is an SQLite database of another program; move it away or choose "
                   "another data root",
                   st->path);
}

static int run_steps(struct state *st, int64_t from, struct err *e)
{
    char set[80];

    for (int64_t i = from; i < schema_newest(); i++)
        if (db_exec(st, steps[i], e))
            return err_wrap(e, "schema step %lld", (long long)(i + 1));
    snprintf(set, sizeof(set), "PRAGMA user_version = %lld; PRAGMA application_id = %d",
             (long long)schema_newest(), APPLICATION_ID);
    return db_exec(st, set, e);
}

int schema_migrate(struct state *st, struct err *e)
{
    cleanup_tx struct tx tx = {0};
    int64_t version;

    if (check_owner(st, e) || pragma_i64(st, "PRAGMA user_version", &version, e))
        return -1;
    if (version > schema_newest())
        return err_set(e, ERR_UNSUPPORTED,
                       "state database %s has schema %lld, but this program knows only up to %lld: "
                       "run the newer version again, or restore a copy from before the upgrade",
                       st->path, (long long)version, (long long)schema_newest());
    if (version == schema_newest())
        return 0;
    if (tx_begin(st, true, &tx, e) || run_steps(st, version, e))
        return -1;
    return tx_commit(&tx, e);
}

/* quick_check and integrity_check give one row "ok", or a row per complaint. */
int schema_check(struct state *st, const char *pragma, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int r = -1;

    if (sqlite3_prepare_v2(st->db, pragma, -1, &s, NULL) != SQLITE_OK ||
        sqlite3_step(s) != SQLITE_ROW)
        db_error(st, e, "check");
    else if (strcmp(col_text(s, 0), "ok") == 0)
        r = 0;
    else
        err_set(e, ERR_IO,
                "state database %s is damaged: %.200s; it was left as it is: stop the agent, then "
                "restore a copy, or move %s, -wal and -shm away and start again",
                st->path, col_text(s, 0), st->path);
    sqlite3_finalize(s);
    return r;
}
