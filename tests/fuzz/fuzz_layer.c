/*
 * Layers: any bytes, taken as a tar, are unpacked below a directory; beside it lies a secret that
 * must be as it was.  The first byte chooses the form of whiteouts.
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
#include "tests/fuzz/fuzz.h"

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

static void check_outside(void)
{
    cleanup_strv struct strv names = {0};
    struct stat st;

    if (fs_list(base, &names, ERR_IGNORE) || names.n != 2 || fstatat(base_fd, "secret", &st, 0) ||
        st.st_size != 6 || st.st_nlink != 1 || (st.st_mode & 07777) != 0600 || st.st_uid)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data + 1, size - 1};
    struct err e = ERR_INIT;
    int64_t bytes;
    int fd;

    if (size < 1 || geteuid() != 0)
        return 0;
    if (base_fd < 0)
        prepare();
    if (mkdirat(base_fd, "root", 0755))
        abort();
    fd = openat(base_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (layer_apply(fd, read_input, &in, data[0] & 1 ? WHITEOUT_FLAT : WHITEOUT_OVERLAY, &bytes,
                    &e) &&
        !e.kind)
        abort(); /* a failure says why */
    close(fd);
    check_outside();
    if (remove_at(base_fd, "root", ERR_IGNORE))
        abort();
    return 0;
}
