/* sync on POSIX: condition variables on the monotonic clock, threads born with signals blocked. */
#include "base/sync.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define NAME_MAX_BYTES     16                     /* the kernel's limit, with the NUL */
#define STACK_KEPT_BY_LIBC ((uintptr_t)32 * 1024) /* of a thread that has ended; and some more */

/* The sanitizers' frames are several times as large. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_FACTOR 8
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STACK_FACTOR 8
#endif
#endif
#ifndef STACK_FACTOR
#define STACK_FACTOR 1
#endif

void cond_init(struct cond *c)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->c, &attr);
    pthread_condattr_destroy(&attr);
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
    struct timespec ts = {0};

    if (deadline_ms > 0) {
        ts.tv_sec = (time_t)(deadline_ms / 1000);
        ts.tv_nsec = (long)(deadline_ms % 1000) * 1000000L;
    }
    return pthread_cond_timedwait(&c->c, &m->m, &ts) != ETIMEDOUT;
}

struct birth {
    void (*fn)(void *arg);
    void *arg;
    char name[NAME_MAX_BYTES];
};

/*
 * glibc keeps the stacks of threads that have ended for the next ones, each with the pages that it
 * has ever touched near its top: after a burst of requests that is megabytes.  They are given back
 * but for the page that is in use here.
 */
static void leave_stack(void)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t top = ((uintptr_t)__builtin_frame_address(0) & ~(page - 1)) - page;

    (void)madvise((void *)(top - STACK_KEPT_BY_LIBC), STACK_KEPT_BY_LIBC, MADV_DONTNEED);
}

static void *thread_main(void *p)
{
    struct birth b = *(struct birth *)p;

    free(p);
    pthread_setname_np(pthread_self(), b.name);
    b.fn(b.arg);
    leave_stack();
    return NULL;
}

static int start(pthread_t *t, bool detached, const char *name, void (*fn)(void *arg), void *arg,
                 struct err *e)
{
    struct birth *b = xcalloc(1, sizeof(*b));
    sigset_t all, before;
    pthread_attr_t attr;
    int rc;

    b->fn = fn;
    b->arg = arg;
    str_copy(b->name, sizeof(b->name), name);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, (size_t)THREAD_STACK_BYTES * STACK_FACTOR);
    if (detached)
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);

    /* The mask is inherited: there is no moment at which the new thread could take a signal. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(t, &attr, thread_main, b);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (rc) {
        free(b);
        return err_os(e, rc, "start thread %s", name);
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
