/*
 * compress: the rotated files of a log to .gz, in a process of their own (ballast-log compress).
 *
 * (1) One process per log: it holds a lock on its output, path.gz.tmp, and takes all old files, the
 *     oldest first, until there is none.
 * (2) The result is on the disk before it replaces the original, which may have another number by
 *     then, or none: both are renamed under the lock on the names.
 *     A file that somebody reads is left alone, until the next rotation calls for us.
 * (3) The head has dockerd's extra field, with one member more: the inode of the original, by which
 *     a reader finds out where in the log it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "logdrivers/log_file.h"

#define CHUNK     (64 * 1024)
#define GZIP_BITS (15 + 16)
#define GAPS      2

struct packer {
    z_stream z;
    gz_header head;
    char extra[LOG_GZ_EXTRA_MAX];
    unsigned char in[CHUNK], out[CHUNK];
};

static int write_out(int fd, const unsigned char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, bytes, n);

        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return -1;
        bytes += w;
        n -= (size_t)w;
    }
    return 0;
}

static int pack_some(struct packer *p, int to, int flush)
{
    do {
        p->z.next_out = p->out;
        p->z.avail_out = sizeof(p->out);
        if (deflate(&p->z, flush) == Z_STREAM_ERROR) {
            errno = EINVAL;
            return -1;
        }
        if (write_out(to, p->out, sizeof(p->out) - p->z.avail_out))
            return -1;
    } while (p->z.avail_out == 0);
    return 0;
}

static int pack(struct packer *p, int from, int to)
{
    ssize_t n;

    do {
        n = read(from, p->in, sizeof(p->in));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p->z.next_in = p->in;
        p->z.avail_in = (unsigned)n;
        if (pack_some(p, to, n == 0 ? Z_FINISH : Z_NO_FLUSH))
            return -1;
    } while (n != 0);
    return 0;
}

static int pack_file(int from, const struct stat *st, int to)
{
    cleanup_free struct packer *p = xcalloc(1, sizeof(*p));
    char last[TIME_TEXT_MAX];
    int r;

    time_format(st->st_mtim.tv_sec * NS_PER_SEC + st->st_mtim.tv_nsec, last);
    p->head.extra = (unsigned char *)p->extra;
    p->head.extra_len =
        (unsigned)snprintf(p->extra, sizeof(p->extra), "{" LOG_GZ_TIME "%s\"," LOG_GZ_INO "%llu}",
                           last, (unsigned long long)st->st_ino);
    p->head.os = 255; /* unknown, as Go has it */
    if (deflateInit2(&p->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_BITS, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        errno = ENOMEM;
        return -1;
    }
    (void)deflateSetHeader(&p->z, &p->head);
    r = pack(p, from, to);
    (void)deflateEnd(&p->z);
    return r;
}

/* -1: none is left that is not compressed and that nobody reads. */
static int open_oldest(const char *path, struct stat *st)
{
    int found = -1;

    for (int64_t n = 1, gaps = 0; n <= LOG_FILE_MAX_FILES && gaps < GAPS; n++) {
        cleanup_free char *plain = log_file_name(path, n, false);
        cleanup_free char *gz = log_file_name(path, n, true);
        cleanup_fd int fd = open(plain, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

        gaps = fd >= 0 || access(gz, F_OK) == 0 ? 0 : gaps + 1;
        if (fd < 0 || fstat(fd, st) || !S_ISREG(st->st_mode) || log_file_is_read(fd))
            continue;
        fd_close(found);
        found = take_fd(fd);
    }
    if (found >= 0 && fstat(found, st)) {
        fd_close(found);
        found = -1;
    }
    return found;
}

/* See (2).  A file without a name any more was rotated away: so is its result. */
static int put_in_place(const char *path, const char *work, int from, const struct stat *st,
                        struct err *e)
{
    cleanup_fd int names = log_file_lock_names(path, true);
    const struct log_source original = {.fd = from, .ino = st->st_ino};
    cleanup_free char *plain = NULL, *gz = NULL;
    struct stat now;
    int64_t n;

    if (names < 0)
        return err_os(e, errno, "lock the names of log %s", path);
    n = log_source_number(path, &original);
    /* Exclusive until it has no name any more: who has opened it meanwhile sees that then. */
    if (n < 1 || flock(from, LOCK_EX | LOCK_NB))
        return fs_remove(work, e);
    plain = log_file_name(path, n, false);
    gz = log_file_name(path, n, true);
    if (lstat(plain, &now) || now.st_ino != st->st_ino)
        return fs_remove(work, e);
    if (rename(work, gz))
        return err_os(e, errno, "rename log file %s to %s", work, gz);
    return fs_remove(plain, e);
}

static int compress_one(const char *path, const char *work, int from, const struct stat *st, int to,
                        struct err *e)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};

    if (ftruncate(to, 0) || pack_file(from, st, to) || fchmod(to, st->st_mode & 0777) ||
        fsync(to) || futimens(to, times))
        return err_os(e, errno, "compress an old file of log %s", path);
    return put_in_place(path, work, from, st, e);
}

/* The work file, locked; -1 when another process has it. */
static int open_work(const char *work)
{
    cleanup_fd int fd = open(work, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    struct stat ours, named;

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &ours) || lstat(work, &named))
        return -1;
    return ours.st_ino == named.st_ino ? take_fd(fd) : -1;
}

int log_compress(const char *path, struct err *e)
{
    cleanup_free char *work = str_printf("%s" LOG_GZ_WORK, path);

    (void)setpriority(PRIO_PROCESS, 0, 19);
    for (;;) {
        cleanup_fd int to = open_work(work), from = -1;
        struct stat st;

        if (to < 0)
            return 0;
        from = open_oldest(path, &st);
        if (from < 0)
            return fs_remove(work, e);
        if (compress_one(path, work, from, &st, to, e)) {
            (void)!fs_remove(work, ERR_IGNORE);
            return -1;
        }
    }
}
