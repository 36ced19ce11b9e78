/* meta: small facts about the engine itself. */
#include "state/state_internal.h"

static const char get_sql[] = "SELECT value FROM meta WHERE key = ?1";
static const char put_sql[] = "INSERT INTO meta (key, value) VALUES (?1,?2)"
                              " ON CONFLICT (key) DO UPDATE SET value=?2";

static void *make(struct state *st, sqlite3_stmt *s, struct err *e)
{
    (void)st;
    (void)e;
    return col_dup(s, 0);
}

int state_meta_get(struct state *st, const char *key, char **value, struct err *e)
{
    cleanup_rows struct rows rows = {0};

    if (read_rows(st, get_sql, "read a fact", make, free, &rows, e, "t", key))
        return -1;
    *value = rows.n ? take_ptr(rows.v[0]) : NULL;
    return 0;
}

int state_meta_put(struct state *st, const char *key, const char *value, struct err *e)
{
    return write_one(st, true, put_sql, "write a fact", e, "tt", key, value);
}
