/*
 * cancel: the flag and the family.
 *
 * What wakes a thread is the platform's (os_internal.h); the flag says the same and makes the
 * switch work, more slowly, in a process that has run out of descriptors: whoever waits then looks
 * at it from time to time.
 */
#include "base/cancel.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/os_internal.h"
#include "base/sync.h"

/* One lock for all families: firing and birth are rare, and a family has no root to hold one. */
static struct mutex family_lock = MUTEX_INIT;

struct cancel {
    intptr_t os;
    atomic_bool fired;
    struct cancel *parent, *first_child, *prev, *next;
};

static struct cancel *make(void)
{
    struct cancel *c = xcalloc(1, sizeof(*c));

    c->os = os_switch_open();
    atomic_init(&c->fired, false);
    return c;
}

struct cancel *cancel_new(void)
{
    return make();
}

static void fire_one(struct cancel *c)
{
    atomic_store(&c->fired, true);
    if (c->os != OS_NONE)
        os_switch_fire(c->os);
}

/* Children before siblings, without recursion. */
static void fire_family(struct cancel *top)
{
    struct cancel *c = top;

    for (;;) {
        fire_one(c);
        if (c->first_child) {
            c = c->first_child;
            continue;
        }
        while (c != top && !c->next)
            c = c->parent;
        if (c == top)
            return;
        c = c->next;
    }
}

struct cancel *cancel_new_child(struct cancel *parent)
{
    struct cancel *c = make();

    mutex_lock(&family_lock);
    c->parent = parent;
    c->next = parent->first_child;
    if (c->next)
        c->next->prev = c;
    parent->first_child = c;
    if (atomic_load(&parent->fired))
        fire_one(c);
    mutex_unlock(&family_lock);
    return c;
}

void cancel_fire(struct cancel *c)
{
    mutex_lock(&family_lock);
    fire_family(c);
    mutex_unlock(&family_lock);
}

bool cancel_fired(const struct cancel *c)
{
    return c && atomic_load(&c->fired);
}

void cancel_free(struct cancel *c)
{
    if (!c)
        return;
    mutex_lock(&family_lock);
    if (c->parent) {
        if (c->prev)
            c->prev->next = c->next;
        else
            c->parent->first_child = c->next;
        if (c->next)
            c->next->prev = c->prev;
    }
    mutex_unlock(&family_lock);
    if (c->os != OS_NONE)
        os_switch_close(c->os);
    free(c);
}

intptr_t cancel_os(const struct cancel *c)
{
    return c ? c->os : OS_NONE;
}
