/*
 * sync on Windows: winpthreads, whose timed wait knows the wall clock only.
 *
 * A deadline on the monotonic clock is turned into one on the wall clock slice by slice, so that a
 * clock that is set meanwhile shifts the end by a slice at most.
 */
#include "base/sync.h"

#include <errno.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"

#define SLICE_MS 500

void cond_init(struct cond *c)
{
    pthread_cond_init(&c->c, NULL);
}

void cond_destroy(struct cond *c)
{
    pthread_cond_destroy(&c->c);
}

void cond_signal(struct cond *c)
{
    pthread_cond_signal(&c->c);
}

void cond_broadcast(struct cond *c)
{
    pthread_cond_broadcast(&c->c);
}

void cond_wait(struct cond *c, struct mutex *m)
{
    pthread_cond_wait(&c->c, &m->m);
}

bool cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - time_mono_ms(), until;
        struct timespec ts;

        left = left < 0 ? 0 : left > SLICE_MS ? SLICE_MS : left;
        until = time_wall_ns() + left * NS_PER_MS;
        ts.tv_sec = (time_t)(until / NS_PER_SEC);
        ts.tv_nsec = (long)(until % NS_PER_SEC);
        if (pthread_cond_timedwait(&c->c, &m->m, &ts) != ETIMEDOUT)
            return true;
        if (time_mono_ms() >= deadline_ms)
            return false;
    }
}

struct birth {
    void (*fn)(void *arg);
    void *arg;
    char name[16];
};

static void *thread_main(void *p)
{
    struct birth b = *(struct birth *)p;

    free(p);
    pthread_setname_np(pthread_self(), b.name);
    b.fn(b.arg);
    return NULL;
}

static int start(pthread_t *t, bool detached, const char *name, void (*fn)(void *arg), void *arg,
                 struct err *e)
{
    struct birth *b = xcalloc(1, sizeof(*b));
    pthread_attr_t attr;
    int rc;

    b->fn = fn;
    b->arg = arg;
    str_copy(b->name, sizeof(b->name), name);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
    if (detached)
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    rc = pthread_create(t, &attr, thread_main, b);
    pthread_attr_destroy(&attr);
    if (rc) {
        free(b);
        return err_set(e, ERR_IO, "start thread %s: error %d", name, rc);
    }
    return 0;
}

int thread_start(struct thread *th, const char *name, void (*fn)(void *arg), void *arg,
                 struct err *e)
{
    th->started = false;
    if (start(&th->t, false, name, fn, arg, e))
        return -1;
    th->started = true;
    return 0;
}

int thread_start_detached(const char *name, void (*fn)(void *arg), void *arg, struct err *e)
{
    pthread_t t;

    return start(&t, true, name, fn, arg, e);
}

void thread_join(struct thread *th)
{
    if (!th->started)
        return;
    pthread_join(th->t, NULL);
    th->started = false;
}
