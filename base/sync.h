/*
 * sync: mutexes, condition variables and threads, annotated for clang's -Wthread-safety.
 *
 * The same calls on every platform (MinGW-w64 has pthreads too).  Locks are leaves: code that holds
 * one calls nothing that takes another, and nothing that blocks.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

struct LOCK_TYPE mutex {
    pthread_mutex_t m;
};

#define MUTEX_INIT                     \
    {                                  \
        .m = PTHREAD_MUTEX_INITIALIZER \
    }

static inline void mutex_init(struct mutex *m)
{
    pthread_mutex_init(&m->m, NULL);
}

static inline void mutex_destroy(struct mutex *m)
{
    pthread_mutex_destroy(&m->m);
}

static inline void mutex_lock(struct mutex *m) ACQUIRES(*m) NO_LOCK_CHECK
{
    pthread_mutex_lock(&m->m);
}

static inline void mutex_unlock(struct mutex *m) RELEASES(*m) NO_LOCK_CHECK
{
    pthread_mutex_unlock(&m->m);
}

/* A condition variable on the monotonic clock. */
struct cond {
    pthread_cond_t c;
};

void cond_init(struct cond *c);
void cond_destroy(struct cond *c);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);
void cond_wait(struct cond *c, struct mutex *m) REQUIRES(*m);
/* false when `deadline_ms` (time_mono_ms() scale) passed first. */
bool cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline_ms) REQUIRES(*m);

/*
 * Starts fn(arg) on a thread called `name` (15 characters at most are kept) with a small stack
 * (THREAD_STACK_BYTES) and all signals blocked.  A thread is joined, or detached at birth.
 */
#define THREAD_STACK_BYTES (256 * 1024)
struct thread {
    pthread_t t;
    bool started;
};
int thread_start(struct thread *th, const char *name, void (*fn)(void *arg), void *arg,
                 struct err *e) MUST_USE;
int thread_start_detached(const char *name, void (*fn)(void *arg), void *arg,
                          struct err *e) MUST_USE;
void thread_join(struct thread *th); /* does nothing when it was not started */
