/*
 * The volume driver "local": a directory <data_root>/volumes/<name>/_data.
 *
 * With the options type, device and o the directory is a mount point: the file system is mounted
 * there before a container that uses the volume starts, and unmounted after the last one ended.
 * Whether it is mounted is asked of the kernel each time: a directory whose mount id differs from
 * its parent's is a mount point, whatever paths and links lead to it.
 *
 * What is mounted there may be a directory of the host, so remove refuses while it is; and what
 * containers left in the directory is removed without following a link or entering a mount
 * (fs_remove_all).
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/project_quota.h"
#include "base/str.h"
#include "voldrivers/drivers.h"
#include "voldrivers/mount_options.h"

/* Others may pass through on the way to _data, but not list: names of volumes are nobody's
 * business. */
#define PARENT_MODE  0701
#define DATA_MODE    0755
#define FDINFO_MAX   4096
#define UNMOUNTS_MAX 64 /* a stack of mounts deeper than this is not ours */

/* ------------------------------------------------------------------ options */

static const char *const known_options[] = {"device", "o", "size", "type"};

/* An option that is there needs others to be there. */
static const struct {
    const char *option, *needs;
} dependencies[] = {
    {"device", "type"  },
    {"o",      "device"},
    {"o",      "type"  },
    {"type",   "device"},
};

/* *bytes: 0 without the option. */
static int read_size(const struct volume *v, int64_t *bytes, struct err *e)
{
    const char *size = kvs_get(&v->options, "size");

    *bytes = 0;
    if (size && parse_size(size, "size", bytes, ERR_IGNORE))
        return err_set(e, ERR_INVALID, "invalid size: '%s'", size);
    return 0;
}

static int check_size(const struct vol_env *env, const struct volume *v, struct err *e)
{
    cleanup_free char *root = path_join(env->data_root, "volumes");
    int64_t bytes;

    if (read_size(v, &bytes, e))
        return -1;
    if (bytes > 0 && !project_quota_there(fs_is_dir(root) ? root : env->data_root))
        return err_set(e, ERR_INVALID, "quota size requested but no quota support");
    return 0;
}

static int local_check(const struct vol_env *env, const struct volume *v, struct err *e)
{
    if (volume_name_check(v->name, e))
        return -1;
    for (size_t i = 0; i < v->options.n; i++) {
        bool known = false;

        for (size_t k = 0; k < ARRAY_LEN(known_options); k++)
            known = known || str_eq(v->options.v[i].k, known_options[k]);
        if (!known)
            return err_set(e, ERR_INVALID, "invalid option: \"%s\"", v->options.v[i].k);
    }
    for (size_t i = 0; i < ARRAY_LEN(dependencies); i++)
        if (kvs_get(&v->options, dependencies[i].option) &&
            !kvs_get(&v->options, dependencies[i].needs))
            return err_set(e, ERR_INVALID, "missing required option: \"%s\"",
                           dependencies[i].needs);
    return check_size(env, v, e);
}

/* ------------------------------------------------------------------ the directory */

/* The last line of defence: a name becomes part of a path. */
static int volume_dir(const char *data_root, const struct volume *v, char **dir, struct err *e)
{
    if (!volume_name_valid(v->name))
        return err_set(e, ERR_INVALID, "\"%s\" is not a volume name", v->name ? v->name : "");
    *dir = str_printf("%s/volumes/%s", data_root, v->name);
    return 0;
}

static int make_dir(const char *path, mode_t mode, uid_t owner, struct err *e)
{
    struct stat st;

    if (mkdir(path, mode) == 0) {
        /* Whatever the umask; only when it is new, as its owner may have changed it since. */
        if (chmod(path, mode) < 0 || (owner && chown(path, owner, owner) < 0))
            return err_os(e, errno, "set mode and owner of %s", path);
        return 0;
    }
    if (errno != EEXIST)
        return err_os(e, errno, "create %s", path);
    if (lstat(path, &st) < 0)
        return err_os(e, errno, "look at %s", path);
    return S_ISDIR(st.st_mode) ? 0
                               : err_set(e, ERR_CONFLICT, "%s exists and is no directory", path);
}

static int local_ensure(const struct vol_env *env, struct volume *v, struct err *e)
{
    cleanup_free char *root = path_join(env->data_root, "volumes");
    cleanup_free char *dir = NULL;
    cleanup_free char *data = NULL;
    int64_t bytes;

    if (volume_dir(env->data_root, v, &dir, e) || fs_mkdir_p(env->data_root, 0710, e) ||
        read_size(v, &bytes, e))
        return -1;
    data = path_join(dir, "_data");
    if ((!fs_is_dir(root) && make_dir(root, PARENT_MODE, 0, e)) ||
        make_dir(dir, PARENT_MODE, 0, e) || make_dir(data, DATA_MODE, env->owner, e) ||
        (bytes && project_quota_set(data, bytes, e)))
        return -1;
    str_set(&v->mountpoint, data);
    return 0;
}

/* ------------------------------------------------------------------ mounted or not */

static int mount_id(int fd, int64_t *id, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(FDINFO_MAX);
    char path[64];
    const char *line;

    snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d", fd);
    if (fs_read(path, &text, e))
        return -1;
    line = strstr(text.data, "mnt_id:");
    if (!line)
        return err_set(e, ERR_UNSUPPORTED, "this kernel does not tell mount ids");
    char *value = text.data + (line - text.data) + strlen("mnt_id:");
    value[strcspn(value, "\n")] = '\0';
    return parse_i64(str_trim(value), 0, INT64_MAX, "mount id", id, e);
}

/* *fd: O_PATH of the directory itself (what is mounted on it, if anything), -1 when it is absent.
 */
static int look_at(const char *dir, int *fd, bool *mounted, struct err *e)
{
    cleanup_fd int parent = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_fd int data = -1;
    int64_t above, here;

    *fd = -1;
    *mounted = false;
    if (parent >= 0)
        data = openat(parent, "_data", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (data < 0)
        return errno == ENOENT ? 0 : err_os(e, errno, "open %s/_data", dir);
    if (mount_id(parent, &above, e) || mount_id(data, &here, e))
        return -1;
    *mounted = above != here;
    *fd = take_fd(data);
    return 0;
}

/* ------------------------------------------------------------------ mounting */

/* The kernel's NFS and CIFS want the server as a number; mount(8) helpers would look it up. */
static int resolve_addr(const char *type, struct mount_options *o, struct err *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    const char *name = mount_options_addr(o);
    char text[NI_MAXHOST];
    int r;

    if (!name || !(str_eq(type, "nfs") || str_eq(type, "nfs4") || str_eq(type, "cifs")))
        return 0;
    r = getaddrinfo(name, NULL, &hints, &found);
    if (r == 0)
        r = getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0,
                        NI_NUMERICHOST);
    if (found)
        freeaddrinfo(found);
    if (r)
        return err_set(e, ERR_IO, "error resolving passed in network volume address: %s: %s", name,
                       gai_strerror(r));
    mount_options_set_addr(o, text);
    return 0;
}

/*
 * mount(2) ignores every flag but MS_REC when it binds; they need a second call.  That one goes by
 * name: `target`, a descriptor's link, leads below what was just mounted.
 */
static int mount_with_flags(const char *device, const char *target, const char *mountpoint,
                            const char *type, unsigned long flags, const char *data)
{
    unsigned long later = flags & ~(unsigned long)(MS_BIND | MS_REC);

    if (!(flags & MS_BIND))
        return mount(device, target, type, flags, data);
    if (mount(device, target, NULL, flags & (MS_BIND | MS_REC), NULL) < 0)
        return -1;
    if (!later || mount(NULL, mountpoint, NULL, MS_REMOUNT | MS_BIND | later, NULL) == 0)
        return 0;
    int code = errno;
    umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW);
    errno = code;
    return -1;
}

/* In dockerd's words; passwords are not for logs and clients. */
static int mount_failed(int code, const char *device, const char *mountpoint,
                        const struct mount_options *o, struct err *e)
{
    cleanup_buf struct buf what = BUF_INIT(4096);
    cleanup_free char *why = NULL;

    if (o->flags)
        buf_addf(&what, ", flags: 0x%lx", o->flags);
    for (size_t i = 0; i < o->data.n; i++) {
        const char *word = o->data.v[i];
        bool secret = str_starts(word, "pass") && strchr(word, '=');

        buf_addf(&what, "%s%.*s%s",
                 i ? "," : ", data: ", secret ? (int)strcspn(word, "=") + 1 : (int)strlen(word),
                 word, secret ? "********" : "");
    }
    why = xstrdup(strerror(code));
    *why = (char)tolower((unsigned char)*why);
    err_set(e, ERR_IO,
            "error while mounting volume '%s': failed to mount local volume: mount %s:%s%s: %s",
            mountpoint, device, mountpoint, what.data, why);
    e->os_code = code;
    return -1;
}

static int do_mount(const struct volume *v, int fd, const char *mountpoint, struct err *e)
{
    cleanup_mount_options struct mount_options o = {0};
    cleanup_free char *data = NULL;
    const char *type = kvs_get(&v->options, "type");
    const char *device = kvs_get(&v->options, "device");
    char target[64];

    mount_options_parse(kvs_get(&v->options, "o"), &o);
    if (resolve_addr(type, &o, e))
        return err_wrap(e, "error while mounting volume '%s'", mountpoint);
    data = o.data.n ? str_join((const char *const *)o.data.v, o.data.n, ",") : NULL;
    /* Through the descriptor: exactly the directory that was looked at. */
    snprintf(target, sizeof(target), "/proc/thread-self/fd/%d", fd);
    if (mount_with_flags(device, target, mountpoint, type, o.flags, data) == 0)
        return 0;
    return mount_failed(errno, device, mountpoint, &o, e);
}

static bool has_mount(const struct volume *v)
{
    return !str_empty(kvs_get(&v->options, "device"));
}

static int local_ensure_mounted(const struct vol_env *env, const struct volume *v, const char *user,
                                char **path, struct err *e)
{
    cleanup_free char *dir = NULL;
    cleanup_free char *mountpoint = NULL;
    cleanup_volume struct volume *copy = volume_copy(v);
    cleanup_fd int fd = -1;
    bool mounted;

    /* Somebody may have removed the directory; an empty volume is what Docker starts with, too. */
    (void)user;
    if (local_ensure(env, copy, e))
        return -1;
    *path = xstrdup(copy->mountpoint);
    if (!has_mount(v))
        return 0;
    if (volume_dir(env->data_root, v, &dir, e) || look_at(dir, &fd, &mounted, e)) {
        free(take_ptr(*path));
        return -1;
    }
    if (mounted)
        return 0;
    mountpoint = path_join(dir, "_data");
    if (do_mount(v, fd, mountpoint, e) == 0)
        return 0;
    free(take_ptr(*path));
    return -1;
}

static int local_ensure_unmounted(const struct vol_env *env, const struct volume *v,
                                  const char *user, bool last, struct err *e)
{
    cleanup_free char *dir = NULL;
    cleanup_free char *mountpoint = NULL;

    /* A mount on a volume without options is an administrator's. */
    (void)user;
    if (!last || !has_mount(v))
        return 0;
    if (volume_dir(env->data_root, v, &dir, e))
        return -1;
    mountpoint = path_join(dir, "_data");
    for (int i = 0; i < UNMOUNTS_MAX; i++) {
        cleanup_fd int fd = -1;
        bool mounted;

        if (look_at(dir, &fd, &mounted, e))
            return -1;
        if (!mounted)
            return 0;
        if (umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
            return err_os(e, errno, "unmount volume %s from %s", v->name, mountpoint);
    }
    return err_set(e, ERR_CONFLICT, "volume %s: too many mounts on %s", v->name, mountpoint);
}

static int local_remove(const struct vol_env *env, const struct volume *v, struct err *e)
{
    cleanup_free char *dir = NULL;
    cleanup_fd int fd = -1;
    bool mounted;

    if (volume_dir(env->data_root, v, &dir, e) || look_at(dir, &fd, &mounted, e))
        return -1;
    if (mounted)
        return err_set(e, ERR_CONFLICT, "volume %s is mounted at %s/_data", v->name, dir);
    return fs_remove_all(dir, e);
}

const struct vol_driver_ops vol_driver_local = {
    .check = local_check,
    .ensure = local_ensure,
    .remove = local_remove,
    .ensure_mounted = local_ensure_mounted,
    .ensure_unmounted = local_ensure_unmounted,
};
