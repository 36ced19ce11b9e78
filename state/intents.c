/* intents: what is about to be done outside the database. */
#include "base/time.h"
#include "state/state_internal.h"

static const char put_sql[] = "INSERT INTO intent (key, what, created_ns) VALUES (?1,?2,?3)"
                              " ON CONFLICT (key) DO UPDATE SET what=?2, created_ns=?3";
static const char done_sql[] = "DELETE FROM intent WHERE key = ?1";
static const char each_sql[] = "SELECT key, what FROM intent ORDER BY created_ns, key";

/* Survives the agent, not the power: without power the side effect is gone or found by looking. */
int state_intent_put(struct state *st, const char *key, const char *what, struct err *e)
{
    return write_one(st, false, put_sql, "write an intent", e, "tti", key, what, time_wall_ns());
}

int state_intent_done(struct state *st, const char *key, struct err *e)
{
    return write_one(st, false, done_sql, "delete an intent", e, "t", key);
}

static void *make(struct state *st, sqlite3_stmt *s, struct err *e)
{
    struct kv *kv = xcalloc(1, sizeof(*kv));

    (void)st;
    (void)e;
    kv->k = col_dup(s, 0);
    kv->v = col_dup(s, 1);
    return kv;
}

static void drop(void *p)
{
    struct kv *kv = p;

    free(kv->k);
    free(kv->v);
    free(kv);
}

int state_intent_each(struct state *st, state_intent_fn *fn, void *arg, struct err *e)
{
    cleanup_rows struct rows rows = {0};

    if (read_rows(st, each_sql, "read intents", make, drop, &rows, e, ""))
        return -1;
    for (size_t i = 0; i < rows.n; i++) {
        const struct kv *kv = rows.v[i];

        if (fn(arg, kv->k, kv->v, e))
            return -1;
    }
    return 0;
}

struct of_kind {
    const char *prefix;
    struct strv *keys;
};

static int keep_key(void *arg, const char *key, const char *what, struct err *e)
{
    const struct of_kind *k = arg;

    (void)what;
    (void)e;
    if (str_starts(key, k->prefix))
        strv_add(k->keys, key);
    return 0;
}

int state_intents_of(struct state *st, const char *prefix, struct strv *keys, struct err *e)
{
    struct of_kind k = {prefix, keys};

    return state_intent_each(st, keep_key, &k, e);
}
