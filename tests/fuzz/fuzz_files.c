/*
 * Files: any bytes, taken as the tar of an upload, go into a directory; what lies there then comes
 * out as a tar, which must be one, and paths from the input are looked up in it.  Beside the
 * directory lies a secret that must be as it was.
 *
 * The first byte chooses the options, the second is the length of the path that follows.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "images/layer_apply.h"
#include "images/remove_at.h"
#include "images/tree_path.h"
#include "images/tree_tar.h"
#include "tests/fuzz/fuzz.h"

#define OUT_MAX (64 << 20)

static char *base;
static int base_fd = -1;

static void tidy(void)
{
    if (base && fs_remove_all(base, ERR_IGNORE))
        fprintf(stderr, "cannot remove %s\n", base);
}

static void prepare(void)
{
    char dir[] = "/dev/shm/ballast-fuzz-XXXXXX";
    cleanup_free char *secret = NULL;

    if (!mkdtemp(dir))
        abort();
    base = xstrdup(dir);
    secret = path_join(base, "secret");
    if (fs_write_atomic(secret, "secret", 6, 0600, false, ERR_IGNORE))
        abort();
    base_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    atexit(tidy);
}

struct input {
    const uint8_t *p;
    size_t n;
};

static int read_input(void *arg, void *buf, size_t n, size_t *got, struct err *e)
{
    struct input *in = arg;

    (void)e;
    *got = n < in->n ? n : in->n;
    memcpy(buf, in->p, *got);
    in->p += *got;
    in->n -= *got;
    return 0;
}

static int write_out(void *arg, const void *bytes, size_t n, struct err *e)
{
    struct buf *out = arg;

    buf_add(out, bytes, n);
    return buf_check(out, "the tar", e);
}

static void check_outside(void)
{
    cleanup_strv struct strv names = {0};
    struct stat st;

    if (fs_list(base, &names, ERR_IGNORE) || names.n != 2 || fstatat(base_fd, "secret", &st, 0) ||
        st.st_size != 6 || st.st_nlink != 1 || (st.st_mode & 07777) != 0600 || st.st_uid)
        abort();
}

/* What was made comes out as a tar that our own reader takes. */
static void read_back(int fd, bool layer)
{
    cleanup_buf struct buf out = BUF_INIT(OUT_MAX);
    const struct tree_tar_opts o = {.write = write_out, .arg = &out, .layer = layer};
    cleanup_tree_tar struct tree_tar *t = tree_tar_new(&o);
    cleanup_tar_reader struct tar_reader *r = NULL;
    const struct tar_entry *entry;
    struct input in;

    if (tree_tar_add(t, fd, ".", "x", ERR_IGNORE) || tree_tar_end(t, ERR_IGNORE))
        return; /* too deep, too large */
    in = (struct input){(const uint8_t *)out.data, out.len};
    r = tar_reader_new(read_input, &in);
    do
        if (tar_next(r, &entry, ERR_IGNORE))
            abort();
    while (entry);
}

static void look_up(int fd, const char *path)
{
    cleanup_free char *abs = tree_path_absolute(path), *where = NULL;
    struct tree_stat st = {0};
    struct err e = ERR_INIT;
    int dir;

    if (abs[0] != '/')
        abort();
    if (tree_path_stat(fd, path, &st, &e) && !e.kind)
        abort();
    if (st.link_target && *st.link_target && st.link_target[0] != '/')
        abort();
    tree_stat_release(&st);
    dir = tree_path_open_dir(fd, path, &where, ERR_IGNORE);
    if (dir >= 0)
        close(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len = size > 2 ? data[1] % 64 : 0;
    cleanup_free char *path = NULL;
    struct tar_apply_opts o = {.where = "/"};
    struct err e = ERR_INIT;
    struct input in;
    int fd;

    if (size < 2 + len || size < 2 || geteuid() != 0)
        return 0;
    if (base_fd < 0)
        prepare();
    o.keep_kinds = data[0] & 1;
    o.own = data[0] & 2;
    path = str_ndup((const char *)data + 2, len);
    in = (struct input){data + 2 + len, size - 2 - len};
    if (mkdirat(base_fd, "root", 0755))
        abort();
    fd = openat(base_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tar_apply(fd, read_input, &in, &o, &e) && !e.kind)
        abort(); /* a failure says why */
    read_back(fd, data[0] & 4);
    look_up(fd, path);
    close(fd);
    check_outside();
    if (remove_at(base_fd, "root", ERR_IGNORE))
        abort();
    return 0;
}
