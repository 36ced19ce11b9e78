/*
 * runtime_fixture: a runtime of its own below a temporary directory, with a root file system made
 * of busybox, for the tests that start real containers.  Mounts and the network are the test's own.
 */
#pragma once

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/be.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/stream.h"
#include "base/sync.h"
#include "base/time.h"
#include "core/log_driver.h"
#include "core/runtime.h"
#include "runtime-linux/cgroup.h"

#define BUSYBOX "/bin/busybox"

struct events {
    struct mutex lock;
    struct strv changed;
    struct strv exec_exits; /* "<exec id>=<code>" */
};

struct fixture {
    char dir[64];
    char *data_root, *exec_root, *rootfs;
    struct runtime *rt;
    struct events events;
};

static inline void on_changed(void *arg, const char *id)
{
    struct events *ev = arg;

    mutex_lock(&ev->lock);
    strv_add(&ev->changed, id);
    mutex_unlock(&ev->lock);
}

static inline void on_exec_exited(void *arg, const char *id, const char *exec_id, int code)
{
    struct events *ev = arg;

    (void)id;
    mutex_lock(&ev->lock);
    strv_addf(&ev->exec_exits, "%s=%d", exec_id, code);
    mutex_unlock(&ev->lock);
}

static inline size_t changes(struct events *ev, const char *id)
{
    size_t n = 0;

    mutex_lock(&ev->lock);
    for (size_t i = 0; i < ev->changed.n; i++)
        n += str_eq(ev->changed.v[i], id);
    mutex_unlock(&ev->lock);
    return n;
}

static inline bool has_exec_exit(struct events *ev, const char *what)
{
    bool has;

    mutex_lock(&ev->lock);
    has = strv_has(&ev->exec_exits, what);
    mutex_unlock(&ev->lock);
    return has;
}

/* Why real containers cannot be started here, or NULL. */
static inline const char *runtime_cannot(void)
{
    if (geteuid() != 0)
        return "not root";
    if (access(BUSYBOX, X_OK))
        return "no " BUSYBOX;
    return NULL;
}

/* Mounts and the network are private from here on; a skip where a run is demanded is a failure. */
static inline bool runtime_tests_can_run(int *exit_code)
{
    const char *why = runtime_cannot(), *must = getenv("BALLAST_TESTS_MUST_RUN");

    if (!why && unshare(CLONE_NEWNS | CLONE_NEWNET))
        why = "no namespaces";
    if (!why && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        why = "no private mounts";
    if (!why)
        return true;
    fprintf(stderr, "skipped: %s\n", why);
    *exit_code = must && strstr(must, "root") ? 1 : 0;
    return false;
}

static inline void make_rootfs(const char *root)
{
    static const char *const dirs[] = {"bin", "etc", "proc", "sys", "dev", "tmp", "root", "run"};
    static const char *const tools[] = {"sh", "cat",  "echo", "sleep", "true", "stty",  "tty",
                                        "dd", "head", "yes",  "seq",   "id",   "env",   "kill",
                                        "ls", "wc",   "date", "tail",  "ps",   "printf"};

    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        cleanup_free char *path = path_join(root, dirs[i]);

        assert_ok(fs_mkdir_p(path, 0755, &e));
    }
    {
        cleanup_free char *to = path_join(root, "bin/busybox");
        cleanup_free char *passwd = path_join(root, "etc/passwd");
        cleanup_free char *group = path_join(root, "etc/group");
        cleanup_buf struct buf bytes = BUF_INIT(64 * 1024 * 1024);
        static const char users[] = "root:x:0:0::/root:/bin/sh\nbob:x:1000:1000::/tmp:/bin/sh\n";

        assert_ok(fs_read(BUSYBOX, &bytes, &e));
        assert_ok(fs_write_atomic(to, bytes.data, bytes.len, 0755, false, &e));
        assert_ok(fs_write_atomic(passwd, users, strlen(users), 0644, false, &e));
        assert_ok(fs_write_atomic(group, "root:x:0:\n", 10, 0644, false, &e));
    }
    for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
        cleanup_free char *path = str_printf("%s/bin/%s", root, tools[i]);

        assert_int_equal(symlink("busybox", path), 0);
    }
}

/* Another build's when the environment names one: a child that a thread sanitizer's shim clones may
 * hang. */
static inline const char *shim_under_test(void)
{
    const char *other = getenv("BALLAST_SHIM");

    return other ? other : BALLAST_SHIM;
}

static inline struct runtime *open_runtime(struct fixture *f)
{
    const struct runtime_config cfg = {
        .data_root = f->data_root, .exec_root = f->exec_root, .shim_path = shim_under_test()};
    const struct runtime_events ev = {
        .changed = on_changed, .exec_exited = on_exec_exited, .arg = &f->events};
    struct runtime *rt = NULL;

    assert_ok(runtime_open(&cfg, &rt, &e));
    assert_ok(rt->ops->watch(rt, &ev, &e));
    return rt;
}

static inline int fixture_set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    *state = f;
    snprintf(f->dir, sizeof(f->dir), "/var/tmp/ballast-rt-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(chmod(f->dir, 0755), 0);
    f->data_root = path_join(f->dir, "data");
    f->exec_root = path_join(f->dir, "exec");
    f->rootfs = path_join(f->dir, "rootfs");
    mutex_init(&f->events.lock);
    make_rootfs(f->rootfs);
    f->rt = open_runtime(f);
    return 0;
}

static inline int fixture_tear_down(void **state)
{
    struct fixture *f = *state;
    cleanup_strv struct strv ids = {0};
    cleanup_free char *parent = str_printf("/ballast-test-%d", (int)getpid());
    struct cgroup *cg = NULL;

    assert_ok(f->rt->ops->list(f->rt, &ids, &e));
    for (size_t i = 0; i < ids.n; i++)
        assert_ok(f->rt->ops->ensure_absent(f->rt, ids.v[i], &e));
    f->rt->ops->free(f->rt);
    assert_ok(cgroup_open(parent, &cg, &e));
    assert_ok(cgroup_remove(cg, &e));
    cgroup_free(cg);
    assert_ok(fs_remove_all(f->dir, &e));
    strv_release(&f->events.changed);
    strv_release(&f->events.exec_exits);
    free(f->data_root);
    free(f->exec_root);
    free(f->rootfs);
    free(f);
    return 0;
}

/* ------------------------------------------------------------------ containers */

struct box {
    struct fixture *f;
    struct container *c;
    struct run_spec *run;
};

static inline struct box box_new(struct fixture *f, const char *script)
{
    struct box b = {.f = f, .c = container_new(), .run = run_spec_new()};
    char id[ID_LEN + 1];

    id_new(id);
    str_set(&b.c->id, id);
    str_set(&b.c->name, "box");
    if (!b.c->spec)
        b.c->spec = container_spec_new();
    str_set(&b.run->id, id);
    str_set(&b.run->name, "box");
    b.run->spec = container_spec_copy(b.c->spec);
    if (script) {
        strv_add(&b.run->argv, "/bin/sh");
        strv_add(&b.run->argv, "-c");
        strv_add(&b.run->argv, script);
    }
    strv_add(&b.run->env, "PATH=/bin");
    str_set(&b.run->cwd, "/");
    str_set(&b.run->rootfs.upper, f->rootfs);
    str_set(&b.run->hostname, "box");
    b.run->cgroup = str_printf("/ballast-test-%d/%.12s", (int)getpid(), id);
    str_set(&b.run->log_driver, "json-file");
    b.run->log_path = str_printf("%s/containers/%s/%s-json.log", f->data_root, id, id);
    return b;
}

/* Both specs, as the reconciler would. */
static inline struct container_spec *box_spec(struct box *b)
{
    return b->c->spec;
}

static inline int box_start(struct box *b, struct err *e)
{
    container_spec_free(b->run->spec);
    b->run->spec = container_spec_copy(b->c->spec);
    return b->f->rt->ops->ensure_running(b->f->rt, b->c, b->run, NULL, e);
}

static inline struct container_observed box_look(struct box *b)
{
    struct container_observed o = {0};

    assert_ok(b->f->rt->ops->observe(b->f->rt, b->c->id, &o, &e));
    return o;
}

static inline struct container_observed box_wait(struct box *b)
{
    struct container_observed o = {0};

    for (int i = 0; i < 4000; i++) {
        o = box_look(b);
        if (o.phase == CONTAINER_EXITED)
            return o;
        time_sleep_ms(5);
    }
    fail_msg("container %s does not end", b->c->id);
    return o;
}

static inline void box_free(struct box *b)
{
    assert_ok(b->f->rt->ops->ensure_absent(b->f->rt, b->c->id, &e));
    container_unref(b->c);
    run_spec_free(b->run);
}

/* Frames of one kind as text, up to the end of the stream; the exit frame's code besides. */
static inline void read_frames(struct stream *s, struct buf *out, struct buf *err, int *code)
{
    for (;;) {
        uint8_t head[FRAME_HEADER];
        size_t have = 0, got, len;
        cleanup_free char *payload = NULL;

        while (have < sizeof(head)) {
            assert_ok(stream_read(s, head + have, sizeof(head) - have, &got, NULL, &e));
            if (got == 0) {
                assert_int_equal(have, 0);
                return;
            }
            have += got;
        }
        len = get_be32(head + 4);
        assert_true(len <= FRAME_MAX);
        payload = xmalloc(len + 1);
        for (have = 0; have < len; have += got) {
            assert_ok(stream_read(s, payload + have, len - have, &got, NULL, &e));
            assert_true(got > 0);
        }
        if (head[0] == FRAME_EXIT && code)
            *code = (uint8_t)payload[2] << 8 | (uint8_t)payload[3];
        else if (head[0] == FRAME_STDOUT && out)
            buf_add(out, payload, len);
        else if (head[0] == FRAME_STDERR && err)
            buf_add(err, payload, len);
    }
}

static inline int log_text(void *arg, const struct log_line *line, struct err *e)
{
    (void)e;
    buf_add(arg, line->bytes, line->len);
    if (!line->partial)
        buf_add(arg, "\n", 1);
    return 0;
}

static inline void box_log(struct box *b, struct buf *out)
{
    const struct log_read_opts o = {
        .since_ns = TIME_ZERO, .until_ns = TIME_ZERO, .tail = -1, .out = true, .err = true};

    assert_ok(log_driver_find("json-file")->read(b->run->log_path, &o, NULL, log_text, out, &e));
}
