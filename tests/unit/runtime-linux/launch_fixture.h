/*
 * launch_fixture: one container of a static busybox, run to its end, seen from inside.
 *
 * Every fixture has its own image directory, overlay and cgroup name, so tests may run in parallel;
 * fixture_release() fails the test when a cgroup is left.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "core/runtime.h"
#include "runtime-linux/cgroup.h"
#include "runtime-linux/launch.h"
#include "runtime-linux/oci.h"
#include "runtime-linux/oci_write.h"

#define SKIP_UNLESS_ROOT()                                  \
    do {                                                    \
        if (geteuid() != 0) {                               \
            print_message("skipped: needs root\n");         \
            skip();                                         \
        }                                                   \
        if (access("/bin/busybox", X_OK)) {                 \
            print_message("skipped: needs /bin/busybox\n"); \
            skip();                                         \
        }                                                   \
    } while (0)

#define SKIP_UNLESS_CONTROLLER(name)                                          \
    do {                                                                      \
        if (!cgroup_has_controller(name)) {                                   \
            print_message("skipped: needs the cgroup controller " name "\n"); \
            skip();                                                           \
        }                                                                     \
    } while (0)

struct fixture {
    char *dir, *lower;
    struct run_spec *s;
    struct buf out;
    int code;
    struct err err;
};

static inline void image_file(struct fixture *f, const char *path, const char *text)
{
    cleanup_free char *full = path_join(f->lower, path);
    cleanup_free char *dir = path_dir(full);

    assert_ok(fs_mkdir_p(dir, 0755, &e));
    assert_ok(fs_write_atomic(full, text, strlen(text), 0644, false, &e));
}

static inline void image_busybox(struct fixture *f)
{
    static const char *const applets[] = {
        "sh",    "ls",      "cat",      "id",       "mount", "ps",   "true",  "sleep",
        "echo",  "stat",    "grep",     "hostname", "tty",   "stty", "mkdir", "dd",
        "head",  "umount",  "touch",    "mknod",    "kill",  "wc",   "sort",  "tail",
        "chmod", "unshare", "readlink", "ulimit",   "env",   "pwd"};
    cleanup_free char *bin = path_join(f->lower, "bin");
    cleanup_buf struct buf bytes = BUF_INIT(8 << 20);
    cleanup_free char *busybox = path_join(bin, "busybox");

    assert_ok(fs_mkdir_p(bin, 0755, &e));
    assert_ok(fs_read("/bin/busybox", &bytes, &e));
    assert_ok(fs_write_atomic(busybox, bytes.data, bytes.len, 0755, false, &e));
    for (size_t i = 0; i < ARRAY_LEN(applets); i++) {
        cleanup_free char *link = path_join(bin, applets[i]);

        assert_int_equal(symlink("busybox", link), 0);
    }
}

static inline void fixture_init(struct fixture *f)
{
    static unsigned counter;
    char dir[] = "/var/tmp/ballast-launch-XXXXXX";
    cleanup_free char *p = NULL;

    *f = (struct fixture){.out = BUF_INIT(1 << 20)};
    assert_non_null(mkdtemp(dir));
    f->dir = xstrdup(dir);
    f->lower = path_join(dir, "lower");
    f->s = run_spec_new();
    f->s->spec = container_spec_new();
    str_set(&f->s->spec->cgroupns_mode,
            "private"); /* create decides; a host with v1 alone has "host" */
    f->s->id = xstrdup("test");
    f->s->rootfs.overlay = true;
    strv_add(&f->s->rootfs.lower, f->lower);
    f->s->rootfs.upper = path_join(dir, "upper");
    f->s->rootfs.work = path_join(dir, "work");
    assert_ok(fs_mkdir_p(f->lower, 0755, &e));
    assert_ok(fs_mkdir_p(f->s->rootfs.upper, 0755, &e));
    assert_ok(fs_mkdir_p(f->s->rootfs.work, 0755, &e));
    p = path_join(f->lower, "tmp");
    assert_ok(fs_mkdir_p(p, 0777, &e));
    image_busybox(f);
    image_file(f, "etc/passwd",
               "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n");
    image_file(f, "etc/group", "root:x:0:\nstaff:x:50:app\nwheel:x:51:\napp:x:1000:\n");
    strv_add(&f->s->env, "PATH=/usr/local/bin:/bin");
    f->s->cgroup = str_printf("/ballast-test-%d/%u", (int)getpid(), counter++);
    f->s->hostname = xstrdup("inside");
}

static inline void fixture_release(struct fixture *f)
{
    struct cgroup *cg = NULL;
    int64_t *pids = NULL;
    size_t n = 0;
    struct err err = ERR_INIT;

    if (f->s->cgroup) {
        assert_ok(cgroup_open(f->s->cgroup, &cg, &e));
        if (cgroup_pids(cg, &pids, &n, &err) == 0)
            fail_msg("the cgroup %s is left over", f->s->cgroup);
        cgroup_free(cg);
    }
    run_spec_free(f->s);
    assert_ok(fs_remove_all(f->dir, &e));
    free(f->dir);
    free(f->lower);
    buf_release(&f->out);
}

static inline void set_argv(struct fixture *f, const char *const *argv)
{
    strv_release(&f->s->argv);
    for (size_t i = 0; argv[i]; i++)
        strv_add(&f->s->argv, argv[i]);
}

static inline struct run_mount *add_mount(struct fixture *f, enum mount_type type,
                                          const char *source, const char *target)
{
    struct run_spec *s = f->s;

    s->mounts = xrealloc(s->mounts, (s->n_mounts + 1) * sizeof(*s->mounts));
    s->mounts[s->n_mounts] = (struct run_mount){
        .type = type, .source = str_dup_or_null(source), .target = xstrdup(target)};
    return &s->mounts[s->n_mounts++];
}

static inline struct oci_config *make_config(struct fixture *f)
{
    cleanup_buf struct buf json = BUF_INIT(4 << 20);
    struct oci_config *cfg = NULL;

    assert_ok(oci_write(f->s, &json, &e));
    assert_ok(oci_config_parse(json.data, json.len, f->dir, &cfg, &e));
    return cfg;
}

static inline int reap(int64_t pid)
{
    int status = 0;

    while (waitpid((pid_t)pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Until the end, or until `want` has been read. */
static inline void drain(int fd, struct buf *out, const char *want)
{
    char chunk[4096];
    ssize_t n;

    while (!(want && strstr(out->data, want)) && (n = read(fd, chunk, sizeof(chunk))) > 0)
        buf_add(out, chunk, (size_t)n);
}

struct running {
    struct oci_config *cfg;
    struct launched l;
    int out;
};

static inline int start(struct fixture *f, struct running *r)
{
    int pipes[2];
    struct launch_io io;
    int failed;

    *r = (struct running){.cfg = make_config(f), .l = LAUNCHED_INIT, .out = -1};
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    io = (struct launch_io){.in = -1, .out = pipes[1], .err = pipes[1]};
    f->err = ERR_INIT;
    failed = launch_container(r->cfg, &io, &r->l, &f->err);
    close(pipes[1]);
    r->out = pipes[0];
    return failed;
}

static inline void finish(struct fixture *f, struct running *r)
{
    if (r->l.pid > 0) {
        drain(r->out, &f->out, NULL);
        f->code = reap(r->l.pid);
    }
    if (r->l.cgroup)
        assert_ok(cgroup_remove(r->l.cgroup, &e));
    close(r->out);
    launched_release(&r->l);
    oci_config_free(r->cfg);
}

/* Runs a shell script; -1 when it could not be started, with f->err. */
static inline int run_argv(struct fixture *f, const char *const *argv)
{
    struct running r;
    int failed;

    set_argv(f, argv);
    buf_reset(&f->out);
    failed = start(f, &r);
    finish(f, &r);
    return failed;
}

static inline void run(struct fixture *f, const char *script)
{
    const char *const argv[] = {"sh", "-c", script, NULL};

    if (run_argv(f, argv))
        fail_msg("could not start: %s", f->err.msg);
}

static inline void assert_out(struct fixture *f, const char *want)
{
    if (!str_eq(f->out.data, want))
        fail_msg("got \"%s\" (exit code %d), want \"%s\"", f->out.data, f->code, want);
}

static inline void assert_out_has(struct fixture *f, const char *want)
{
    if (!strstr(f->out.data, want))
        fail_msg("got \"%s\" (exit code %d), which lacks \"%s\"", f->out.data, f->code, want);
}

/* One more process in a running container; its output is appended. */
static inline int run_exec(struct fixture *f, struct running *r, struct launch_exec_spec *x,
                           const char *const *argv)
{
    struct strv args = {0}, env = {0};
    struct launched l = LAUNCHED_INIT;
    int pipes[2], failed;
    struct launch_io io;

    for (size_t i = 0; argv[i]; i++)
        strv_add(&args, argv[i]);
    strv_add(&env, "PATH=/bin");
    x->args = &args;
    x->env = &env;
    buf_reset(&f->out);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    io = (struct launch_io){.in = -1, .out = pipes[1], .err = pipes[1]};
    failed = launch_exec(r->cfg, r->l.pid, x, &io, &l, &f->err);
    close(pipes[1]);
    if (!failed) {
        drain(l.pty_master >= 0 ? l.pty_master : pipes[0], &f->out, NULL);
        f->code = reap(l.pid);
    }
    close(pipes[0]);
    launched_release(&l);
    strv_release(&args);
    strv_release(&env);
    return failed;
}
