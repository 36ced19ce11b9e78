/* tree_tar: see tree_tar.h. */
#include "images/tree_tar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/layer_whiteout.h"

#define PIECE      (128 * 1024)
#define NAMES_MAX  (64 * 1024) /* of a directory, sorted at a time */
#define LINKS_MAX  (256 * 1024)
#define NAME_MAX_  (1024 * 1024)
#define XATTR_MAX  (64 * 1024)
#define XATTRS_MAX 64

struct tree_tar {
    struct tree_tar_opts o;
    struct tar_writer tar;
    struct map links; /* "device:inode" -> the first name */
    struct buf path;  /* of the entry under work */
    int64_t entries;
    size_t held; /* bytes in out */
    char *out, *piece;
};

/* ---- output, in large pieces */

static int flush(struct tree_tar *t, struct err *e)
{
    size_t n = t->held;

    t->held = 0;
    return n ? t->o.write(t->o.arg, t->out, n, e) : 0;
}

static int gather(void *arg, const void *bytes, size_t n, struct err *e)
{
    struct tree_tar *t = arg;

    if (t->held + n > PIECE && flush(t, e))
        return -1;
    if (n >= PIECE)
        return t->o.write(t->o.arg, bytes, n, e);
    memcpy(t->out + t->held, bytes, n);
    t->held += n;
    return 0;
}

struct tree_tar *tree_tar_new(const struct tree_tar_opts *o)
{
    struct tree_tar *t = xcalloc(1, sizeof(*t));

    t->o = *o;
    t->tar = (struct tar_writer){.write = gather, .arg = t};
    t->links = MAP_INIT(free);
    t->path = BUF_INIT(NAME_MAX_);
    t->out = xmalloc(PIECE);
    t->piece = xmalloc(PIECE);
    return t;
}

void tree_tar_free(struct tree_tar *t)
{
    if (!t)
        return;
    map_release(&t->links);
    buf_release(&t->path);
    free(t->out);
    free(t->piece);
    free(t);
}

bool tree_tar_empty(const struct tree_tar *t)
{
    return t->entries == 0;
}

int tree_tar_end(struct tree_tar *t, struct err *e)
{
    return tar_put_end(&t->tar, e) || flush(t, e) ? -1 : 0;
}

/* ---- attributes */

bool tree_is_kernels(int fd)
{
    static const long kinds[] = {
        PROC_SUPER_MAGIC,   SYSFS_MAGIC,    CGROUP_SUPER_MAGIC,      CGROUP2_SUPER_MAGIC,
        DEVPTS_SUPER_MAGIC, DEBUGFS_MAGIC,  TRACEFS_MAGIC,           SECURITYFS_MAGIC,
        BPF_FS_MAGIC,       PSTOREFS_MAGIC, 0x19800202 /* mqueue */, 0x62656570 /* configfs */,
        BINFMTFS_MAGIC,     EFIVARFS_MAGIC,
    };
    struct statfs fs;

    if (fstatfs(fd, &fs))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if ((long)fs.f_type == kinds[i])
            return true;
    return false;
}

/* What belongs to the file wherever it goes.  Docker keeps the capabilities only. */
static bool xattr_kept(const char *name)
{
    return str_eq(name, "security.capability") || str_starts(name, "system.posix_acl_") ||
           (str_starts(name, "user.") && !str_starts(name, "user.overlay."));
}

static void release_xattrs(struct tar_entry *t)
{
    for (size_t i = 0; i < t->n_xattrs; i++) {
        free(t->xattrs[i].name);
        free(t->xattrs[i].value);
    }
    free(t->xattrs);
}

/* fd is open for reading; a file system without attributes has none. */
static void read_xattrs(struct tree_tar *t, int fd, struct tar_entry *entry)
{
    cleanup_free char *names = NULL;
    ssize_t n = flistxattr(fd, NULL, 0);

    if (n <= 0 || n > XATTR_MAX)
        return;
    names = xmalloc((size_t)n);
    n = flistxattr(fd, names, (size_t)n);
    for (const char *p = names; p < names + n && entry->n_xattrs < XATTRS_MAX; p += strlen(p) + 1) {
        ssize_t len = xattr_kept(p) ? fgetxattr(fd, p, t->piece, XATTR_MAX) : -1;
        struct tar_xattr *x;

        if (len < 0)
            continue;
        entry->xattrs = xrealloc(entry->xattrs, (entry->n_xattrs + 1) * sizeof(*entry->xattrs));
        x = &entry->xattrs[entry->n_xattrs++];
        *x = (struct tar_xattr){xstrdup(p), xmalloc((size_t)len + 1), (size_t)len};
        memcpy(x->value, t->piece, (size_t)len);
    }
}

static int64_t owner(const struct tree_tar *t, uid_t id)
{
    return (int64_t)id >= t->o.id_base ? (int64_t)id - t->o.id_base : 0;
}

static struct tar_entry entry_of(struct tree_tar *t, enum tar_type type, const struct stat *st)
{
    return (struct tar_entry){
        .type = type,
        .name = t->path.data,
        .mode = st->st_mode & 07777,
        .uid = owner(t, st->st_uid),
        .gid = owner(t, st->st_gid),
        .mtime = st->st_mtim,
    };
}

static int put(struct tree_tar *t, const struct tar_entry *entry, struct err *e)
{
    t->entries++;
    return tar_put_header(&t->tar, entry, e);
}

/* ---- what is not a directory */

/* The file may be cut short while it is read: the header has promised its size. */
static int put_content(struct tree_tar *t, int fd, int64_t size, struct err *e)
{
    bool short_of = false;

    for (int64_t left = size; left > 0;) {
        size_t want = left > PIECE ? PIECE : (size_t)left;
        ssize_t n = short_of ? 0 : read(fd, t->piece, want);

        if (cancel_fired(t->o.cancel))
            return err_set(e, ERR_CANCELLED, "context canceled");
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_os(e, errno, "cannot read %s", t->path.data);
        if (n == 0) {
            short_of = true;
            memset(t->piece, 0, want);
            n = (ssize_t)want;
        }
        if (tar_put_data(&t->tar, t->piece, (size_t)n, e))
            return -1;
        left -= n;
    }
    return 0;
}

/* 0: it is left out, as Docker does with what it cannot read; -1: the disk is at fault. */
static int unreadable(struct tree_tar *t, const char *what, struct err *e)
{
    if (errno == EIO || errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EUCLEAN)
        return err_os(e, errno, "cannot %s %s", what, t->path.data);
    if (errno != ENOENT && errno != ESTALE)
        log_warn("a file is left out of an archive", "path=%s error=%s", log_quote(t->path.data),
                 strerror(errno));
    return 0;
}

static int put_file(struct tree_tar *t, int path_fd, const struct stat *st, struct err *e)
{
    char self[32];
    struct tar_entry entry = entry_of(t, TAR_FILE, st);
    cleanup_fd int fd = -1;
    int rc;

    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd); /* this inode, no name */
    fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return unreadable(t, "open", e);
    entry.size = st->st_size;
    read_xattrs(t, fd, &entry);
    rc = put(t, &entry, e);
    release_xattrs(&entry);
    return rc || put_content(t, fd, st->st_size, e) ? -1 : 0;
}

static int put_symlink(struct tree_tar *t, int path_fd, const struct stat *st, struct err *e)
{
    struct tar_entry entry = entry_of(t, TAR_SYMLINK, st);
    ssize_t n =
        readlinkat(path_fd, "", t->piece, PATH_MAX); /* the walk recurses: no large frames */

    if (n < 0)
        return unreadable(t, "read the link", e);
    t->piece[n] = '\0';
    entry.link = t->piece;
    return put(t, &entry, e);
}

static int put_node(struct tree_tar *t, const struct stat *st, struct err *e)
{
    struct tar_entry entry = entry_of(t,
                                      S_ISCHR(st->st_mode)   ? TAR_CHAR
                                      : S_ISBLK(st->st_mode) ? TAR_BLOCKDEV
                                                             : TAR_FIFO,
                                      st);

    if (!S_ISFIFO(st->st_mode)) {
        entry.dev_major = major(st->st_rdev);
        entry.dev_minor = minor(st->st_rdev);
    }
    return put(t, &entry, e);
}

/* 1: it is a further name of what is in the tar already, and done with. */
static int put_hardlink(struct tree_tar *t, const struct stat *st, struct err *e)
{
    struct tar_entry entry = entry_of(t, TAR_HARDLINK, st);
    char key[48];

    if (st->st_nlink < 2)
        return 0;
    (void)snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)st->st_dev,
                   (unsigned long long)st->st_ino);
    entry.link = map_get(&t->links, key);
    if (entry.link)
        return put(t, &entry, e) ? -1 : 1;
    if (map_count(&t->links) < LINKS_MAX) /* beyond that, a file comes twice */
        map_put(&t->links, key, xstrdup(t->path.data));
    return 0;
}

/* ---- whiteouts */

/* dir/.wh.<name> */
static int put_mark(struct tree_tar *t, const char *dir, size_t dir_len, const char *name,
                    const struct stat *st, struct err *e)
{
    cleanup_free char *path = str_printf("%.*s%s%s", (int)dir_len, dir, WHITEOUT_PREFIX, name);
    struct tar_entry entry = entry_of(t, TAR_FILE, st);

    entry.name = path;
    return put(t, &entry, e);
}

int tree_tar_whiteout(struct tree_tar *t, const char *path, struct err *e)
{
    const char *base = path_base(path);
    const struct stat st = {.st_mode = 0600};

    return put_mark(t, path, (size_t)(base - path), base, &st, e);
}

static bool is_opaque(int fd)
{
    char value = 0;

    return fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

/* ---- directories */

static int add_path(struct tree_tar *t, int dir_fd, const char *base, dev_t dev, unsigned depth,
                    struct err *e);

/* Up to NAMES_MAX names, so that no directory is too large to be held. */
static bool next_names(DIR *d, struct strv *names)
{
    struct dirent *de;

    strv_release(names);
    while (names->n < NAMES_MAX && (de = readdir(d)))
        if (!str_eq(de->d_name, ".") && !str_eq(de->d_name, ".."))
            strv_add(names, de->d_name);
    strv_sort(names);
    return names->n > 0;
}

static int walk_names(struct tree_tar *t, DIR *d, dev_t dev, unsigned depth, struct err *e)
{
    cleanup_strv struct strv names = {0};
    const size_t len = t->path.len;

    while (next_names(d, &names))
        for (size_t i = 0; i < names.n; i++) {
            int rc;

            if (cancel_fired(t->o.cancel))
                return err_set(e, ERR_CANCELLED, "context canceled");
            buf_add(&t->path, names.v[i], strlen(names.v[i]));
            rc = buf_check(&t->path, "name in an archive", e) ||
                 add_path(t, dirfd(d), names.v[i], dev, depth, e);
            t->path.overflow = false;
            t->path.len = len;
            if (t->path.cap)
                t->path.data[len] = '\0';
            if (rc)
                return -1;
        }
    return 0;
}

/* fd: of the directory, for reading; taken over.  t->path ends in a slash, or is empty. */
static int walk(struct tree_tar *t, int fd, dev_t dev, unsigned depth, struct err *e)
{
    DIR *d;
    int rc;

    if (depth > TREE_DEPTH_MAX) {
        fd_close(fd);
        return err_set(e, ERR_INVALID, "more than %d levels of directories", TREE_DEPTH_MAX);
    }
    d = fdopendir(fd);
    if (!d) {
        fd_close(fd);
        return err_os(e, errno, "cannot list %s", t->path.data);
    }
    rc = walk_names(t, d, dev, depth, e);
    closedir(d);
    return rc;
}

static int put_dir(struct tree_tar *t, int path_fd, const struct stat *st, dev_t dev,
                   unsigned depth, struct err *e)
{
    cleanup_fd int fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct tar_entry entry;
    int rc;

    if (fd < 0)
        return unreadable(t, "open", e);
    if (!str_ends(t->path.data, "/"))
        buf_add(&t->path, "/", 1);
    if (buf_check(&t->path, "name in an archive", e))
        return -1;
    entry = entry_of(t, TAR_DIR, st);
    read_xattrs(t, fd, &entry);
    rc = put(t, &entry, e);
    release_xattrs(&entry);
    if (rc || (st->st_dev != dev && tree_is_kernels(fd)))
        return rc;
    if (t->o.layer && is_opaque(fd) &&
        put_mark(t, t->path.data, t->path.len, WHITEOUT_PREFIX ".opq", st, e))
        return -1;
    return walk(t, take_fd(fd), st->st_dev, depth + 1, e);
}

static int add_path(struct tree_tar *t, int dir_fd, const char *base, dev_t dev, unsigned depth,
                    struct err *e)
{
    cleanup_fd int fd = openat(dir_fd, base, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    int rc;

    if (fd < 0 || fstat(fd, &st))
        return unreadable(t, "look at", e);
    if (S_ISSOCK(st.st_mode) || (t->o.skip && t->o.skip(t->o.skip_arg, t->path.data, &st)))
        return 0;
    if (t->o.layer && whiteout_is(&st)) {
        st.st_mode = 0600;
        return put_mark(t, t->path.data, t->path.len - strlen(base), base, &st, e);
    }
    if (S_ISDIR(st.st_mode))
        return put_dir(t, fd, &st, dev, depth, e);
    if ((rc = put_hardlink(t, &st, e)) != 0)
        return rc < 0 ? -1 : 0;
    if (S_ISREG(st.st_mode))
        return put_file(t, fd, &st, e);
    return S_ISLNK(st.st_mode) ? put_symlink(t, fd, &st, e) : put_node(t, &st, e);
}

int tree_tar_add(struct tree_tar *t, int dir_fd, const char *base, const char *name, struct err *e)
{
    struct stat st;

    if (fstat(dir_fd, &st))
        return err_os(e, errno, "cannot look at %s", name);
    buf_reset(&t->path);
    buf_add(&t->path, name, strlen(name));
    return add_path(t, dir_fd, base, st.st_dev, 0, e);
}

int tree_tar_add_below(struct tree_tar *t, int dir_fd, struct err *e)
{
    cleanup_fd int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st))
        return err_os(e, errno, "cannot open the root of the tree");
    buf_reset(&t->path);
    return walk(t, take_fd(fd), st.st_dev, 0, e);
}
