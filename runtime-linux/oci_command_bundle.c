/*
 * oci_command_bundle: the agent's config.json for a runtime that knows the specification alone.
 *
 * What "io.ballast" says (oci.h) is done here, in the process that becomes the runtime: the overlay
 * is mounted, volumes are filled, parts of volumes and images are attached, the user's name becomes
 * numbers.  All of it in a mount namespace that ends with that process.  The rest is copied as it
 * is.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "runtime-linux/caps.h"
#include "runtime-linux/fsctx.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/mount_options.h"
#include "runtime-linux/oci_command.h"
#include "runtime-linux/oci_write_internal.h"
#include "runtime-linux/syscalls.h"
#include "runtime-linux/user.h"

#define CONFIG_MAX  (16 * 1024 * 1024)
#define INIT_TARGET "/sbin/docker-init"

/* ------------------------------------------------------------------ JSON */

static void copy(struct jsonw *w, const char *key, const struct json *v)
{
    cleanup_buf struct buf text = BUF_INIT(CONFIG_MAX);

    if (!json_exists(v))
        return;
    json_text(v, &text);
    jsonw_key(w, key);
    jsonw_raw(w, text.data);
}

static bool among(const char *const *names, const char *name)
{
    for (size_t i = 0; names[i]; i++)
        if (str_eq(names[i], name))
            return true;
    return false;
}

static void copy_all_but(struct jsonw *w, const struct json *from, const char *const *but)
{
    for (struct json_iter it = json_iter(from); json_next(&it);)
        if (!among(but, it.key))
            copy(w, it.key, &it.value);
}

static int read_config(const struct oci_command *c, struct json_doc *out, struct err *e)
{
    cleanup_free char *path = path_join(c->exec_dir, "config.json");
    cleanup_buf struct buf text = BUF_INIT(CONFIG_MAX);

    return fs_read(path, &text, e) || json_parse(text.data, text.len, out, e) ? -1 : 0;
}

static int write_file(const struct oci_command *c, const char *name, const struct buf *json,
                      struct err *e)
{
    cleanup_free char *path = path_join(c->bundle, name);

    return buf_check(json, name, e) || fs_write_atomic(path, json->data, json->len, 0600, false, e)
               ? -1
               : 0;
}

/* ------------------------------------------------------------------ process */

static void write_user(struct jsonw *w, const struct user *u, const struct oci_process *p)
{
    jsonw_key(w, "user");
    jsonw_obj(w);
    jsonw_ki64(w, "uid", u->uid);
    jsonw_ki64(w, "gid", u->gid);
    if (p->umask >= 0)
        jsonw_ki64(w, "umask", p->umask);
    jsonw_key(w, "additionalGids");
    jsonw_arr(w);
    for (size_t i = 0; i < u->n_groups; i++)
        jsonw_i64(w, u->groups[i]);
    jsonw_end_arr(w);
    jsonw_end_obj(w);
}

/* What execve() leaves of them: to somebody who is not root, nothing but the bound. */
static void write_caps(struct jsonw *w, const struct user *u, uint64_t bounding)
{
    jsonw_key(w, "capabilities");
    jsonw_obj(w);
    oci_write_cap_set(w, "bounding", bounding);
    if (u->uid == 0) {
        oci_write_cap_set(w, "effective", bounding);
        oci_write_cap_set(w, "permitted", bounding);
    }
    jsonw_end_obj(w);
}

static void write_args(struct jsonw *w, const struct strv *args, bool init)
{
    jsonw_key(w, "args");
    jsonw_arr(w);
    if (init) {
        jsonw_str(w, INIT_TARGET);
        jsonw_str(w, "--");
    }
    for (size_t i = 0; i < args->n; i++)
        jsonw_str(w, args->v[i]);
    jsonw_end_arr(w);
}

/* A kernel without it runs what has a profile all the same, as the built-in runtime does. */
static bool has_apparmor(void)
{
    return access("/sys/kernel/security/apparmor", F_OK) == 0;
}

static void write_size(struct jsonw *w, int64_t height, int64_t width)
{
    if (height <= 0 || width <= 0)
        return;
    jsonw_key(w, "consoleSize");
    jsonw_obj(w);
    jsonw_ki64(w, "height", height);
    jsonw_ki64(w, "width", width);
    jsonw_end_obj(w);
}

/* x NULL: the container's own. */
static void write_process(struct jsonw *w, const struct json *config, const struct oci_bundle *b,
                          const struct user *u)
{
    static const char *const ours[] = {"user", "capabilities", "args",        "env",
                                       "cwd",  "terminal",     "consoleSize", "apparmorProfile",
                                       NULL};
    const struct launch_exec_spec *x = b->exec;
    const struct oci_process *p = &b->cfg->process;
    const bool privileged = x && x->privileged;
    struct json process = json_get(config, "process"), profile;

    jsonw_obj(w);
    jsonw_kbool(w, "terminal", x ? x->terminal : p->terminal);
    write_size(w, x ? x->console_height : p->console_height,
               x ? x->console_width : p->console_width);
    write_user(w, u, p);
    write_args(w, x ? x->args : &p->args, !x && b->cfg->init);
    jsonw_key(w, "env");
    jsonw_strv(w, x ? x->env : &p->env);
    jsonw_kstr(w, "cwd", x && !str_empty(x->cwd) ? x->cwd : str_empty(p->cwd) ? "/" : p->cwd);
    write_caps(w, u, privileged ? caps_bounding() : p->caps.bounding);
    profile = json_get(&process, "apparmorProfile");
    if (has_apparmor() && !privileged)
        copy(w, "apparmorProfile", &profile);
    copy_all_but(w, &process, ours);
    jsonw_end_obj(w);
}

static int resolve_user(const struct oci_bundle *b, int root, struct user *u, struct err *e)
{
    const struct oci_process *p = &b->cfg->process;
    const char *text = b->exec && !str_empty(b->exec->user) ? b->exec->user : p->user_text;
    int r = text ? user_resolve(root, text, &p->group_texts, u, e)
                 : user_numeric(root, p->uid, p->gid, p->groups, p->n_groups, u, e);

    if (r && e->kind == ERR_NOT_FOUND)
        e->kind = ERR_INVALID; /* NOT_FOUND is for the command: exit code 127 */
    return r;
}

int oci_bundle_make_process(void *bundle, struct err *e)
{
    const struct oci_bundle *b = bundle;
    cleanup_free char *path = str_printf("/proc/%lld/root", (long long)b->pid);
    cleanup_fd int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_buf struct buf json = BUF_INIT(CONFIG_MAX);
    cleanup_json struct json_doc doc = {0};
    cleanup_user struct user u = {0};
    struct jsonw w = JSONW_INIT(&json);
    struct json config;

    if (root < 0)
        return err_os(e, errno, "open the container's root");
    if (read_config(b->command, &doc, e) || resolve_user(b, root, &u, e))
        return -1;
    config = json_root(&doc);
    write_process(&w, &config, b, &u);
    return write_file(b->command, "process.json", &json, e);
}

/* ------------------------------------------------------------------ mounts */

/* What is attached below the bundle must not show elsewhere: the mount that carries it goes its own
 * way in this namespace.  All others keep theirs, which binds may ask for ("rshared"). */
static int part_from_host(const char *bundle, struct err *e)
{
    cleanup_free char *dir = xstrdup(bundle);

    if (unshare(CLONE_NEWNS))
        return err_os(e, errno, "make a mount namespace for the runtime");
    while (mount(NULL, dir, NULL, MS_SLAVE, NULL)) {
        char *parent = path_dir(dir);

        if (errno != EINVAL || str_eq(dir, "/")) {
            free(parent);
            /* A chroot without a mount of its own: nothing there is shared. */
            return errno == EINVAL ? 0 : err_os(e, errno, "make the mount of %s private", bundle);
        }
        free(dir);
        dir = parent;
    }
    return 0;
}

/* Attaches the mount at <bundle>/<name>, which is made, and is that path; caller frees. */
static char *attach(const struct oci_command *c, const char *name, int tree, struct err *e)
{
    cleanup_free char *path = path_join(c->bundle, name);
    cleanup_fd int target = -1;
    struct stat st;
    int r;

    if (fstat(tree, &st)) {
        err_os(e, errno, "look at what is mounted on %s", name);
        return NULL;
    }
    if (S_ISDIR(st.st_mode)) {
        r = mkdir(path, 0711);
    } else {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        r = fd < 0 ? -1 : 0;
        fd_close(fd);
    }
    if (r && errno != EEXIST) {
        err_os(e, errno, "make %s", path);
        return NULL;
    }
    target = open(path, O_PATH | O_CLOEXEC);
    if (target < 0) {
        err_os(e, errno, "open %s", path);
        return NULL;
    }
    return mount_attach(tree, target, path, e) ? NULL : take_ptr(path);
}

/* Not for a runtime to open by its path: parts, images, what must be filled first, and what is
 * another container's. */
static bool needs_us(const struct oci_mount *m)
{
    return m->copy_up || m->subpath || m->layers.n ||
           (m->source && str_starts(m->source, "/proc/"));
}

/* *source: where sysfs is, when the container may not mount it; or NULL. */
static int attach_sysfs(const struct oci_bundle *b, size_t i, char **source, struct err *e)
{
    cleanup_free char *name = str_printf("mounts/%zu", i);
    cleanup_fd int tree = -1;

    if (mounts_foreign_sysfs(b->cfg, &b->cfg->mounts[i], &tree, e))
        return -1;
    if (tree >= 0)
        *source = attach(b->command, name, tree, e);
    return tree >= 0 && !*source ? -1 : 0;
}

/* *source: where it is now, or NULL. */
static int attach_source(const struct oci_bundle *b, size_t i, int root, char **source,
                         struct err *e)
{
    const struct oci_mount *m = &b->cfg->mounts[i];
    cleanup_mount_options struct mount_options o = {0};
    cleanup_free char *name = str_printf("mounts/%zu", i);
    struct mount_source from = {.bundle = b->cfg->bundle,
                                .source = m->source,
                                .destination = m->destination,
                                .subpath = m->subpath,
                                .layers = &m->layers};
    cleanup_fd int tree = -1;

    mount_options_parse(&m->options, &o);
    if (!(o.bind || str_eq(m->type, "bind")) || !needs_us(m))
        return 0;
    from.recursive = o.recursive;
    tree = mounts_clone(&from, e);
    if (tree < 0 ||
        (m->layers.n && m->subpath && mounts_narrow(root, &tree, m->subpath, m->destination, e)) ||
        (m->copy_up && mounts_fill_volume(root, m->destination, tree, e)))
        return -1;
    *source = attach(b->command, name, tree, e);
    return *source ? 0 : -1;
}

/* As the entry has it, but for the source; a sysfs of ours is bound. */
static void write_mount_entry(const struct oci_mount *m, const struct json *entry,
                              const char *source, struct jsonw *w)
{
    static const char *const ours[] = {"source", "type", "options", NULL};
    const bool bound = source && str_eq(m->type, "sysfs");

    jsonw_obj(w);
    copy_all_but(w, entry, ours);
    jsonw_kstr(w, "type", bound ? "bind" : m->type);
    jsonw_kstr(w, "source", source ? source : m->source);
    jsonw_key(w, "options");
    jsonw_arr(w);
    for (size_t i = 0; i < m->options.n; i++)
        jsonw_str(w, m->options.v[i]);
    if (bound)
        jsonw_str(w, "bind");
    jsonw_end_arr(w);
    jsonw_end_obj(w);
}

static int write_mount(const struct oci_bundle *b, size_t i, const struct json *entry, int root,
                       struct jsonw *w, struct err *e)
{
    cleanup_free char *source = NULL;

    if (str_eq(b->cfg->mounts[i].type, "sysfs") ? attach_sysfs(b, i, &source, e)
                                                : attach_source(b, i, root, &source, e))
        return err_wrap(e, "error mounting \"%s\" to rootfs at \"%s\"",
                        b->cfg->mounts[i].source ? b->cfg->mounts[i].source : "",
                        b->cfg->mounts[i].destination);
    write_mount_entry(&b->cfg->mounts[i], entry, source, w);
    return 0;
}

static void write_init_mount(const struct oci_command *c, struct jsonw *w)
{
    jsonw_obj(w);
    jsonw_kstr(w, "destination", INIT_TARGET);
    jsonw_kstr(w, "type", "bind");
    jsonw_kstr(w, "source", c->init);
    jsonw_key(w, "options");
    jsonw_raw(w, "[\"bind\",\"ro\",\"nosuid\",\"nodev\"]");
    jsonw_end_obj(w);
}

static int write_mounts(const struct oci_bundle *b, const struct json *config, int root,
                        struct jsonw *w, struct err *e)
{
    struct json mounts = json_get(config, "mounts");

    jsonw_key(w, "mounts");
    jsonw_arr(w);
    for (size_t i = 0; i < json_len(&mounts) && i < b->cfg->n_mounts; i++) {
        struct json entry = json_at(&mounts, i);

        if (write_mount(b, i, &entry, root, w, e))
            return -1;
    }
    if (b->cfg->init)
        write_init_mount(b->command, w);
    jsonw_end_arr(w);
    return 0;
}

/* ------------------------------------------------------------------ all of it */

/* A user namespace may not set what belongs to a network that was made before it: that is done. */
static void write_linux(const struct oci_bundle *b, const struct json *config, struct jsonw *w)
{
    static const char *const ours[] = {"sysctl", NULL};
    const bool joined = b->cfg->ns[OCI_NS_USER].wanted && b->cfg->ns[OCI_NS_NET].path;
    struct json part = json_get(config, "linux");

    jsonw_obj(w);
    copy_all_but(w, &part, ours);
    jsonw_key(w, "sysctl");
    jsonw_obj(w);
    for (size_t i = 0; i < b->cfg->sysctl.n; i++)
        if (!joined || !str_starts(b->cfg->sysctl.v[i].k, "net."))
            jsonw_kstr(w, b->cfg->sysctl.v[i].k, b->cfg->sysctl.v[i].v);
    jsonw_end_obj(w);
    jsonw_end_obj(w);
}

static int write_config(const struct oci_bundle *b, const char *rootfs, struct err *e)
{
    static const char *const ours[] = {"process", "root", "mounts", "linux", "io.ballast", NULL};
    cleanup_fd int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_buf struct buf json = BUF_INIT(CONFIG_MAX);
    cleanup_json struct json_doc doc = {0};
    cleanup_user struct user u = {0};
    struct jsonw w = JSONW_INIT(&json);
    struct json config;

    if (root < 0)
        return err_os(e, errno, "open %s", rootfs);
    if (read_config(b->command, &doc, e) || resolve_user(b, root, &u, e))
        return -1;
    config = json_root(&doc);
    jsonw_obj(&w);
    copy_all_but(&w, &config, ours);
    jsonw_key(&w, "process");
    write_process(&w, &config, b, &u);
    jsonw_key(&w, "root");
    jsonw_obj(&w);
    jsonw_kstr(&w, "path", rootfs);
    jsonw_kbool(&w, "readonly", b->cfg->root_readonly);
    jsonw_end_obj(&w);
    jsonw_key(&w, "linux");
    write_linux(b, &config, &w);
    if (write_mounts(b, &config, root, &w, e))
        return -1;
    jsonw_end_obj(&w);
    return write_file(b->command, "config.json", &json, e);
}

/* In the namespaces that the container shares with others; the runtime joins them by itself. */
static int write_config_there(const struct oci_bundle *b, const char *rootfs, struct err *e)
{
    struct saved_ns saved;
    int r;

    if (!b->cfg->ns[OCI_NS_USER].wanted)
        return write_config(b, rootfs, e);
    if (namespaces_join(b->cfg, &saved, e))
        return -1;
    r = sysctl_apply_joined(b->cfg, e) || write_config(b, rootfs, e) ? -1 : 0;
    return namespaces_return(&saved, r ? ERR_IGNORE : e) || r ? -1 : 0;
}

int oci_bundle_make(void *bundle, struct err *e)
{
    const struct oci_bundle *b = bundle;
    cleanup_free char *rootfs = NULL;
    cleanup_fd int root = -1;

    if (part_from_host(b->command->bundle, e) || rootfs_prepare(b->cfg, &root, e))
        return -1;
    rootfs = attach(b->command, "rootfs", root, e);
    return rootfs ? write_config_there(b, rootfs, e) : -1;
}
