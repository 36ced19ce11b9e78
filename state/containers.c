/* containers: one row each; spec and state are JSON, the rest are columns. */
#include <string.h>

#include "state/state_internal.h"

static const char put_sql[] =
    "INSERT INTO container (id, name, created_ns, image_id, app, service, spec_hash, goal, keep,"
    " stop_grace_s, stop_sig, generation, observed_generation, durable, state, spec)"
    " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)"
    " ON CONFLICT (id) DO UPDATE SET name=?2, created_ns=?3, image_id=?4, app=?5, service=?6,"
    " spec_hash=?7, goal=?8, keep=?9, stop_grace_s=?10, stop_sig=?11, generation=?12,"
    " observed_generation=?13, durable=max(durable,?14), state=?15, spec=?16";
static const char owner_sql[] = "SELECT id FROM container WHERE name = ?1";
static const char durable_sql[] = "SELECT durable FROM container WHERE id = ?1";
static const char delete_sql[] = "DELETE FROM container WHERE id = ?1";
static const char each_sql[] =
    "SELECT id, name, created_ns, image_id, app, service, spec_hash, goal, keep, stop_grace_s,"
    " stop_sig, generation, observed_generation, state, spec FROM container ORDER BY rowid";

/* The name's owner, asked before the write: the constraint would only say that there is one. */
static int check_name(struct state *st, const struct container *c, struct err *e)
{
    sqlite3_stmt *s = stmt_get(st, owner_sql, e);
    int r;

    if (!s)
        return -1;
    stmt_bind(s, "t", c->name);
    r = stmt_next(st, s, "look for a container's name", e);
    if (r > 0 && strcmp(col_text(s, 0), c->id) != 0)
        r = err_set(e, ERR_CONFLICT,
                    "Conflict. The container name \"/%.255s\" is already in use by container "
                    "\"%s\". You have to remove (or rename) that container to be able to reuse "
                    "that name.",
                    c->name, col_text(s, 0));
    sqlite3_reset(s);
    return r < 0 ? -1 : 0;
}

static int to_json(const struct container *c, struct buf *spec, struct buf *state, struct err *e)
{
    struct jsonw ws = JSONW_INIT(spec), wt = JSONW_INIT(state);

    container_spec_store(c->spec, &ws);
    container_state_store(&c->state, &wt);
    return buf_check(spec, "container spec", e) || buf_check(state, "container state", e) ? -1 : 0;
}

int state_container_put(struct state *st, const struct container *c, bool durable, struct err *e)
{
    cleanup_buf struct buf spec = BUF_INIT(RECORD_MAX), state = BUF_INIT(RECORD_MAX);
    cleanup_tx struct tx tx = {0};
    sqlite3_stmt *s;

    if (to_json(c, &spec, &state, e) || tx_begin(st, durable, &tx, e) || check_name(st, c, e))
        return -1;
    s = stmt_get(st, put_sql, e);
    if (!s)
        return -1;
    stmt_bind(s, "ttittttiiiiiiitt", c->id, c->name, c->created_ns, c->image_id, c->app, c->service,
              c->spec_hash, (int64_t)c->goal, (int64_t)c->keep, c->stop_grace_s,
              (int64_t)c->stop_sig, c->generation, c->observed_generation, (int64_t)durable,
              state.data, spec.data);
    if (stmt_run(st, s, "write a container", e))
        return -1;
    return tx_commit(&tx, e);
}

/* A row that never had to survive the power may come back after it: whoever reads it then finds a
 * container that is to be removed anyway. */
static int was_durable(struct state *st, const char *id, bool *durable, struct err *e)
{
    sqlite3_stmt *s;
    int r = -1;

    mutex_lock(&st->lock);
    s = stmt_get(st, durable_sql, e);
    if (s) {
        stmt_bind(s, "t", id);
        r = stmt_next(st, s, "look for a container", e);
        *durable = r > 0 && sqlite3_column_int64(s, 0) != 0;
        sqlite3_reset(s);
    }
    mutex_unlock(&st->lock);
    return r < 0 ? -1 : 0;
}

int state_container_delete(struct state *st, const char *id, struct err *e)
{
    bool durable = false;

    if (was_durable(st, id, &durable, e))
        return -1;
    return write_one(st, durable, delete_sql, "delete a container", e, "t", id);
}

static int from_row(struct state *st, sqlite3_stmt *s, struct container *c, struct err *e)
{
    cleanup_json struct json_doc spec_doc = {0}, state_doc = {0};
    struct json spec, state;

    str_set(&c->id, col_text(s, 0));
    str_set(&c->name, col_text(s, 1));
    c->created_ns = sqlite3_column_int64(s, 2);
    str_set(&c->image_id, col_text(s, 3));
    str_set(&c->app, col_text(s, 4));
    str_set(&c->service, col_text(s, 5));
    str_set(&c->spec_hash, col_text(s, 6));
    c->goal = (enum container_goal)sqlite3_column_int(s, 7);
    c->keep = sqlite3_column_int(s, 8) != 0;
    c->stop_grace_s = sqlite3_column_int64(s, 9);
    c->stop_sig = sqlite3_column_int(s, 10);
    c->generation = sqlite3_column_int64(s, 11);
    c->observed_generation = sqlite3_column_int64(s, 12);
    if (col_json(st, s, 13, "state of a container", &state_doc, e) ||
        col_json(st, s, 14, "spec of a container", &spec_doc, e))
        return -1;
    state = json_root(&state_doc);
    spec = json_root(&spec_doc);
    if (container_state_load(&state, &c->state, e) || container_spec_load(&spec, c->spec, e))
        return err_wrap(e, "state database %s: container %.12s", st->path, c->id);
    return 0;
}

static void *make(struct state *st, sqlite3_stmt *s, struct err *e)
{
    struct container *c = container_new();

    if (from_row(st, s, c, e) == 0)
        return c;
    container_unref(c);
    return NULL;
}

static void drop(void *c)
{
    container_unref(c);
}

int state_container_each(struct state *st, state_container_fn *fn, void *arg, struct err *e)
{
    cleanup_rows struct rows rows = {0};

    if (read_rows(st, each_sql, "read containers", make, drop, &rows, e, ""))
        return -1;
    for (size_t i = 0; i < rows.n; i++)
        if (fn(arg, take_ptr(rows.v[i]), e))
            return -1;
    return 0;
}
