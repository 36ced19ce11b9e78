/* link_end: see link_end.h. */
#include "netdrivers/link_end.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/sync.h"
#include "core/net_driver.h"
#include "netdrivers/ipv4.h"
#include "netdrivers/rtnl.h"

struct ending {
    struct ending *next;
    int index;
    uint32_t addr;
};

static struct {
    struct mutex lock;
    struct cond changed;
    struct ending *first GUARDED_BY(lock); /* the thread is at this one */
    bool thread GUARDED_BY(lock);
} endings = {.lock = MUTEX_INIT, .changed = {PTHREAD_COND_INITIALIZER}};

static void delete_link(int index)
{
    cleanup_nl struct nl nl = NL_INIT;
    struct err e = ERR_INIT;

    if (nl_open(&nl, NETLINK_ROUTE, NULL, &e) || rtnl_link_del(&nl, index, &e))
        log_warn("an interface stays until its namespace goes", "error=%s", log_quote(e.msg));
}

static void thread_main(void *arg)
{
    struct ending *at;

    (void)arg;
    mutex_lock(&endings.lock);
    while ((at = endings.first)) {
        mutex_unlock(&endings.lock);
        delete_link(at->index);
        mutex_lock(&endings.lock);
        endings.first = at->next;
        free(at);
        cond_broadcast(&endings.changed);
    }
    endings.thread = false;
    mutex_unlock(&endings.lock);
}

void link_end_later(int index, uint32_t addr)
{
    struct ending *new = xmalloc(sizeof(*new));
    struct ending **last;
    struct err e = ERR_INIT;
    bool here = false;

    *new = (struct ending){.index = index, .addr = addr};
    mutex_lock(&endings.lock);
    for (last = &endings.first; *last; last = &(*last)->next)
        ;
    *last = new;
    if (!endings.thread) {
        endings.thread = true;
        here = thread_start_detached("link-end", thread_main, NULL, &e) != 0;
    }
    mutex_unlock(&endings.lock);
    if (here) /* no thread to be had: ours does it */
        thread_main(NULL);
}

static bool pending(uint32_t addr) REQUIRES(endings.lock)
{
    for (const struct ending *at = endings.first; at; at = at->next)
        if (addr == 0 || at->addr == addr)
            return true;
    return false;
}

void link_end_wait(uint32_t addr)
{
    mutex_lock(&endings.lock);
    while (pending(addr))
        cond_wait(&endings.changed, &endings.lock);
    mutex_unlock(&endings.lock);
}

void net_endpoint_wait_gone(const char *ipv4)
{
    uint32_t addr = 0;

    (void)!ipv4_parse(ipv4, &addr);
    link_end_wait(addr);
}
