/*
 * loop: the one epoll loop of a shim, with timers.
 *
 * One event is taken at a time, so a handler may free any source, its own included, without an
 * event for it being under way.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/err.h"

struct loop;

struct source {
    int fd; /* -1: none */
    uint32_t events;
    bool registered;
    void (*ready)(void *owner, uint32_t events);
    void *owner;
};

struct timer {
    int64_t at_ms; /* time_mono_ms() scale; 0: off */
    void (*fire)(void *owner);
    void *owner;
    struct timer *next;
    bool linked;
};

struct loop {
    int epoll;
    struct timer *timers;
    bool quit;
};

int loop_open(struct loop *l, struct err *e) MUST_USE;
void loop_close(struct loop *l);
/* Waits for `events` (and EPOLLHUP, EPOLLERR always) on s->fd. */
void loop_watch(struct loop *l, struct source *s, uint32_t events);
void loop_unwatch(struct loop *l, struct source *s); /* the descriptor stays open */
/* Unwatches and closes. */
void loop_drop(struct loop *l, struct source *s);
void loop_timer_set(struct loop *l, struct timer *t, int64_t in_ms);
void loop_timer_clear(struct loop *l, struct timer *t);
/* Until l->quit. */
int loop_run(struct loop *l, struct err *e) MUST_USE;
