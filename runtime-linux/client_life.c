/*
 * client_life: the four calls that change a container's phase.
 *
 * Each looks first, and is done when things are so already; each may be repeated after any failure,
 * the agent's own death included.  A shim has at most one life of a container: the next one gets a
 * new shim, once the old one has written its record and let go of the lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/time.h"
#include "runtime-linux/client_internal.h"

#define READY_FD       3
#define READY_MAX      4096
#define START_TRIES    3 /* an idle shim may end between our look and our request */
#define ABSENT_WAIT_MS 15000

/* ------------------------------------------------------------------ a new shim */

static int wait_readable(int fd, int64_t timeout_ms, struct cancel *c, struct err *e)
{
    struct pollfd fds[2] = {
        {.fd = fd,                    .events = POLLIN},
        {.fd = c ? cancel_fd(c) : -1, .events = POLLIN},
    };
    int64_t until = time_mono_ms() + timeout_ms;

    for (;;) {
        int64_t left = timeout_ms < 0 ? -1 : until - time_mono_ms();
        int n = timeout_ms >= 0 && left <= 0 ? 0 : poll(fds, 2, (int)left);

        if (n == 0)
            return err_set(e, ERR_TIMEOUT, "the shim does not answer");
        if (n < 0 && errno != EINTR)
            return err_os(e, errno, "poll");
        if (n > 0 && fds[1].revents)
            return err_set(e, ERR_CANCELLED, "cancelled");
        if (n > 0)
            return 0;
    }
}

/* The shim closes its end when it listens, or writes why it does not. */
static int wait_until_ready(int fd, struct cancel *c, struct err *e)
{
    cleanup_buf struct buf words = BUF_INIT(READY_MAX);
    char bytes[512];
    ssize_t n;

    for (;;) {
        if (wait_readable(fd, CALL_TIMEOUT_MS, c, e))
            return -1;
        n = read(fd, bytes, sizeof(bytes));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_os(e, errno, "read from the shim");
        if (n == 0)
            break;
        buf_add(&words, bytes, (size_t)n);
    }
    return words.len > 0 ? err_set(e, ERR_INTERNAL, "%s", words.data) : 0;
}

static void shim_argv(const struct runtime_linux *rl, const struct container *c, struct strv *argv)
{
    cleanup_free char *exec_dir = client_exec_dir(rl, c->id);
    cleanup_free char *data_dir = client_data_dir(rl, c->id);

    strv_add(argv, rl->shim_path);
    strv_addf(argv, "--id=%s", c->id);
    strv_addf(argv, "--exec-dir=%s", exec_dir);
    strv_addf(argv, "--data-dir=%s", data_dir);
    strv_addf(argv, "--ready-fd=%d", READY_FD);
    if (c->spec->tty)
        strv_add(argv, "--tty");
    if (c->spec->open_stdin)
        strv_add(argv, "--open-stdin");
    if (c->spec->stdin_once)
        strv_add(argv, "--stdin-once");
}

/* The process that we start ends at once; the shim is its child and nobody's of ours. */
static int spawn_shim(const struct runtime_linux *rl, const struct container *c, struct cancel *cn,
                      struct err *e)
{
    /* Without glibc's per-thread cache, what a start has allocated goes back to the kernel whole.
     */
    static const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                      "GLIBC_TUNABLES=glibc.malloc.tcache_count=0", NULL};
    cleanup_free char *exec_dir = client_exec_dir(rl, c->id);
    cleanup_free char *log_path = path_join(exec_dir, "shim.log");
    cleanup_strv struct strv argv = {0};
    cleanup_fd int ready = -1, theirs = -1, log = -1;
    struct process p;
    int fds[2], code;

    if (pipe2(fds, O_CLOEXEC))
        return err_os(e, errno, "pipe for the shim");
    ready = fds[0];
    theirs = fds[1];
    log = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log < 0)
        return err_os(e, errno, "open %s", log_path);
    shim_argv(rl, c, &argv);
    {
        const struct process_fd map[] = {
            {log,    2       },
            {theirs, READY_FD},
        };
        const struct process_opts opts = {.argv = (const char *const *)argv.v,
                                          .program = rl->shim_exec,
                                          .envp = env,
                                          .fds = map,
                                          .n_fds = ARRAY_LEN(map),
                                          .new_session = true};

        if (process_spawn(&opts, &p, e))
            return err_wrap(e, "start %s", rl->shim_path);
    }
    fd_close(take_fd(theirs));
    if (process_wait(&p, NULL, &code, e))
        return err_wrap(e, "start %s", rl->shim_path);
    if (wait_until_ready(ready, cn, e))
        return err_wrap(e, "shim of container %s", c->id);
    return code == 0
               ? 0
               : err_set(e, ERR_INTERNAL, "shim of container %s ended with code %d", c->id, code);
}

/* Waits until a shim either answers or is gone, and tells which. */
static int settle(const struct runtime_linux *rl, const char *id, int64_t max_ms, struct cancel *c,
                  enum shim_presence *presence, struct container_observed *now, struct err *e)
{
    int64_t until = time_mono_ms() + max_ms;

    for (;;) {
        if (adopt_look(rl, id, presence, now, e))
            return -1;
        if (*presence == SHIM_NONE || (*presence == SHIM_ALIVE && now->phase != CONTAINER_EXITED))
            return 0;
        if (time_mono_ms() > until)
            return err_set(e, ERR_UNAVAILABLE, "the shim of container %s does not end", id);
        if (c && poll(&(struct pollfd){.fd = cancel_fd(c), .events = POLLIN}, 1, 2) > 0)
            return err_set(e, ERR_CANCELLED, "cancelled");
        if (!c)
            time_sleep_ms(2);
    }
}

int client_ensure_created(struct runtime *rt, const struct container *c, struct cancel *cn,
                          struct err *e)
{
    struct runtime_linux *rl = runtime_linux_of(rt);
    struct container_observed now;
    enum shim_presence presence;

    if (settle(rl, c->id, CALL_TIMEOUT_MS, cn, &presence, &now, e))
        return -1;
    if (presence == SHIM_ALIVE)
        return 0;
    if (adopt_clean_lost(rl, c->id, e) || run_bundle_make_dirs(rl, c->id, e) ||
        run_bundle_reset(rl, c->id, e))
        return -1;
    if (spawn_shim(rl, c, cn, e)) {
        struct err why = ERR_INIT;

        /* An agent that was killed may have started one just before. */
        if (adopt_look(rl, c->id, &presence, &now, &why) || presence != SHIM_ALIVE)
            return -1;
    }
    return watch_add(rl->watch, rl, c->id, e);
}

/* ------------------------------------------------------------------ start */

/* *gone: the shim has ended before it could be asked. */
static int start(const struct runtime_linux *rl, const struct container *c,
                 const struct run_spec *s, struct cancel *cn, bool *gone, struct err *e)
{
    cleanup_buf struct buf args = BUF_INIT(SHIM_PAYLOAD_MAX);
    cleanup_fd int fd = -1;

    if (run_bundle_write(rl, c, s, e) || run_bundle_start_args(rl, c, s, &args, e))
        return -1;
    if (client_connect(rl, c->id, &fd, e)) {
        *gone = e->kind == ERR_NOT_FOUND;
        return -1;
    }
    if (client_call(fd, SHIM_START, &args, CALL_FOR_EVER, cn, NULL, e) == 0)
        return 0;
    *gone = e->kind == ERR_UNAVAILABLE;
    return -1;
}

int client_ensure_running(struct runtime *rt, const struct container *c, const struct run_spec *s,
                          struct cancel *cn, struct err *e)
{
    struct runtime_linux *rl = runtime_linux_of(rt);
    struct container_observed now;

    if (s->apparmor && str_eq(s->apparmor, APPARMOR_DEFAULT) && apparmor_ensure_default(rl, cn, e))
        return -1;
    for (int tries = START_TRIES; tries > 0; tries--) {
        if (client_ensure_created(rt, c, cn, e) || adopt_observe(rt, c->id, &now, e))
            return -1;
        if (now.phase == CONTAINER_RUNNING || now.phase == CONTAINER_PAUSED)
            return 0;
        /* EXITED: it was running when we looked first, which is a start that has been. */
        if (now.phase == CONTAINER_CREATED) {
            bool gone = false;

            if (start(rl, c, s, cn, &gone, e) == 0)
                return 0;
            if (!gone)
                return -1;
        }
    }
    return err_set(e, ERR_UNAVAILABLE, "the shim of container %s does not stay", c->id);
}

int client_ensure_paused(struct runtime *rt, const char *id, bool paused, struct err *e)
{
    cleanup_buf struct buf args = BUF_INIT(64);

    buf_addf(&args, "{\"paused\":%s}", paused ? "true" : "false");
    return client_ask_running(runtime_linux_of(rt), id, SHIM_PAUSE, &args, NULL, e);
}

/* ------------------------------------------------------------------ stop */

/* A connection that ends, or sends something, when there may be something new. */
static int open_watch(const struct runtime_linux *rl, const char *id, int *fd, struct err *e)
{
    return client_connect(rl, id, fd, e) ||
                   client_call(*fd, SHIM_WATCH, NULL, CALL_TIMEOUT_MS, NULL, NULL, e)
               ? -1
               : 0;
}

/* Nobody needs what it says: the phase is asked for afterwards. */
static void swallow(int fd, bool *over)
{
    char bytes[4096];
    ssize_t n;

    while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        ;
    *over = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* Until the container has ended (*ended) or grace_ms is over. */
static int wait_for_exit(struct runtime *rt, const char *id, int fd, int64_t grace_ms,
                         struct cancel *c, bool *ended, struct err *e)
{
    int64_t until = time_mono_ms() + grace_ms;
    bool over = false;

    for (;;) {
        struct container_observed now;
        struct err why = ERR_INIT;

        if (adopt_observe(rt, id, &now, e))
            return -1;
        *ended = now.phase == CONTAINER_EXITED || now.phase == CONTAINER_ABSENT;
        if (*ended || (grace_ms >= 0 && time_mono_ms() >= until))
            return 0;
        if (over) { /* the watch was dropped: look now and then */
            time_sleep_ms(5);
            continue;
        }
        if (wait_readable(fd, grace_ms < 0 ? -1 : until - time_mono_ms(), c, &why)) {
            if (why.kind == ERR_TIMEOUT)
                continue;
            *e = why;
            return -1;
        }
        swallow(fd, &over);
    }
}

static int send_signal(const struct runtime_linux *rl, const char *id, int signal, struct err *e)
{
    cleanup_buf struct buf args = BUF_INIT(64);
    struct err why = ERR_INIT;

    buf_addf(&args, "{\"signal\":%d}", signal);
    if (client_ask(rl, id, SHIM_SIGNAL, &args, NULL, &why) == 0)
        return 0;
    if (why.kind == ERR_CONFLICT || why.kind == ERR_NOT_FOUND || why.kind == ERR_UNAVAILABLE)
        return 0; /* it has ended by itself */
    *e = why;
    return -1;
}

int client_ensure_stopped(struct runtime *rt, const char *id, int signal, int64_t grace_ms,
                          struct cancel *cn, struct err *e)
{
    const struct runtime_linux *rl = runtime_linux_of(rt);
    struct container_observed now;
    struct err why = ERR_INIT;
    cleanup_fd int fd = -1;
    bool ended = false;

    if (adopt_observe(rt, id, &now, e))
        return -1;
    if (now.phase != CONTAINER_RUNNING && now.phase != CONTAINER_PAUSED)
        return 0;
    if (open_watch(rl, id, &fd, &why) && why.kind != ERR_NOT_FOUND && why.kind != ERR_UNAVAILABLE) {
        *e = why;
        return -1;
    }
    if (send_signal(rl, id, signal, e))
        return -1;
    /* A frozen process takes no signal; dockerd thaws it here, too. */
    if (now.phase == CONTAINER_PAUSED)
        (void)client_ensure_paused(rt, id, false, ERR_IGNORE);
    if (wait_for_exit(rt, id, fd, grace_ms, cn, &ended, e))
        return -1;
    if (ended)
        return 0;
    if (send_signal(rl, id, SIGKILL, e))
        return -1;
    return wait_for_exit(rt, id, fd, -1, cn, &ended, e);
}

/* ------------------------------------------------------------------ remove */

int client_ensure_absent(struct runtime *rt, const char *id, struct err *e)
{
    const struct runtime_linux *rl = runtime_linux_of(rt);
    cleanup_free char *exec_dir = client_exec_dir(rl, id);
    struct container_observed now;
    enum shim_presence presence;
    int64_t until = time_mono_ms() + ABSENT_WAIT_MS;

    for (;;) {
        if (settle(rl, id, ABSENT_WAIT_MS, NULL, &presence, &now, e))
            return -1;
        if (presence == SHIM_NONE)
            break;
        if (time_mono_ms() > until)
            return err_set(e, ERR_UNAVAILABLE, "the shim of container %s does not end", id);
        if (now.phase == CONTAINER_CREATED) {
            (void)!client_ask(rl, id, SHIM_QUIT, NULL, NULL, ERR_IGNORE); /* looked at again */
            time_sleep_ms(1);
        } else if (client_ensure_stopped(rt, id, SIGKILL, 0, NULL, e)) {
            return -1;
        }
    }
    /* started.json goes last: without it a left-over cgroup could not be found. */
    return adopt_clean_lost(rl, id, e) || run_bundle_reset(rl, id, e) || fs_remove_all(exec_dir, e)
               ? -1
               : 0;
}
