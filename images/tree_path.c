/* tree_path: see tree_path.h. */
#include "images/tree_path.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/tree_tar.h"

#define LINKS_MAX 255

void tree_stat_release(struct tree_stat *s)
{
    free(s->name);
    free(s->link_target);
    *s = (struct tree_stat){0};
}

char *tree_path_absolute(const char *path)
{
    cleanup_free char *rooted = str_printf("/%s", path);
    cleanup_free char *clean = path_clean(rooted);
    const char *sep = str_ends(clean, "/") ? "" : "/";

    if (str_eq(path, ".") || str_ends(path, "/."))
        return str_printf("%s%s.", clean, sep);
    return str_printf("%s%s", clean, str_ends(path, "/") ? sep : "");
}

/* filepath.Base() */
static char *base_name(const char *path)
{
    size_t n = strlen(path);
    const char *start;

    if (n == 0)
        return xstrdup(".");
    while (n > 0 && path[n - 1] == '/')
        n--;
    if (n == 0)
        return xstrdup("/");
    for (start = path + n; start > path && start[-1] != '/'; start--)
        ;
    return str_ndup(start, (size_t)(path + n - start));
}

uint32_t tree_mode_go(mode_t mode)
{
    static const struct {
        mode_t type;
        uint32_t go;
    } types[] = {
        {S_IFDIR,  1U << 31           },
        {S_IFLNK,  1U << 27           },
        {S_IFBLK,  1U << 26           },
        {S_IFCHR,  1U << 26 | 1U << 21},
        {S_IFIFO,  1U << 25           },
        {S_IFSOCK, 1U << 24           },
    };
    uint32_t go = mode & 0777;

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if ((mode & S_IFMT) == types[i].type)
            go |= types[i].go;
    go |= mode & S_ISUID ? 1U << 23 : 0;
    go |= mode & S_ISGID ? 1U << 22 : 0;
    go |= mode & S_ISVTX ? 1U << 20 : 0;
    return go;
}

/* Go's words begin with a small letter. */
static int go_error(const char *what, const char *path, int code, struct err *e)
{
    char text[128];

    str_copy(text, sizeof(text), strerror(code));
    text[0] = (char)tolower((unsigned char)text[0]);
    err_set(e, code == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s %s: %s", what, path, text);
    e->os_code = code;
    return -1;
}

/* proc and its kind are not the container's files; what is below them is not there. */
static int refuse_kernels(int fd, const char *path, struct err *e)
{
    if (!tree_is_kernels(fd))
        return fd;
    fd_close(fd);
    return go_error("lstat", path, ENOENT, e);
}

static int open_below(int root_fd, const char *path, int flags, struct err *e)
{
    cleanup_free char *exact = str_printf("%s%s", path, str_ends(path, "/") ? "." : "");
    struct err why = ERR_INIT;
    int fd = fs_open_in_root(root_fd, exact, O_PATH | O_CLOEXEC | flags, 0, &why);

    return fd < 0 ? go_error("lstat", path, why.os_code, e) : refuse_kernels(fd, path, e);
}

int tree_path_open(int root_fd, const char *path, struct err *e)
{
    return open_below(root_fd, path, O_NOFOLLOW, e);
}

int tree_path_stat(int root_fd, const char *path, struct tree_stat *out, struct err *e)
{
    cleanup_fd int fd = tree_path_open(root_fd, path, e);
    cleanup_free char *target = NULL;
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st))
        return go_error("lstat", path, errno, e);
    target = S_ISLNK(st.st_mode) ? tree_path_follow(root_fd, path, e) : xstrdup("");
    if (!target)
        return -1;
    *out = (struct tree_stat){
        .name = base_name(path),
        .size = st.st_size,
        .mode = tree_mode_go(st.st_mode),
        .mtime_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec,
        .link_target = take_ptr(target),
    };
    return 0;
}

/* The text of a link: 1, 0 when it is none or not there. */
static int read_link(int root_fd, const char *path, char target[PATH_MAX])
{
    cleanup_fd int fd =
        fs_open_in_root(root_fd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, ERR_IGNORE);
    ssize_t n = fd < 0 ? -1 : readlinkat(fd, "", target, PATH_MAX - 1);

    target[n > 0 ? n : 0] = '\0';
    return n > 0;
}

char *tree_path_follow(int root_fd, const char *path, struct err *e)
{
    cleanup_free char *at = xstrdup("/"), *rest = xstrdup(path);
    unsigned links = 0;

    while (*rest) {
        char *p = rest + strspn(rest, "/");
        size_t n = strcspn(p, "/");
        cleanup_free char *name = str_ndup(p, n);
        cleanup_free char *left = xstrdup(p + n), *next = path_join(at, name);
        char target[PATH_MAX];

        if (strlen(at) + strlen(rest) > 4 * PATH_MAX || links > LINKS_MAX) {
            err_set(e, ERR_IO, "evalSymlinksInScope: too many links in %s", path);
            return NULL;
        }
        if (n && read_link(root_fd, next, target)) {
            links++;
            free(rest);
            rest = str_printf("%s/%s", target, left + strspn(left, "/"));
            if (target[0] == '/')
                str_set(&at, "/");
            continue;
        }
        str_set(&at, next);
        str_set(&rest, left);
    }
    return take_ptr(at);
}

/* A directory is named by itself, anything else by its directory and its name in there. */
int tree_path_pack(struct tree_tar *t, int root_fd, const char *path, const struct tree_stat *st,
                   struct err *e)
{
    cleanup_free char *dir = path_dir(path);
    const bool is_dir = st->mode & 1U << 31;
    cleanup_fd int fd = -1;

    if (is_dir)
        fd = tree_path_open(root_fd, path, e);
    else
        fd = fs_open_in_root(root_fd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, e);
    if (fd < 0 ||
        (fd = refuse_kernels(take_fd(fd), path, e)) < 0) /* exchanged since it was looked at */
        return -1;
    return tree_tar_add(t, fd, is_dir ? "." : st->name, st->name, e);
}

int tree_path_open_dir(int root_fd, const char *path, char **where, struct err *e)
{
    cleanup_free char *abs = tree_path_absolute(path);
    cleanup_fd int fd = open_below(root_fd, abs, 0, e);
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st))
        return go_error("lstat", abs, errno, e);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, ERR_INVALID, "extraction point is not a directory");
    *where = tree_path_follow(root_fd, abs, e);
    return *where ? take_fd(fd) : -1;
}
