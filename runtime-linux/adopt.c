/*
 * adopt: what is there, whoever has started it.
 *
 * An agent that has just started knows no more than one that has run for a year: both look.  In
 * this order, which leaves no gap:
 *
 *   1. a shim answers                 what it says
 *   2. the lock is held               a shim begins or ends: look again
 *   3. exit.json                      EXITED; the shim released the lock after writing it
 *   4. started.json                   EXITED and lost: the shim was killed, its container with it
 *   5. nothing                        ABSENT
 *
 * Who comes to step 4 ends the container in the shim's place, under its lock, and writes exit.json:
 * to all that look later it ended then, and once.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "runtime-linux/cgroup.h"
#include "runtime-linux/client_internal.h"
#include "runtime-linux/exit_record.h"
#include "runtime-linux/oci.h"
#include "runtime-linux/oci_write_internal.h"
#include "runtime-linux/shim_internal.h"
#include "runtime-linux/shim_lock.h"
#include "runtime-linux/stats_internal.h"

#define BUSY_MAX_MS  20000
#define BUSY_STEP_MS 2
#define LOST_CODE    137

static const struct {
    const char *name;
    enum container_phase phase;
} phases[] = {
    {"created", CONTAINER_CREATED},
    {"running", CONTAINER_RUNNING},
    {"paused",  CONTAINER_PAUSED },
    {"ending",  CONTAINER_RUNNING}, /* until the exit is durable */
    {"exited",  CONTAINER_EXITED },
};

static int decode_state(const struct json_doc *doc, struct container_observed *out, struct err *e)
{
    struct json root = json_root(doc);
    const char *phase = json_get_str(&root, "phase");
    size_t i = 0;

    while (i < ARRAY_LEN(phases) && !str_eq(phases[i].name, phase))
        i++;
    if (i == ARRAY_LEN(phases))
        return err_set(e, ERR_INTERNAL, "the shim is in an unknown phase %s", phase);
    out->phase = phases[i].phase;
    out->started_ns = json_get_i64(&root, "started_ns");
    out->finished_ns = TIME_ZERO;
    out->oom_killed = json_get_bool(&root, "oom_killed");
    out->ooms = json_get_i64(&root, "ooms");
    if (out->phase == CONTAINER_EXITED) {
        out->finished_ns = json_get_i64(&root, "finished_ns");
        out->exit_code = (int)json_get_i64(&root, "exit_code");
    } else if (out->phase != CONTAINER_CREATED) {
        out->pid = json_get_i64(&root, "pid");
    }
    return 0;
}

static bool lock_held(const char *exec_dir)
{
    cleanup_fd int fd = open(exec_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 && shim_lock_held(fd);
}

/* ERR_NOT_FOUND when there was no start. */
static int read_started(const char *exec_dir, struct json_doc *out, struct err *e)
{
    cleanup_free char *path = path_join(exec_dir, STARTED_FILE);
    cleanup_buf struct buf text = BUF_INIT(64 * 1024);

    if (fs_read(path, &text, e))
        return -1;
    return json_parse(text.data, text.len, out, e) ? err_wrap(e, "%s", path) : 0;
}

static void tell_exit(const struct exit_record *r, struct container_observed *out)
{
    out->phase = CONTAINER_EXITED;
    out->lost = r->lost;
    out->exit_code = r->exit_code;
    out->oom_killed = r->oom_killed;
    out->ooms = r->ooms;
    out->started_ns = r->started_ns;
    out->finished_ns = r->finished_ns;
}

/* Step 3.  ERR_NOT_FOUND: there is no record. */
static int look_at_exit(const char *data_dir, struct container_observed *out, struct err *e)
{
    struct exit_record r = {0};

    if (exit_record_read(data_dir, &r, e) == 0) {
        tell_exit(&r, out);
        return 0;
    }
    if (e->kind != ERR_INVALID)
        return -1;
    /* The power went before the disk had it: as good as lost. */
    log_warn("exit record is damaged", "reason=%s", log_quote(e->msg));
    r = (struct exit_record){
        .exit_code = LOST_CODE, .lost = true, .finished_ns = exit_record_time(data_dir)};
    r.started_ns = out->started_ns;
    tell_exit(&r, out);
    return 0;
}

/* Under the shim's lock: see the top.  ERR_NOT_FOUND: there was no start. */
static int end_lost(const struct runtime_linux *rl, const char *id, const char *data_dir,
                    struct container_observed *out, struct err *e)
{
    cleanup_free char *exec_dir = client_exec_dir(rl, id);
    struct exit_record r = {.exit_code = LOST_CODE, .lost = true};
    cleanup_json struct json_doc doc = {0};
    struct err why = ERR_INIT;
    struct json root;

    if (look_at_exit(data_dir, out, &why) == 0)
        return 0; /* somebody else was at it */
    if (why.kind != ERR_NOT_FOUND) {
        *e = why;
        return -1;
    }
    if (read_started(exec_dir, &doc, e) || adopt_clean_lost(rl, id, e))
        return -1;
    root = json_root(&doc);
    r.started_ns = json_get_i64(&root, "started_ns");
    r.finished_ns = time_wall_ns(); /* nobody knows; it is over now at the latest */
    if (exit_record_write(data_dir, &r, true, &why))
        log_warn("the end of a lost container is not recorded", "reason=%s", log_quote(why.msg));
    tell_exit(&r, out);
    return 0;
}

/* Steps 3 to 5.  *presence becomes SHIM_BUSY when another looks at the same. */
static int look_at_files(const struct runtime_linux *rl, const char *id,
                         enum shim_presence *presence, struct container_observed *out,
                         struct err *e)
{
    cleanup_free char *exec_dir = client_exec_dir(rl, id);
    cleanup_free char *data_dir = client_data_dir(rl, id);
    cleanup_free char *started = path_join(exec_dir, STARTED_FILE);
    cleanup_fd int dir = -1, lock = -1;
    int code;

    if (look_at_exit(data_dir, out, e) == 0)
        return 0;
    if (e->kind != ERR_NOT_FOUND)
        return -1;
    *e = ERR_INIT;
    if (!fs_exists(started))
        return 0; /* ABSENT */
    dir = open(exec_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return errno == ENOENT ? 0 : err_os(e, errno, "open %s", exec_dir);
    code = shim_lock_take(dir, &lock);
    if (code == EAGAIN) {
        *presence = SHIM_BUSY;
        return 0;
    }
    if (code)
        return err_os(e, code, "lock %s", exec_dir);
    if (end_lost(rl, id, data_dir, out, e) && e->kind != ERR_NOT_FOUND)
        return -1;
    return 0;
}

int adopt_look(const struct runtime_linux *rl, const char *id, enum shim_presence *presence,
               struct container_observed *out, struct err *e)
{
    cleanup_free char *exec_dir = client_exec_dir(rl, id);
    cleanup_json struct json_doc doc = {0};
    struct err why = ERR_INIT;

    *out = (struct container_observed){
        .phase = CONTAINER_ABSENT, .started_ns = TIME_ZERO, .finished_ns = TIME_ZERO};
    if (client_ask(rl, id, SHIM_STATE, NULL, &doc, &why) == 0) {
        *presence = SHIM_ALIVE;
        return decode_state(&doc, out, e);
    }
    if (why.kind != ERR_NOT_FOUND && why.kind != ERR_UNAVAILABLE) {
        *e = why;
        return err_wrap(e, "container %s", id);
    }
    *presence = lock_held(exec_dir) ? SHIM_BUSY : SHIM_NONE;
    return *presence == SHIM_BUSY ? 0 : look_at_files(rl, id, presence, out, e);
}

int adopt_observe(struct runtime *rt, const char *id, struct container_observed *out, struct err *e)
{
    const struct runtime_linux *rl = runtime_linux_of(rt);
    int64_t until = time_mono_ms() + BUSY_MAX_MS;
    enum shim_presence presence;

    for (;;) {
        if (adopt_look(rl, id, &presence, out, e))
            return -1;
        if (presence != SHIM_BUSY)
            return 0;
        if (time_mono_ms() > until)
            return err_set(e, ERR_UNAVAILABLE, "the shim of container %s does not listen", id);
        time_sleep_ms(BUSY_STEP_MS);
    }
}

int adopt_list(struct runtime *rt, struct strv *ids, struct err *e)
{
    cleanup_free char *dir = path_join(runtime_linux_of(rt)->exec_root, "containers");

    if (!fs_exists(dir))
        return 0;
    return fs_list(dir, ids, e);
}

/* Where a container that runs has its limits and counters.  *command: its runtime is one. */
static int find_cgroup(struct runtime *rt, const char *id, char **cgroup, int64_t *pid,
                       bool *command, struct err *e)
{
    cleanup_free char *exec_dir = client_exec_dir(runtime_linux_of(rt), id);
    cleanup_json struct json_doc doc = {0};
    struct json root;
    const char *path;

    if (read_started(exec_dir, &doc, e))
        return e->kind == ERR_NOT_FOUND ? client_not_running(id, e) : -1;
    root = json_root(&doc);
    path = json_get_str(&root, "cgroup");
    if (str_empty(path))
        return err_set(e, ERR_UNSUPPORTED, "container %s has no cgroup", id);
    *cgroup = xstrdup(json_get_str(&root, "cgroup"));
    *pid = json_get_i64(&root, "pid");
    *command = json_get_bool(&root, "command");
    return 0;
}

int adopt_stats(struct runtime *rt, const char *id, bool own_network, struct container_stats *out,
                struct err *e)
{
    cleanup_free char *cgroup = NULL;
    bool command = false;
    int64_t pid = 0;

    return find_cgroup(rt, id, &cgroup, &pid, &command, e) ||
                   stats_read(cgroup, pid, own_network, out, e)
               ? -1
               : 0;
}

/* runc takes 0 for no change and crun takes no -1, so commands get the kernel's own limit. */
static int write_limits(const struct container_spec *s, const char *unlimited_pids, struct jsonw *w,
                        struct err *e)
{
    jsonw_obj(w);
    if (oci_write_limits(s, w, e))
        return -1;
    if (s->pids_limit == 0) { /* no limit, which may be news */
        jsonw_key(w, "pids");
        jsonw_raw(w, unlimited_pids);
    }
    jsonw_end_obj(w);
    return buf_check(w->b, "limits", e);
}

static int apply_limits(const char *path, const struct buf *text, struct err *e)
{
    struct oci_resources limits;
    struct cgroup *cg = NULL;
    int r;

    oci_resources_init(&limits);
    r = oci_resources_parse(text->data, text->len, &limits, e) || cgroup_open(path, &cg, e) ||
                cgroup_apply(cg, &limits, e)
            ? -1
            : 0;
    cgroup_free(cg);
    oci_resources_release(&limits);
    return r;
}

int adopt_update(struct runtime *rt, const char *id, const struct container_spec *s, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(64 * 1024), args = BUF_INIT(64 * 1024 + 100);
    struct jsonw w = JSONW_INIT(&text);
    cleanup_free char *path = NULL;
    bool command = false;
    int64_t pid = 0;

    if (find_cgroup(rt, id, &path, &pid, &command, e) ||
        write_limits(s, command ? "{\"limit\":4194304}" : "{\"limit\":-1}", &w, e))
        return -1;
    if (!command)
        return apply_limits(path, &text, e);
    buf_addf(&args, "{\"resources\":%s}", text.data);
    return client_ask_running(runtime_linux_of(rt), id, SHIM_UPDATE, &args, NULL, e);
}

int adopt_clean_lost(const struct runtime_linux *rl, const char *id, struct err *e)
{
    cleanup_free char *exec_dir = client_exec_dir(rl, id);
    cleanup_json struct json_doc doc = {0};
    struct cgroup *cg = NULL;
    struct err why = ERR_INIT;
    struct json root;
    const char *path;
    int r;

    if (read_started(exec_dir, &doc, &why)) {
        if (why.kind == ERR_NOT_FOUND)
            return 0;
        *e = why;
        return -1;
    }
    root = json_root(&doc);
    path = json_get_str(&root, "cgroup");
    if (str_empty(path))
        return 0;
    if (cgroup_open(path, &cg, e))
        return -1;
    r = cgroup_remove(cg, e); /* kills what is left first */
    cgroup_free(cg);
    return r ? err_wrap(e, "clean up container %s", id) : 0;
}
