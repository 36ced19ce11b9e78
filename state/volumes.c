/* volumes: a volume is its name. */
#include "state/state_internal.h"

static const char put_sql[] = "INSERT INTO volume (name, record) VALUES (?1,?2)"
                              " ON CONFLICT (name) DO UPDATE SET record=?2";
static const char delete_sql[] = "DELETE FROM volume WHERE name = ?1";
static const char each_sql[] = "SELECT name, record FROM volume ORDER BY rowid";

int state_volume_put(struct state *st, const struct volume *v, bool durable, struct err *e)
{
    cleanup_buf struct buf b = BUF_INIT(RECORD_MAX);
    struct jsonw w = JSONW_INIT(&b);

    volume_store(v, &w);
    if (buf_check(&b, "volume record", e))
        return -1;
    return write_one(st, durable, put_sql, "write a volume", e, "tt", v->name, b.data);
}

int state_volume_delete(struct state *st, const char *name, struct err *e)
{
    return write_one(st, true, delete_sql, "delete a volume", e, "t", name);
}

static void *make(struct state *st, sqlite3_stmt *s, struct err *e)
{
    cleanup_volume struct volume *v = volume_new();
    cleanup_json struct json_doc doc = {0};
    struct json j;

    if (col_json(st, s, 1, "record of a volume", &doc, e))
        return NULL;
    j = json_root(&doc);
    if (volume_load(&j, v, e)) {
        err_wrap(e, "state database %s: volume %s", st->path, col_text(s, 0));
        return NULL;
    }
    str_set(&v->name, col_text(s, 0));
    return take_ptr(v);
}

static void drop(void *v)
{
    volume_unref(v);
}

int state_volume_each(struct state *st, state_volume_fn *fn, void *arg, struct err *e)
{
    cleanup_rows struct rows rows = {0};

    if (read_rows(st, each_sql, "read volumes", make, drop, &rows, e, ""))
        return -1;
    for (size_t i = 0; i < rows.n; i++)
        if (fn(arg, take_ptr(rows.v[i]), e))
            return -1;
    return 0;
}
