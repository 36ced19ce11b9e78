/* networks */
#include <string.h>

#include "state/state_internal.h"

static const char put_sql[] =
    "INSERT INTO network (id, name, generation, observed_generation, record)"
    " VALUES (?1,?2,?3,?4,?5)"
    " ON CONFLICT (id) DO UPDATE SET name=?2, generation=?3, observed_generation=?4, record=?5";
static const char owner_sql[] = "SELECT id FROM network WHERE name = ?1";
static const char delete_sql[] = "DELETE FROM network WHERE id = ?1";
static const char each_sql[] =
    "SELECT id, name, generation, observed_generation, record FROM network ORDER BY rowid";

static int check_name(struct state *st, const struct network *n, struct err *e)
{
    sqlite3_stmt *s = stmt_get(st, owner_sql, e);
    int r;

    if (!s)
        return -1;
    stmt_bind(s, "t", n->name);
    r = stmt_next(st, s, "look for a network's name", e);
    if (r > 0 && strcmp(col_text(s, 0), n->id) != 0)
        r = err_set(e, ERR_CONFLICT, "network with name %.255s already exists", n->name);
    sqlite3_reset(s);
    return r < 0 ? -1 : 0;
}

int state_network_put(struct state *st, const struct network *n, bool durable, struct err *e)
{
    cleanup_buf struct buf b = BUF_INIT(RECORD_MAX);
    struct jsonw w = JSONW_INIT(&b);
    cleanup_tx struct tx tx = {0};
    sqlite3_stmt *s;

    network_store(n, &w);
    if (buf_check(&b, "network record", e) || tx_begin(st, durable, &tx, e) || check_name(st, n, e))
        return -1;
    s = stmt_get(st, put_sql, e);
    if (!s)
        return -1;
    stmt_bind(s, "ttiit", n->id, n->name, n->generation, n->observed_generation, b.data);
    if (stmt_run(st, s, "write a network", e))
        return -1;
    return tx_commit(&tx, e);
}

int state_network_delete(struct state *st, const char *id, struct err *e)
{
    return write_one(st, true, delete_sql, "delete a network", e, "t", id);
}

static void *make(struct state *st, sqlite3_stmt *s, struct err *e)
{
    cleanup_network struct network *n = network_new();
    cleanup_json struct json_doc doc = {0};
    struct json j;

    str_set(&n->id, col_text(s, 0));
    str_set(&n->name, col_text(s, 1));
    n->generation = sqlite3_column_int64(s, 2);
    n->observed_generation = sqlite3_column_int64(s, 3);
    if (col_json(st, s, 4, "record of a network", &doc, e))
        return NULL;
    j = json_root(&doc);
    if (network_load(&j, n, e)) {
        err_wrap(e, "state database %s: network %s", st->path, n->name);
        return NULL;
    }
    return take_ptr(n);
}

static void drop(void *n)
{
    network_unref(n);
}

int state_network_each(struct state *st, state_network_fn *fn, void *arg, struct err *e)
{
    cleanup_rows struct rows rows = {0};

    if (read_rows(st, each_sql, "read networks", make, drop, &rows, e, ""))
        return -1;
    for (size_t i = 0; i < rows.n; i++)
        if (fn(arg, take_ptr(rows.v[i]), e))
            return -1;
    return 0;
}
