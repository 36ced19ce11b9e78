/*
 * events: appended and numbered; the newest EVENTS_KEPT can be read.
 *
 * Old rows are deleted in batches, since deleting one for each that is added would touch two more
 * pages every time; reading counts from the newest, so nobody sees the difference.
 */
#include <string.h>

#include "base/time.h"
#include "state/state_internal.h"

#define EVENTS_KEPT 10000
#define TRIM_EVERY  64

static const char add_sql[] = "INSERT INTO event (time_ns, type, action, object, attributes)"
                              " VALUES (?1,?2,?3,?4,?5)";
static const char trim_sql[] = "DELETE FROM event WHERE seq <= ?1";
static const char each_sql[] =
    "SELECT seq, time_ns, type, action, object, attributes FROM event"
    " WHERE seq > (SELECT ifnull(max(seq), 0) FROM event) - ?1 AND time_ns >= ?2 AND time_ns <= ?3"
    " AND (?4 = '' OR object = ?4) AND seq > ?5 ORDER BY seq LIMIT ?6";

#define PAGE 256

static int trim(struct state *st, int64_t newest, struct err *e)
{
    sqlite3_stmt *s;

    if (newest % TRIM_EVERY != 0)
        return 0;
    s = stmt_get(st, trim_sql, e);
    if (!s)
        return -1;
    stmt_bind(s, "i", newest - EVENTS_KEPT);
    return stmt_run(st, s, "trim events", e);
}

int state_event_add(struct state *st, struct event *ev, struct err *e)
{
    cleanup_buf struct buf b = BUF_INIT(RECORD_MAX);
    struct jsonw w = JSONW_INIT(&b);
    cleanup_tx struct tx tx = {0};
    sqlite3_stmt *s;
    int64_t seq;

    jsonw_kvs(&w, &ev->attributes);
    if (buf_check(&b, "event", e) || tx_begin(st, false, &tx, e))
        return -1;
    s = stmt_get(st, add_sql, e);
    if (!s)
        return -1;
    stmt_bind(s, "itttt", ev->time_ns, ev->type, ev->action, ev->id, b.data);
    if (stmt_run(st, s, "write an event", e))
        return -1;
    seq = sqlite3_last_insert_rowid(st->db);
    if (trim(st, seq, e) || tx_commit(&tx, e))
        return -1;
    ev->seq = seq;
    return 0;
}

static void drop(void *p)
{
    event_release(p);
    free(p);
}

static void *make(struct state *st, sqlite3_stmt *s, struct err *e)
{
    struct event *ev = xcalloc(1, sizeof(*ev));
    cleanup_json struct json_doc doc = {0};
    struct json j;

    ev->seq = sqlite3_column_int64(s, 0);
    ev->time_ns = sqlite3_column_int64(s, 1);
    ev->type = col_dup(s, 2);
    ev->action = col_dup(s, 3);
    ev->id = col_dup(s, 4);
    if (col_json(st, s, 5, "attributes of an event", &doc, e)) {
        drop(ev);
        return NULL;
    }
    j = json_root(&doc);
    if (json_kvs(&j, &ev->attributes, e)) {
        drop(ev);
        return NULL;
    }
    return ev;
}

/* Page by page: 10,000 events are too much to hold at once. */
int state_event_each(struct state *st, int64_t since_ns, int64_t until_ns, const char *object_id,
                     state_event_fn *fn, void *arg, struct err *e)
{
    int64_t after = 0;

    if (until_ns == TIME_ZERO)
        until_ns = INT64_MAX;
    for (;;) {
        cleanup_rows struct rows rows = {0};

        if (read_rows(st, each_sql, "read events", make, drop, &rows, e, "iiitii",
                      (int64_t)EVENTS_KEPT, since_ns, until_ns, object_id, after, (int64_t)PAGE))
            return -1;
        for (size_t i = 0; i < rows.n; i++) {
            const struct event *ev = rows.v[i];

            after = ev->seq;
            if (fn(arg, ev, e))
                return -1;
        }
        if (rows.n < PAGE)
            return 0;
    }
}
