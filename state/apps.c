/*
 * apps: one row per app, and its revisions with the whole model each.
 *
 * Of an app the newest REVISIONS_KEPT revisions are kept, and besides them the ones it names as
 * observed and applied: there must be something to go back to.
 */
#include "state/state_internal.h"

#include "base/time.h"

#define REVISIONS_KEPT 16

static const char put_sql[] =
    "INSERT INTO app (name, source, observed_revision, applied_revision, suspended, absent,"
    " conditions) VALUES (?1,?2,?3,?4,?5,?6,?7)"
    " ON CONFLICT (name) DO UPDATE SET source=?2, observed_revision=?3, applied_revision=?4,"
    " suspended=?5, absent=?6, conditions=?7";
static const char delete_sql[] = "DELETE FROM app WHERE name = ?1";
static const char delete_revisions_sql[] = "DELETE FROM app_revision WHERE app = ?1";
static const char each_sql[] =
    "SELECT name, source, observed_revision, applied_revision, suspended, absent, conditions"
    " FROM app ORDER BY name";

static const char revision_put_sql[] =
    "INSERT INTO app_revision (app, revision, state, created_ns, model) VALUES (?1,?2,?3,?4,?5)"
    " ON CONFLICT (app, revision) DO UPDATE SET state=?3, model=?5";
static const char revision_trim_sql[] =
    "DELETE FROM app_revision WHERE app = ?1"
    " AND seq NOT IN (SELECT seq FROM app_revision WHERE app = ?1 ORDER BY seq DESC LIMIT ?2)"
    " AND revision NOT IN (SELECT observed_revision FROM app WHERE name = ?1"
    " UNION SELECT applied_revision FROM app WHERE name = ?1)";
static const char revision_get_sql[] =
    "SELECT model FROM app_revision WHERE app = ?1 AND revision = ?2";
static const char revision_each_sql[] =
    "SELECT revision, state, created_ns FROM app_revision WHERE app = ?1 ORDER BY seq DESC";

void app_record_release(struct app_record *r)
{
    free(r->name);
    free(r->source);
    free(r->observed_revision);
    free(r->applied_revision);
    free(r->conditions);
    *r = (struct app_record){0};
}

int state_app_put(struct state *st, const struct app_record *r, struct err *e)
{
    return write_one(st, true, put_sql, "write an app", e, "ttttiit", r->name, r->source,
                     r->observed_revision, r->applied_revision, (int64_t)r->suspended,
                     (int64_t)r->absent, r->conditions);
}

int state_app_delete(struct state *st, const char *name, struct err *e)
{
    static const char *const both[] = {delete_sql, delete_revisions_sql};
    cleanup_tx struct tx tx = {0};

    if (tx_begin(st, true, &tx, e))
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        sqlite3_stmt *s = stmt_get(st, both[i], e);

        if (!s)
            return -1;
        stmt_bind(s, "t", name);
        if (stmt_run(st, s, "delete an app", e))
            return -1;
    }
    return tx_commit(&tx, e);
}

static void *make_record(struct state *st, sqlite3_stmt *s, struct err *e)
{
    struct app_record *r = xcalloc(1, sizeof(*r));

    (void)st;
    (void)e;
    r->name = col_dup(s, 0);
    r->source = col_dup(s, 1);
    r->observed_revision = col_dup(s, 2);
    r->applied_revision = col_dup(s, 3);
    r->suspended = sqlite3_column_int(s, 4) != 0;
    r->absent = sqlite3_column_int(s, 5) != 0;
    r->conditions = col_dup(s, 6);
    return r;
}

static void drop_record(void *r)
{
    app_record_release(r);
    free(r);
}

int state_app_each(struct state *st, state_app_fn *fn, void *arg, struct err *e)
{
    cleanup_rows struct rows rows = {0};

    if (read_rows(st, each_sql, "read apps", make_record, drop_record, &rows, e, ""))
        return -1;
    for (size_t i = 0; i < rows.n; i++)
        if (fn(arg, rows.v[i], e))
            return -1;
    return 0;
}

/* ------------------------------------------------------------ revisions */

static int trim(struct state *st, const char *app, struct err *e)
{
    sqlite3_stmt *s = stmt_get(st, revision_trim_sql, e);

    if (!s)
        return -1;
    stmt_bind(s, "ti", app, (int64_t)REVISIONS_KEPT);
    return stmt_run(st, s, "trim revisions", e);
}

int state_revision_put(struct state *st, const struct app *a, enum app_revision_state state,
                       struct err *e)
{
    cleanup_buf struct buf b = BUF_INIT(RECORD_MAX);
    struct jsonw w = JSONW_INIT(&b);
    cleanup_tx struct tx tx = {0};
    sqlite3_stmt *s;

    app_store(a, &w);
    if (buf_check(&b, "app model", e) || tx_begin(st, true, &tx, e))
        return -1;
    s = stmt_get(st, revision_put_sql, e);
    if (!s)
        return -1;
    stmt_bind(s, "ttiit", a->name, a->revision, (int64_t)state, time_wall_ns(), b.data);
    if (stmt_run(st, s, "write a revision", e) || trim(st, a->name, e))
        return -1;
    return tx_commit(&tx, e);
}

static void *make_model(struct state *st, sqlite3_stmt *s, struct err *e)
{
    cleanup_app struct app *a = app_new();
    cleanup_json struct json_doc doc = {0};
    struct json j;

    if (col_json(st, s, 0, "model of an app", &doc, e))
        return NULL;
    j = json_root(&doc);
    if (app_load(&j, a, e)) {
        err_wrap(e, "state database %s: model of an app", st->path);
        return NULL;
    }
    return take_ptr(a);
}

static void drop_model(void *a)
{
    app_free(a);
}

int state_revision_get(struct state *st, const char *app, const char *revision, struct app **out,
                       struct err *e)
{
    cleanup_rows struct rows rows = {0};

    if (read_rows(st, revision_get_sql, "read a revision", make_model, drop_model, &rows, e, "tt",
                  app, revision))
        return -1;
    *out = rows.n ? take_ptr(rows.v[0]) : NULL;
    return 0;
}

struct revision_row {
    char *revision;
    int state;
    int64_t created_ns;
};

static void *make_revision(struct state *st, sqlite3_stmt *s, struct err *e)
{
    struct revision_row *r = xcalloc(1, sizeof(*r));

    (void)st;
    (void)e;
    r->revision = col_dup(s, 0);
    r->state = sqlite3_column_int(s, 1);
    r->created_ns = sqlite3_column_int64(s, 2);
    return r;
}

static void drop_revision(void *p)
{
    struct revision_row *r = p;

    free(r->revision);
    free(r);
}

int state_revision_each(struct state *st, const char *app, state_revision_fn *fn, void *arg,
                        struct err *e)
{
    cleanup_rows struct rows rows = {0};

    if (read_rows(st, revision_each_sql, "read revisions", make_revision, drop_revision, &rows, e,
                  "t", app))
        return -1;
    for (size_t i = 0; i < rows.n; i++) {
        const struct revision_row *r = rows.v[i];

        if (fn(arg, r->revision, (enum app_revision_state)r->state, r->created_ns, e))
            return -1;
    }
    return 0;
}
