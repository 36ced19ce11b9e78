/*
 * watch: one thread that hears all shims.
 *
 * Each shim that is listened to has an entry: a connection in WATCH mode.  Events are a hint to
 * look, and so is the end of a connection, whatever it means.  An entry belongs to the thread once
 * it is in the list; others only put new ones in.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sync.h"
#include "runtime-linux/client_internal.h"

#define EVENTS    32
#define ENTRY_MAX (16 * 1024) /* an event is some hundred bytes */

struct entry {
    struct entry *next;
    char *id;
    int fd;
    struct buf in;
};

struct watch {
    struct mutex lock;
    struct entry *entries; /* GUARDED_BY(lock) */
    bool started;          /* GUARDED_BY(lock) */
    int epoll, stop;
    struct runtime_events events;
    struct thread thread;
};

struct watch *watch_new(void)
{
    struct watch *w = xcalloc(1, sizeof(*w));

    mutex_init(&w->lock);
    w->epoll = w->stop = -1;
    return w;
}

static void entry_free(struct entry *en)
{
    fd_close(en->fd);
    buf_release(&en->in);
    free(en->id);
    free(en);
}

static void remove_entry(struct watch *w, struct entry *en)
{
    struct entry **p;

    /* Closing alone is not enough: while a program is being started elsewhere its process holds a
     * copy of the descriptor, and epoll would go on to report an entry that is freed. */
    (void)epoll_ctl(w->epoll, EPOLL_CTL_DEL, en->fd, NULL);
    mutex_lock(&w->lock);
    for (p = &w->entries; *p != en; p = &(*p)->next)
        ;
    *p = en->next;
    mutex_unlock(&w->lock);
    entry_free(en);
}

static void on_event(struct watch *w, struct entry *en, const char *json, size_t len)
{
    cleanup_json struct json_doc doc = {0};
    struct json root;

    if (json_parse(json, len, &doc, ERR_IGNORE))
        return;
    root = json_root(&doc);
    if (str_eq(json_get_str(&root, "event"), "log_lost")) {
        const char *why = json_get_str(&root, "reason");

        log_warn("log lines of a container were not delivered", "id=%s lines=%lld reason=%s",
                 en->id, (long long)json_get_i64(&root, "lines"), log_quote(why));
        if (w->events.log_lost)
            w->events.log_lost(w->events.arg, en->id, json_get_i64(&root, "lines"), why);
        return;
    }
    if (!str_eq(json_get_str(&root, "event"), "exec_exit")) {
        w->events.changed(w->events.arg, en->id);
        return;
    }
    if (w->events.exec_exited)
        w->events.exec_exited(w->events.arg, en->id, json_get_str(&root, "exec_id"),
                              (int)json_get_i64(&root, "exit_code"));
}

/* The whole messages in the entry's buffer; false when they are none of ours. */
static bool take_messages(struct watch *w, struct entry *en)
{
    size_t at = 0;

    while (en->in.len - at >= SHIM_HEADER) {
        struct shim_header h;

        if (shim_header_decode((const uint8_t *)en->in.data + at, &h, ERR_IGNORE) ||
            h.length > ENTRY_MAX - SHIM_HEADER)
            return false;
        if (en->in.len - at < SHIM_HEADER + h.length)
            break;
        if (h.kind == SHIM_EVENT)
            on_event(w, en, en->in.data + at + SHIM_HEADER, h.length);
        at += SHIM_HEADER + h.length;
    }
    if (at > 0) {
        memmove(en->in.data, en->in.data + at, en->in.len - at);
        en->in.len -= at;
        en->in.data[en->in.len] = '\0';
    }
    return true;
}

static void on_ready(struct watch *w, struct entry *en)
{
    char bytes[4096];
    ssize_t n = recv(en->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        buf_add(&en->in, bytes, (size_t)n);
        if (!en->in.overflow && take_messages(w, en))
            return;
        log_warn("shim sends what is no event", "id=%s", en->id);
    }
    w->events.changed(w->events.arg, en->id);
    remove_entry(w, en);
}

static void run(void *arg)
{
    struct watch *w = arg;

    for (;;) {
        struct epoll_event evs[EVENTS];
        int n = epoll_wait(w->epoll, evs, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            if (!evs[i].data.ptr)
                return;
            on_ready(w, evs[i].data.ptr); /* one entry has one event at most: none is stale */
        }
    }
}

int watch_add(struct watch *w, const struct runtime_linux *rl, const char *id, struct err *e)
{
    cleanup_fd int fd = -1;
    struct epoll_event ev = {.events = EPOLLIN};
    struct entry *en;
    bool started;

    mutex_lock(&w->lock);
    started = w->started;
    mutex_unlock(&w->lock);
    if (!started)
        return 0; /* watch_start() adds all there are */
    if (client_connect(rl, id, &fd, e) ||
        client_call(fd, SHIM_WATCH, NULL, CALL_TIMEOUT_MS, NULL, NULL, e))
        return err_wrap(e, "watch container %s", id);
    en = xcalloc(1, sizeof(*en));
    en->id = xstrdup(id);
    en->in = BUF_INIT(ENTRY_MAX);
    en->fd = take_fd(fd);
    ev.data.ptr = en;
    mutex_lock(&w->lock);
    en->next = w->entries;
    w->entries = en;
    mutex_unlock(&w->lock);
    if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, en->fd, &ev)) {
        int code = errno;

        remove_entry(w, en);
        return err_os(e, code, "watch container %s", id);
    }
    return 0;
}

/* Those that are there already: an earlier agent's. */
static void adopt_all(struct watch *w, struct runtime_linux *rl)
{
    cleanup_strv struct strv ids = {0};
    struct err e = ERR_INIT;

    if (adopt_list(&rl->base, &ids, &e)) {
        log_warn("shims cannot be listed", "reason=%s", log_quote(e.msg));
        return;
    }
    for (size_t i = 0; i < ids.n; i++)
        if (watch_add(w, rl, ids.v[i], &e) && e.kind != ERR_NOT_FOUND)
            log_warn("shim is not watched", "id=%s reason=%s", ids.v[i], log_quote(e.msg));
}

int watch_start(struct watch *w, struct runtime_linux *rl, const struct runtime_events *ev,
                struct err *e)
{
    struct epoll_event stop = {.events = EPOLLIN, .data.ptr = NULL};

    if (w->epoll >= 0)
        return err_set(e, ERR_INTERNAL, "the runtime is watched already");
    w->events = *ev;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->epoll < 0 || w->stop < 0 || epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->stop, &stop))
        return err_os(e, errno, "watch the shims");
    if (thread_start(&w->thread, "watch", run, w, e))
        return -1;
    mutex_lock(&w->lock);
    w->started = true;
    mutex_unlock(&w->lock);
    adopt_all(w, rl);
    return 0;
}

void watch_free(struct watch *w)
{
    uint64_t one = 1;

    if (!w)
        return;
    if (w->thread.started) {
        (void)!write(w->stop, &one, sizeof(one)); /* an eventfd at 0 takes it */
        thread_join(&w->thread);
    }
    while (w->entries) {
        struct entry *en = w->entries;

        w->entries = en->next;
        entry_free(en);
    }
    fd_close(w->epoll);
    fd_close(w->stop);
    mutex_destroy(&w->lock);
    free(w);
}
