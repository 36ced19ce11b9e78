/*
 * cgroup: what does not depend on the version.  See cgroup.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/sync.h"
#include "base/time.h"
#include "runtime-linux/cgroup_internal.h"
#include "runtime-linux/syscalls.h"

#define CREATE_TRIES  20
#define REMOVE_TRIES  200 /* at 1 ms rising to 10: about two seconds */
#define FILE_MAX_READ (4u << 20)

static struct mutex host_lock = MUTEX_INIT; /* around finding out; what is found stays as it is */
static struct cgroup_host host;
static bool host_known;

/* ------------------------------------------------------------------ the host's trees */

static bool is_v2(const char *dir)
{
    struct statfs st;

    return statfs(dir, &st) == 0 && (unsigned long)st.f_type == CGROUP2_SUPER_MAGIC;
}

static bool is_v1(const char *dir)
{
    struct statfs st;

    return statfs(dir, &st) == 0 && (unsigned long)st.f_type == CGROUP_SUPER_MAGIC;
}

static void add_hierarchy(const char *name, const char *dir)
{
    host.h = xrealloc(host.h, (host.n + 1) * sizeof(*host.h));
    host.h[host.n++] = (struct hierarchy){.name = xstrdup(name), .dir = xstrdup(dir)};
}

/* v1's trees are directories of their own below CGROUP_ROOT; links are the parts of joint names. */
static void find_v1(void)
{
    cleanup_strv struct strv names = {0};

    if (fs_list(CGROUP_ROOT, &names, ERR_IGNORE))
        return;
    for (size_t i = 0; i < names.n; i++) {
        cleanup_free char *dir = str_printf("%s/%s", CGROUP_ROOT, names.v[i]);
        struct stat st;

        if (lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && is_v1(dir))
            add_hierarchy(names.v[i], dir);
    }
}

const struct cgroup_host *cgroup_host(void)
{
    mutex_lock(&host_lock);
    if (!host_known) {
        host.v2 = is_v2(CGROUP_ROOT);
        if (host.v2)
            add_hierarchy("", CGROUP_ROOT);
        else
            find_v1();
        host_known = true;
    }
    mutex_unlock(&host_lock);
    return &host;
}

static bool names_controller(const char *joint, const char *controller)
{
    const size_t n = strlen(controller);

    for (const char *p = joint; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, controller, n) == 0 && (p[n] == ',' || !p[n]))
            return true;
    return false;
}

bool cgroup_has_controller(const char *controller)
{
    const struct cgroup_host *h = cgroup_host();
    cleanup_free char *all = NULL;
    cleanup_strv struct strv words = {0};

    if (!h->v2) {
        for (size_t i = 0; i < h->n; i++)
            if (names_controller(h->h[i].name, controller))
                return true;
        return false;
    }
    if (str_eq(controller, "devices") || str_eq(controller, "freezer"))
        return true; /* by eBPF; in the core */
    all = cgroup_read(CGROUP_ROOT, "cgroup.controllers");
    strv_split(&words, all ? all : "", ' ');
    return strv_has(&words, str_eq(controller, "blkio") ? "io" : controller);
}

/* v2 has no such file at the root, so our own group is asked; one at the root is believed. */
bool cgroup_counts_swap(void)
{
    const struct cgroup_host *h = cgroup_host();
    cleanup_free char *own = NULL, *dir = NULL;

    if (!h->v2)
        return access(CGROUP_ROOT "/memory/memory.memsw.limit_in_bytes", F_OK) == 0;
    own = cgroup_read("/proc/self", "cgroup");
    if (!own || !str_starts(own, "0::/") || !own[strlen("0::/")])
        return true;
    dir = path_join(CGROUP_ROOT, own + strlen("0::"));
    return cgroup_file_exists(dir, "memory.swap.max");
}

/* ------------------------------------------------------------------ files */

int cgroup_write(const char *dir, const char *file, const char *text, struct err *e)
{
    cleanup_free char *path = str_printf("%s/%s", dir, file);
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return err_os(e, errno, "open %s", path);
    if (write(fd, text, strlen(text)) < 0)
        return err_os(e, errno, "write \"%s\" to %s", text, path);
    return 0;
}

int cgroup_write_i64(const char *dir, const char *file, int64_t v, struct err *e)
{
    cleanup_free char *text = str_printf("%lld", (long long)v);

    return cgroup_write(dir, file, text, e);
}

char *cgroup_read(const char *dir, const char *file)
{
    cleanup_free char *path = str_printf("%s/%s", dir, file);
    cleanup_buf struct buf text = BUF_INIT(FILE_MAX_READ);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    char chunk[4096];
    ssize_t n;

    if (fd < 0)
        return NULL;
    while ((n = read(fd, chunk, sizeof(chunk))) > 0)
        buf_add(&text, chunk, (size_t)n);
    if (n < 0)
        return NULL;
    return xstrdup(str_trim(text.data));
}

bool cgroup_file_exists(const char *dir, const char *file)
{
    cleanup_free char *path = str_printf("%s/%s", dir, file);

    return access(path, F_OK) == 0;
}

int64_t cgroup_read_key(const char *dir, const char *file, const char *key)
{
    cleanup_free char *text = cgroup_read(dir, file);
    cleanup_strv struct strv lines = {0};
    const size_t n = strlen(key);
    int64_t v;

    strv_split(&lines, text ? text : "", '\n');
    for (size_t i = 0; i < lines.n; i++)
        if (strncmp(lines.v[i], key, n) == 0 && lines.v[i][n] == ' ' &&
            parse_i64(lines.v[i] + n + 1, 0, INT64_MAX, key, &v, ERR_IGNORE) == 0)
            return v;
    return -1;
}

int cgroup_no_controller(const char *what, const char *controller, struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED,
                   "%s cannot be limited: this host has no cgroup controller \"%s\"", what,
                   controller);
}

const char *cgroup_dir(const struct cgroup *cg, const char *controller)
{
    if (cgroup_is_v2(cg))
        return cg->h[0].dir; /* one tree for all; a file that is not there says the rest */
    for (size_t i = 0; i < cg->n; i++)
        if (names_controller(cg->h[i].name, controller))
            return cg->h[i].dir;
    return NULL;
}

/* ------------------------------------------------------------------ the group */

int cgroup_open(const char *path, struct cgroup **out, struct err *e)
{
    const struct cgroup_host *h = cgroup_host();
    cleanup_free char *clean = path_join("/", path);
    struct cgroup *cg;

    if (str_eq(clean, "/"))
        return err_set(e, ERR_INVALID, "cgroup path \"%s\": the root is not a container's", path);
    if (!h->n)
        return err_set(e, ERR_UNSUPPORTED, "no cgroup tree is mounted below " CGROUP_ROOT);
    cg = xcalloc(1, sizeof(*cg));
    cg->ops = h->v2 ? &cgroup_v2_ops : &cgroup_v1_ops;
    cg->path = take_ptr(clean);
    cg->n = h->n;
    cg->h = xcalloc(h->n, sizeof(*cg->h));
    for (size_t i = 0; i < h->n; i++) {
        cg->h[i].name = xstrdup(h->h[i].name);
        cg->h[i].dir = str_printf("%s%s", h->h[i].dir, cg->path);
    }
    *out = cg;
    return 0;
}

void cgroup_free(struct cgroup *cg)
{
    if (!cg)
        return;
    for (size_t i = 0; i < cg->n; i++) {
        free(cg->h[i].name);
        free(cg->h[i].dir);
    }
    free(cg->h);
    free(cg->path);
    free(cg);
}

const char *cgroup_path(const struct cgroup *cg)
{
    return cg->path;
}

bool cgroup_is_v2(const struct cgroup *cg)
{
    return cg->ops == &cgroup_v2_ops;
}

int cgroup_create(struct cgroup *cg, struct err *e)
{
    /* An empty parent may be removed under our hands by the end of a sibling. */
    for (int try = 0; try < CREATE_TRIES; try++) {
        if (cg->ops->create(cg, e) == 0)
            return 0;
        if (e->os_code != ENOENT && e->os_code != ENODEV)
            break;
    }
    (void)!cgroup_remove(cg, ERR_IGNORE);
    return err_wrap(e, "make the cgroup %s", cg->path);
}

/* What every container may do whatever its rules say, as in runc: make nodes (using them is another
 * matter) and use the devices that the specification promises, and terminals. */
static const struct {
    char type;
    int16_t major, minor;
    bool use;
} always[] = {
    {'c', -1,  -1, false},
    {'b', -1,  -1, false},
    {'c', 1,   3,  true },
    {'c', 1,   5,  true },
    {'c', 1,   7,  true },
    {'c', 1,   8,  true },
    {'c', 1,   9,  true },
    {'c', 5,   0,  true },
    {'c', 5,   1,  true },
    {'c', 5,   2,  true },
    {'c', 136, -1, true },
};

int cgroup_apply(struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
    cleanup_free struct oci_device_rule *rules = NULL;
    struct oci_resources full = *r;

    if (r->n_devices) {
        rules = xcalloc(r->n_devices + ARRAY_LEN(always), sizeof(*rules));
        memcpy(rules, r->devices, r->n_devices * sizeof(*rules));
        for (size_t i = 0; i < ARRAY_LEN(always); i++)
            rules[r->n_devices + i] = (struct oci_device_rule){.allow = true,
                                                               .type = always[i].type,
                                                               .major = always[i].major,
                                                               .minor = always[i].minor,
                                                               .read = always[i].use,
                                                               .write = always[i].use,
                                                               .mknod = true};
        full.devices = rules;
        full.n_devices = r->n_devices + ARRAY_LEN(always);
    }
    return cg->ops->apply(cg, &full, e);
}

int cgroup_add(struct cgroup *cg, int64_t pid, struct err *e)
{
    for (size_t i = 0; i < cg->n; i++)
        if (cgroup_write_i64(cg->h[i].dir, "cgroup.procs", pid, e))
            return err_wrap(e, "move the process into the cgroup %s", cg->path);
    return 0;
}

int cgroup_door_open(struct cgroup *cg, struct cgroup_door *door, struct err *e)
{
    *door = (struct cgroup_door){0};
    if (!cg || cgroup_is_v2(cg))
        return 0;
    door->fds = xcalloc(cg->n, sizeof(*door->fds));
    for (; door->n < cg->n; door->n++) {
        cleanup_free char *path = path_join(cg->h[door->n].dir, "tasks");

        door->fds[door->n] = open(path, O_WRONLY | O_CLOEXEC);
        if (door->fds[door->n] < 0)
            return err_os(e, errno, "open %s", path);
    }
    return 0;
}

void cgroup_door_close(struct cgroup_door *door)
{
    for (size_t i = 0; i < door->n; i++)
        fd_close_p(&door->fds[i]);
    free(door->fds);
    *door = (struct cgroup_door){0};
}

int cgroup_door_pass(struct cgroup_door *door, struct err *e)
{
    for (size_t i = 0; i < door->n; i++)
        if (write(door->fds[i], "0", 1) != 1) /* whoever writes it */
            return err_os(e, errno, "move the process into its cgroup");
    cgroup_door_close(door);
    return 0;
}

int cgroup_freeze(struct cgroup *cg, bool frozen, struct err *e)
{
    return cg->ops->freeze(cg, frozen, e);
}

bool cgroup_is_frozen(struct cgroup *cg)
{
    return cg->ops->is_frozen(cg);
}

int64_t cgroup_oom_kills(struct cgroup *cg)
{
    return cg->ops->oom_kills(cg);
}

int cgroup_oom_fd(struct cgroup *cg, uint32_t *events)
{
    return cg->ops->oom_fd(cg, events);
}

bool cgroup_oom_take(struct cgroup *cg, int fd, int64_t *kills)
{
    return cg->ops->oom_take(cg, fd, kills);
}

int cgroup_clone_fd(struct cgroup *cg)
{
    if (!cg || !cgroup_is_v2(cg))
        return -1;
    return open(cg->h[0].dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int cgroup_prepare_views(struct cgroup *cg, struct prepared *p, struct err *e)
{
    p->cgroups = xcalloc(cg->n, sizeof(*p->cgroups));
    for (size_t i = 0; i < cg->n; i++) {
        struct cgroup_view *v = &p->cgroups[p->n_cgroups];
        /* v2 without a namespace of its own shows the whole tree, as runc does */
        const char *dir = cgroup_is_v2(cg) ? CGROUP_ROOT : cg->h[i].dir;

        v->tree = open_tree(AT_FDCWD, dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (v->tree < 0)
            return err_os(e, errno, "open the cgroup %s", dir);
        v->name = xstrdup(cg->h[i].name);
        p->n_cgroups++;
    }
    return 0;
}

/* ------------------------------------------------------------------ all processes in it */

struct pid_list {
    int64_t *v;
    size_t n, cap;
};

static void add_pids(const char *dir, struct pid_list *out)
{
    cleanup_free char *text = cgroup_read(dir, "cgroup.procs");
    cleanup_strv struct strv lines = {0};
    int64_t pid;

    strv_split(&lines, text ? text : "", '\n');
    for (size_t i = 0; i < lines.n; i++) {
        if (parse_i64(lines.v[i], 1, INT32_MAX, "pid", &pid, ERR_IGNORE))
            continue; /* 0: outside our pid namespace */
        if (out->n == out->cap) {
            out->cap = out->cap ? out->cap * 2 : 32;
            out->v = xrealloc(out->v, out->cap * sizeof(*out->v));
        }
        out->v[out->n++] = pid;
    }
}

/* Calls fn for dir and everything below, children first. */
static void walk(const char *dir, void (*fn)(const char *dir, void *arg), void *arg)
{
    DIR *d = opendir(dir);
    struct dirent *entry;

    while (d && (entry = readdir(d))) {
        cleanup_free char *sub = NULL;

        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        sub = str_printf("%s/%s", dir, entry->d_name);
        walk(sub, fn, arg);
    }
    if (d)
        closedir(d);
    fn(dir, arg);
}

static void walk_pids(const char *dir, void *arg)
{
    add_pids(dir, arg);
}

/* The tree to ask: the kernel puts every process in each of them. */
static const char *any_dir(const struct cgroup *cg)
{
    static const char *const order[] = {"pids", "freezer", "memory"};

    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if (cgroup_dir(cg, order[i]))
            return cgroup_dir(cg, order[i]);
    return cg->h[0].dir;
}

int cgroup_pids(struct cgroup *cg, int64_t **pids, size_t *n, struct err *e)
{
    struct pid_list list = {0};

    if (!fs_is_dir(any_dir(cg)))
        return err_set(e, ERR_NOT_FOUND, "no such cgroup: %s", cg->path);
    walk(any_dir(cg), walk_pids, &list);
    *pids = list.v;
    *n = list.n;
    return 0;
}

/* Signals everything once; true when something was there. */
static bool kill_once(struct cgroup *cg)
{
    struct pid_list list = {0};
    bool any;

    if (cgroup_is_v2(cg) && cgroup_file_exists(cg->h[0].dir, "cgroup.kill"))
        (void)!cgroup_write(cg->h[0].dir, "cgroup.kill", "1", ERR_IGNORE);
    walk(any_dir(cg), walk_pids, &list);
    for (size_t i = 0; i < list.n; i++)
        kill((pid_t)list.v[i], SIGKILL);
    any = list.n > 0;
    free(list.v);
    return any;
}

int cgroup_kill(struct cgroup *cg, struct err *e)
{
    if (!fs_is_dir(any_dir(cg)))
        return 0;
    (void)kill_once(cg);
    /* v1 does not wake the frozen for SIGKILL; what has forked since is met by the next round. */
    if (cgroup_is_frozen(cg) && cgroup_freeze(cg, false, e))
        return -1;
    (void)kill_once(cg);
    return 0;
}

/* ------------------------------------------------------------------ removal */

static void walk_rmdir(const char *dir, void *arg)
{
    int *why = arg;

    if (rmdir(dir) && errno != ENOENT)
        *why = errno;
}

static int remove_one(struct cgroup *cg, const char *dir, struct err *e)
{
    for (int try = 0;; try++) {
        int why = 0;

        if (rmdir(dir) == 0 || errno == ENOENT)
            return 0;
        walk(dir, walk_rmdir, &why);
        if (!why)
            return 0;
        if (why != EBUSY || try == REMOVE_TRIES)
            return err_os(e, why, "remove the cgroup %s", dir);
        (void)kill_once(cg);
        time_sleep_ms(try < 10 ? 1 : 10);
    }
}

/* Parents go too once they are empty: a sibling that is being made tries again. */
static void remove_parents(const char *dir, const char *root)
{
    cleanup_free char *at = path_dir(dir);

    while (strlen(at) > strlen(root) && rmdir(at) == 0) {
        char *up = path_dir(at);

        free(at);
        at = up;
    }
}

int cgroup_remove(struct cgroup *cg, struct err *e)
{
    const struct cgroup_host *h = cgroup_host();
    int failed = 0;

    if (fs_is_dir(any_dir(cg)) && cgroup_kill(cg, e))
        return -1;
    for (size_t i = 0; i < cg->n; i++) {
        if (remove_one(cg, cg->h[i].dir, failed ? ERR_IGNORE : e))
            failed = -1;
        else
            remove_parents(cg->h[i].dir, h->h[i].dir);
    }
    return failed;
}
