/* stmt: prepared statements, found by the address of their text. */
#include <stdarg.h>
#include <string.h>

#include "base/fault.h"
#include "state/state_internal.h"

sqlite3_stmt *stmt_get(struct state *st, const char *sql, struct err *e)
{
    struct stmt_slot *slot;

    for (size_t i = 0; i < st->n_stmts; i++)
        if (st->stmts[i].sql == sql) {
            sqlite3_reset(st->stmts[i].stmt);
            return st->stmts[i].stmt;
        }
    if (st->n_stmts == STMTS_MAX) {
        err_set(e, ERR_INTERNAL, "state: more than %d statements", STMTS_MAX);
        return NULL;
    }
    slot = &st->stmts[st->n_stmts];
    if (sqlite3_prepare_v3(st->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &slot->stmt, NULL) !=
        SQLITE_OK) {
        db_error(st, e, sql);
        return NULL;
    }
    slot->sql = sql;
    st->n_stmts++;
    return slot->stmt;
}

void stmt_finalize_all(struct state *st)
{
    for (size_t i = 0; i < st->n_stmts; i++)
        sqlite3_finalize(st->stmts[i].stmt);
    st->n_stmts = 0;
}

static void bind(sqlite3_stmt *s, const char *types, va_list ap)
{
    for (int i = 1; *types; i++, types++) {
        if (*types == 'i') {
            sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
        } else {
            const char *text = va_arg(ap, const char *);

            sqlite3_bind_text(s, i, text ? text : "", -1, SQLITE_STATIC);
        }
    }
}

void stmt_bind(sqlite3_stmt *s, const char *types, ...)
{
    va_list ap;

    va_start(ap, types);
    bind(s, types, ap);
    va_end(ap);
}

int stmt_next(struct state *st, sqlite3_stmt *s, const char *doing, struct err *e)
{
    int r;

    if (FAULT("state.step"))
        return err_set(e, ERR_IO, "state database %s: %s: injected", st->path, doing);
    r = sqlite3_step(s);
    if (r == SQLITE_ROW)
        return 1;
    if (r == SQLITE_DONE) {
        sqlite3_reset(s);
        return 0;
    }
    db_error(st, e, doing);
    sqlite3_reset(s);
    return -1;
}

int stmt_run(struct state *st, sqlite3_stmt *s, const char *doing, struct err *e)
{
    return stmt_next(st, s, doing, e) < 0 ? -1 : 0;
}

const char *col_text(sqlite3_stmt *s, int i)
{
    const unsigned char *text = sqlite3_column_text(s, i);

    return text ? (const char *)text : "";
}

char *col_dup(sqlite3_stmt *s, int i)
{
    return xstrdup(col_text(s, i));
}

int col_json(struct state *st, sqlite3_stmt *s, int i, const char *what, struct json_doc *doc,
             struct err *e)
{
    const char *text = col_text(s, i);

    if (json_parse(text, strlen(text), doc, e) == 0)
        return 0;
    err_wrap(e, "state database %s: %s", st->path, what);
    e->kind = ERR_INTERNAL; /* we wrote it */
    return -1;
}

int write_one(struct state *st, bool durable, const char *sql, const char *doing, struct err *e,
              const char *types, ...)
{
    cleanup_tx struct tx tx = {0};
    sqlite3_stmt *s;
    va_list ap;

    if (tx_begin(st, durable, &tx, e))
        return -1;
    s = stmt_get(st, sql, e);
    if (!s)
        return -1;
    va_start(ap, types);
    bind(s, types, ap);
    va_end(ap);
    if (stmt_run(st, s, doing, e))
        return -1;
    return tx_commit(&tx, e);
}

int read_rows(struct state *st, const char *sql, const char *doing, row_fn *make,
              void (*free_fn)(void *), struct rows *out, struct err *e, const char *types, ...)
{
    sqlite3_stmt *s;
    va_list ap;
    int r = -1;

    out->free = free_fn;
    mutex_lock(&st->lock);
    s = stmt_get(st, sql, e);
    if (s) {
        va_start(ap, types);
        bind(s, types, ap);
        va_end(ap);
    }
    while (s && (r = stmt_next(st, s, doing, e)) > 0) {
        void *made = make(st, s, e);

        if (!made) {
            r = -1;
            break;
        }
        if (out->n % 64 == 0)
            out->v = xrealloc(out->v, (out->n + 64) * sizeof(*out->v));
        out->v[out->n++] = made;
    }
    if (s)
        sqlite3_reset(s);
    mutex_unlock(&st->lock);
    return r;
}

void rows_release(struct rows *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->v[i])
            r->free(r->v[i]);
    free(r->v);
    r->v = NULL;
    r->n = 0;
}
