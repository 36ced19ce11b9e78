/*
 * pull_layers: see pull_internal.h.
 *
 * Each thread takes the next layer and runs its whole pipeline as one loop: socket, digest and blob
 * file, decompression, digest of the plain tar, extraction.  So nothing waits for a stage to end,
 * nothing is read twice, and a download is held back by what unpacks it.
 */
#include "base/cancel.h"
#include "base/mem.h"
#include "base/time.h"
#include "images/pull_internal.h"

#define TICK_MS    100
#define EVENTS_MAX 8

enum news {
    EVENT_EXISTS,
    EVENT_WAITING,
    EVENT_VERIFYING,
    EVENT_DOWNLOADED,
    EVENT_EXTRACTING,
    EVENT_COMPLETE,
};

static const struct {
    const char *text;
    bool numbers;
} event_texts[] = {
    [EVENT_EXISTS] = {"Already exists",     false},
    [EVENT_WAITING] = {"Waiting",            false},
    [EVENT_VERIFYING] = {"Verifying Checksum", false},
    [EVENT_DOWNLOADED] = {"Download complete",  false},
    [EVENT_EXTRACTING] = {"Extracting",         true },
    [EVENT_COMPLETE] = {"Pull complete",      false},
};

/* One layer's news, from its thread to the caller's.  All GUARDED_BY(work.lock). */
struct slot {
    enum news events[EVENTS_MAX];
    size_t n_events;
    int64_t current, told;
    bool there; /* before the pull */
};

struct work {
    const struct pull_layers *pl;
    struct mutex lock;
    struct cond changed;
    size_t next, running;
    struct slot *slots;
    struct err err; /* the first one */
};

/* What one thread is downloading. */
struct tee {
    struct work *w;
    struct registry_conn *conn;
    struct blob_writer *blob;
    const struct descriptor *layer;
    struct slot *slot;
};

static void note(struct work *w, struct slot *s, enum news ev)
{
    mutex_lock(&w->lock);
    if (s->n_events < EVENTS_MAX)
        s->events[s->n_events++] = ev;
    cond_signal(&w->changed);
    mutex_unlock(&w->lock);
}

/* ---- a layer's pipeline */

static int tee_read(void *arg, void *buf, size_t n, size_t *got, struct err *e)
{
    struct tee *t = arg;

    if (registry_read(t->conn, buf, n, got, e))
        return -1;
    if (*got && blob_write(t->blob, buf, *got, e))
        return -1;
    mutex_lock(&t->w->lock);
    t->slot->current += (int64_t)*got;
    mutex_unlock(&t->w->lock);
    return 0;
}

static int tee_verify(void *arg, struct err *e)
{
    struct tee *t = arg;

    note(t->w, t->slot, EVENT_VERIFYING);
    if (blob_commit(take_ptr(t->blob), t->layer->digest, t->layer->size, NULL, e))
        return -1;
    note(t->w, t->slot, EVENT_DOWNLOADED);
    note(t->w, t->slot, EVENT_EXTRACTING);
    return 0;
}

/* Damaged bytes fail in the decoder first.  What the user has to know is that they are damaged. */
static void explain(struct tee *t, struct err *e)
{
    char piece[16384], digest[DIGEST_TEXT_MAX];
    struct err why = ERR_INIT;
    size_t got;

    if (e->kind != ERR_INVALID || !t->blob)
        return;
    do {
        if (tee_read(t, piece, sizeof(piece), &got, &why)) {
            if (why.kind != ERR_INVALID)
                *e = why;
            return;
        }
    } while (got);
    blob_seal(t->blob, digest);
    if (!str_eq(digest, t->layer->digest))
        err_set(e, ERR_INVALID, "filesystem layer verification failed for digest %s",
                t->layer->digest);
}

static int download(struct tee *t, const struct layer_id *id, bool *made, struct err *e)
{
    struct images *im = t->w->pl->im;
    struct layer_source src = {tee_read, t, tee_verify};
    int rc;

    if (registry_blob(t->conn, t->layer->digest, t->layer->size, e) ||
        blob_create(im->content, &t->blob, e))
        return -1;
    rc = layer_ensure(im, id, &src, t->w->pl->stop, made, e);
    if (rc)
        explain(t, e);
    blob_abort(t->blob);
    t->blob = NULL;
    return rc;
}

static int pull_layer(struct work *w, struct registry_conn **conn, size_t i, struct err *e)
{
    const struct pull_layers *pl = w->pl;
    struct tee t = {.w = w, .layer = &pl->manifest->v[i], .slot = &w->slots[i]};
    struct layer_id id = layer_id_of(pl->image, pl->blobs, i);
    bool made = false;

    if (t.slot->there)
        return 0;
    if (content_has(pl->im->content, id.blob, NULL)) {
        note(w, t.slot, EVENT_DOWNLOADED);
        if (layer_ensure_from_blob(pl->im, &id, pl->stop, e))
            return -1;
        note(w, t.slot, EVENT_EXTRACTING);
    } else {
        if (!*conn)
            *conn = registry_connect(pl->registry);
        t.conn = *conn;
        if (download(&t, &id, &made, e))
            return -1;
        if (!made) /* another pull was faster */
            note(w, t.slot, EVENT_DOWNLOADED);
    }
    note(w, t.slot, EVENT_COMPLETE);
    return 0;
}

static void run(void *arg)
{
    struct work *w = arg;
    struct registry_conn *conn = NULL;

    for (;;) {
        struct err e = ERR_INIT;
        size_t i;

        mutex_lock(&w->lock);
        i = w->err.kind ? w->pl->manifest->n : w->next;
        w->next++;
        mutex_unlock(&w->lock);
        if (i >= w->pl->manifest->n)
            break;
        if (!pull_layer(w, &conn, i, &e))
            continue;
        mutex_lock(&w->lock);
        if (!w->err.kind)
            w->err = e;
        mutex_unlock(&w->lock);
        cancel_fire(w->pl->stop);
    }
    registry_disconnect(conn);
    mutex_lock(&w->lock);
    w->running--;
    cond_signal(&w->changed);
    mutex_unlock(&w->lock);
}

/* ---- telling */

static int tell(const struct pull_layers *pl, size_t i, const char *status, int64_t current,
                struct err *e)
{
    const struct descriptor *d = &pl->manifest->v[i];
    cleanup_free char *id = str_ndup(digest_hex(d->digest), 12);
    struct progress p = {
        .id = id, .status = status, .current = current, .total = current < 0 ? -1 : d->size};

    return pl->progress ? pl->progress(pl->arg, &p, e) : 0;
}

static int tell_slot(struct work *w, size_t i, struct err *e)
{
    struct slot copy, *s = &w->slots[i];

    mutex_lock(&w->lock);
    copy = *s;
    s->n_events = 0;
    s->told = s->current;
    mutex_unlock(&w->lock);
    if (copy.current > copy.told && tell(w->pl, i, "Downloading", copy.current, e))
        return -1;
    for (size_t k = 0; k < copy.n_events; k++) {
        enum news ev = copy.events[k];

        if (tell(w->pl, i, event_texts[ev].text,
                 event_texts[ev].numbers ? w->pl->manifest->v[i].size : -1, e))
            return -1;
    }
    return 0;
}

static int tell_all(struct work *w, struct err *e)
{
    for (size_t i = 0; i < w->pl->manifest->n; i++)
        if (tell_slot(w, i, e))
            return -1;
    return 0;
}

/* Until the threads are done.  A failure to tell, or the caller's cancel, stops them. */
static int watch(struct work *w, struct err *e)
{
    bool more = true, stopped = false;
    int rc = 0;

    while (more) {
        mutex_lock(&w->lock);
        if (w->running)
            (void)cond_wait_until(&w->changed, &w->lock, time_mono_ms() + TICK_MS);
        more = w->running > 0;
        mutex_unlock(&w->lock);
        if (!stopped && cancel_fired(w->pl->c))
            rc = err_set(e, ERR_CANCELLED, "context canceled");
        if (!stopped && rc == 0)
            rc = tell_all(w, e);
        if (rc && !stopped) {
            cancel_fire(w->pl->stop);
            stopped = true;
        }
    }
    return rc;
}

static int announce(struct work *w, size_t threads, struct err *e)
{
    const struct pull_layers *pl = w->pl;
    size_t missing = 0;

    for (size_t i = 0; i < pl->manifest->n; i++) {
        struct slot *s = &w->slots[i];

        s->there = layer_exists(pl->im, pl->image->chain_ids.v[i]);
        if (tell(pl, i, s->there ? event_texts[EVENT_EXISTS].text : "Pulling fs layer", -1, e))
            return -1;
        if (!s->there && ++missing > threads && tell(pl, i, event_texts[EVENT_WAITING].text, -1, e))
            return -1;
    }
    return 0;
}

int pull_layers(const struct pull_layers *pl, struct err *e)
{
    struct work w = {.pl = pl, .err = ERR_INIT};
    size_t n = pl->im->driver->independent ? (size_t)pl->im->max_downloads : 1;
    struct thread *threads;
    int rc;

    if (n > pl->manifest->n)
        n = pl->manifest->n;
    threads = xcalloc(n + 1, sizeof(*threads));
    w.slots = xcalloc(pl->manifest->n + 1, sizeof(*w.slots));
    mutex_init(&w.lock);
    cond_init(&w.changed);
    rc = announce(&w, n, e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        mutex_lock(&w.lock);
        w.running++;
        mutex_unlock(&w.lock);
        rc = thread_start(&threads[i], "pull", run, &w, e);
        if (rc) {
            mutex_lock(&w.lock);
            w.running--;
            mutex_unlock(&w.lock);
            cancel_fire(pl->stop);
        }
    }
    if (watch(&w, rc ? ERR_IGNORE : e))
        rc = -1;
    for (size_t i = 0; i < n; i++)
        thread_join(&threads[i]);
    if (rc == 0)
        rc = tell_all(&w, e);
    if (rc == 0 && w.err.kind) {
        *e = w.err;
        rc = -1;
    }
    cond_destroy(&w.changed);
    mutex_destroy(&w.lock);
    free(threads);
    free(w.slots);
    return rc;
}
