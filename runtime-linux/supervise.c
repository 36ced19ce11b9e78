/*
 * supervise: the life of the container as its parent sees it; see shim_internal.h for the phases.
 *
 * The order at the end is what makes exit codes safe.  Processes first, then their output, then the
 * cgroup, then the durable record; only after that anybody is told.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "runtime-linux/oci_command.h"
#include "runtime-linux/shim_internal.h"
#include "runtime-linux/shim_memory.h"

#define CONFIG_FILE     "config.json"
#define RECORD_RETRY_MS 1000 /* a full disk: until exit.json can be written */

const char *shim_phase_name(enum shim_phase p)
{
    static const char *const names[] = {
        [SHIM_CREATED] = "created", [SHIM_RUNNING] = "running", [SHIM_PAUSED] = "paused",
        [SHIM_ENDING] = "ending",   [SHIM_ENDED] = "exited",
    };

    return names[p];
}

int shim_require_running(const struct shim *s, struct err *e)
{
    if (s->phase == SHIM_RUNNING || s->phase == SHIM_PAUSED)
        return 0;
    return err_set(e, ERR_CONFLICT, "container %s is not running", s->id);
}

/* ------------------------------------------------------------------ output and quiet */

static void on_output(void *arg, bool from_stderr, const char *bytes, size_t n)
{
    struct shim *s = arg;

    if (s->log)
        shim_log_feed(s->log, from_stderr, bytes, n);
    if (!s->quiet.linked)
        loop_timer_set(&s->loop, &s->quiet, SHIM_QUIET_MS);
}

static void on_pause(void *arg)
{
    struct shim *s = arg;

    if (s->log)
        shim_log_flush(s->log);
}

static bool on_full(void *arg)
{
    const struct shim *s = arg;

    return shim_log_blocks(s->log);
}

static void on_room(void *arg)
{
    struct shim *s = arg;

    stdio_resume(&s->io);
}

static void on_log_lost(void *arg, uint64_t lines, const char *why)
{
    control_log_lost(arg, lines, why);
}

/* At most once a second while there is output: what it costs to map the buffers again is nothing
 * then. */
static void on_quiet(void *arg)
{
    struct shim *s = arg;

    if (s->log)
        shim_log_trim(s->log);
    stdio_trim();
    shim_memory_trim();
}

void shim_idle_restart(struct shim *s)
{
    if (s->phase == SHIM_CREATED)
        loop_timer_set(&s->loop, &s->idle, SHIM_IDLE_MS);
}

static void on_left(void *arg)
{
    struct shim *s = arg;

    shim_idle_restart(s);
    shim_check_over(s);
}

static void on_idle(void *arg)
{
    struct shim *s = arg;

    if (s->phase != SHIM_CREATED || stdio_has_clients(&s->io))
        return;
    control_close(s);
    s->loop.quit = true;
}

void shim_check_over(struct shim *s)
{
    if (s->phase == SHIM_ENDED && !stdio_has_clients(&s->io) && !shim_exec_has_clients(s))
        s->loop.quit = true;
}

/* ------------------------------------------------------------------ start */

static int open_log(struct shim *s, const struct json *args, struct err *e)
{
    cleanup_kvs struct kvs opts = {0};
    const struct shim_log_events events = {.room = on_room, .lost = on_log_lost, .arg = s};
    struct json j = json_get(args, "log_opts"), remote = json_get(args, "log_remote");

    if (json_kvs(&j, &opts, e) || shim_log_open(json_get_str(args, "log_driver"),
                                                json_get_str(args, "log_path"), &opts, &s->log, e))
        return -1;
    shim_log_watch(s->log, &events);
    if (!json_exists(&remote) || shim_log_deliver(s->log, &s->loop, &remote, e) == 0)
        return 0;
    return err_wrap(e, "failed to create task for container: failed to initialize logging driver");
}

/* It is counted, and who looks is told to look: a process was killed, or soon will be. */
static void on_oom(void *owner, uint32_t events)
{
    struct shim *s = owner;

    (void)events;
    if (!cgroup_oom_take(s->first.cgroup, s->oom.fd, &s->oom_kills))
        return;
    s->record.oom_killed = true;
    s->record.ooms++;
    control_event(s, "changed", NULL, 0);
}

static void watch_oom(struct shim *s)
{
    uint32_t events = 0;

    s->oom.fd = s->first.cgroup ? cgroup_oom_fd(s->first.cgroup, &events) : -1;
    if (s->oom.fd >= 0)
        loop_watch(&s->loop, &s->oom, events);
}

/* What has happened since the loop came by last; and without a descriptor, all of it. */
static void end_oom(struct shim *s)
{
    struct cgroup *cg = s->first.cgroup;

    if (s->oom.fd >= 0) {
        if (cgroup_oom_take(cg, s->oom.fd, &s->oom_kills))
            s->record.ooms++;
        loop_drop(&s->loop, &s->oom); /* removing the group would count, too */
    }
    s->record.oom_killed = s->record.ooms > 0 || (cg && cgroup_oom_kills(cg) > 0);
}

/* What somebody needs to clean up after a shim that was killed. */
int supervise_record(struct shim *s, const char *cgroup, struct err *e)
{
    cleanup_free char *path = path_join(s->exec_dir, STARTED_FILE);
    cleanup_buf struct buf json = BUF_INIT(8192);
    struct jsonw w = JSONW_INIT(&json);

    jsonw_obj(&w);
    jsonw_ki64(&w, "pid", s->first.pid);
    jsonw_ki64(&w, "started_ns", s->record.started_ns);
    jsonw_kstr(&w, "cgroup", cgroup ? cgroup : "");
    jsonw_kbool(&w, "command", s->command != NULL);
    jsonw_end_obj(&w);
    return fs_write_atomic(path, json.data, json.len, 0600, false, e);
}

static int launch(struct shim *s, const struct json *args, struct err *e)
{
    cleanup_free char *path = path_join(s->exec_dir, CONFIG_FILE);
    struct json runtime = json_get(args, "runtime");
    cleanup_oci_config struct oci_config *cfg = NULL;
    struct launch_io child = {-1, -1, -1, true};
    int r;

    /* The log first: what lives long is allocated below what a start needs and frees again. */
    if (open_log(s, args, e) || oci_config_read(path, &cfg, e))
        return -1;
    if (cfg->process.terminal != s->tty)
        return err_set(e, ERR_INTERNAL, "the configuration and the shim disagree on the terminal");
    if (s->rows) {
        cfg->process.console_height = s->rows;
        cfg->process.console_width = s->cols;
    }
    if (json_exists(&runtime) && oci_command_use(s, &runtime, e))
        return -1;
    if (!s->tty && stdio_prepare(&s->io, true, true, &child, e))
        return -1;
    r = s->runtime->start(s, cfg, &child, e);
    stdio_close_child(&child);
    return r;
}

/* As before: the same shim takes another try. */
static void forget_start(struct shim *s)
{
    cleanup_free char *started = path_join(s->exec_dir, STARTED_FILE);

    stdio_abandon(&s->io);
    shim_log_close(s->log);
    s->log = NULL;
    launched_release(&s->first);
    s->first = LAUNCHED_INIT;
    if (s->command)
        (void)!fs_remove(started, ERR_IGNORE); /* what is left would be cleaned up, to no effect */
    oci_command_drop(s);
    shim_memory_trim();
}

int supervise_start(struct shim *s, const struct json *args, struct err *e)
{
    struct err ignored = ERR_INIT;

    if (s->phase != SHIM_CREATED)
        return err_set(e, ERR_CONFLICT, "container %s was started already", s->id);
    s->ephemeral = json_get_bool(args, "ephemeral");
    if (launch(s, args, e)) {
        forget_start(s);
        return -1;
    }
    loop_timer_clear(&s->loop, &s->idle);
    s->phase = SHIM_RUNNING;
    s->record.started_ns = time_wall_ns();
    watch_oom(s);
    /* Without the file a lost shim looks like one that was never started; no reason to fail. */
    if (supervise_record(s, s->first.cgroup ? cgroup_path(s->first.cgroup) : NULL, &ignored))
        log_warn("start is not recorded", "reason=%s", log_quote(ignored.msg));
    stdio_started(&s->io, s->first.pty_master);
    s->first.pty_master = -1;
    control_event(s, "changed", NULL, 0);
    loop_timer_set(&s->loop, &s->quiet, SHIM_QUIET_MS); /* and then the memory goes back */
    return 0;
}

/* ------------------------------------------------------------------ while it runs */

int supervise_signal(struct shim *s, int signal, struct err *e)
{
    if (shim_require_running(s, e))
        return -1;
    return s->runtime->signal(s, signal, e);
}

int supervise_pause(struct shim *s, bool paused, struct err *e)
{
    if (shim_require_running(s, e))
        return -1;
    if (s->runtime->freeze(s, paused, e))
        return -1;
    s->phase = paused ? SHIM_PAUSED : SHIM_RUNNING;
    control_event(s, "changed", NULL, 0);
    return 0;
}

/* ------------------------------------------------------------------ the end */

static void write_record(void *arg)
{
    struct shim *s = arg;
    struct err e = ERR_INIT;

    if (exit_record_write(s->data_dir, &s->record, !s->ephemeral, &e)) {
        log_error("exit is not recorded, trying again", "reason=%s", log_quote(e.msg));
        loop_timer_set(&s->loop, &s->retry, RECORD_RETRY_MS);
        return;
    }
    s->phase = SHIM_ENDED;
    control_close(s); /* before the lock goes, as the next shim will use the same name */
    fd_close(s->lock_fd);
    s->lock_fd = -1;
    control_event(s, "exit", NULL, s->record.exit_code); /* who is told finds the lock free */
    control_drop_all(s);
    stdio_end(&s->io, NULL);
    shim_check_over(s);
}

static void first_process_ended(struct shim *s, int exit_code)
{
    struct cgroup *cg = s->first.cgroup;
    struct err e = ERR_INIT;

    s->phase = SHIM_ENDING;
    s->record.exit_code = exit_code;
    s->record.finished_ns = time_wall_ns();
    end_oom(s);
    if (cg && cgroup_kill(cg, &e))
        log_warn("processes of the container cannot be killed", "reason=%s", log_quote(e.msg));
    shim_exec_end_all(s);
    s->runtime->ended(s);
    stdio_drain(&s->io);
    shim_log_close(s->log);
    s->log = NULL;
    if (cg && cgroup_remove(cg, &e))
        log_warn("cgroup is left over", "reason=%s", log_quote(e.msg));
    launched_release(&s->first);
    s->first = LAUNCHED_INIT;
    write_record(s);
}

static int code_of(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void reap(struct shim *s)
{
    int status, first_status = 0;
    bool first = false;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == s->first.pid) {
            first = true;
            first_status = status;
        } else if (!shim_exec_reaped(s, pid, code_of(status))) {
            oci_command_reaped(s, pid);
        }
    }
    if (first)
        first_process_ended(s, code_of(first_status));
}

static void on_signal(void *owner, uint32_t events)
{
    struct shim *s = owner;
    struct signalfd_siginfo info;

    (void)events;
    while (read(s->signals.fd, &info, sizeof(info)) == sizeof(info))
        ;
    reap(s);
}

void supervise_init(struct shim *s, bool tty, bool open_stdin, bool stdin_once)
{
    s->tty = tty;
    s->runtime = &shim_builtin;
    s->first = LAUNCHED_INIT;
    s->record.started_ns = s->record.finished_ns = TIME_ZERO;
    stdio_init(&s->io, &s->loop, tty, open_stdin, stdin_once);
    s->io.sink = (struct stdio_sink){
        .output = on_output, .pause = on_pause, .left = on_left, .full = on_full, .arg = s};
    s->idle = (struct timer){.fire = on_idle, .owner = s};
    s->quiet = (struct timer){.fire = on_quiet, .owner = s};
    s->retry = (struct timer){.fire = write_record, .owner = s};
    s->signals.ready = on_signal;
    s->signals.owner = s;
    s->oom = (struct source){.fd = -1, .ready = on_oom, .owner = s};
}
