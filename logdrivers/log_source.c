/*
 * log_source: one of the files of a log, open for reading, compressed or not; and where it is now.
 *
 * The names move while we look at them: a rotation goes from the highest number downwards, so there
 * is at most one gap at any moment, and a search goes upwards, so that no file slips past it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <zlib.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/mem.h"
#include "logdrivers/log_file.h"

#define GZ_HEAD   12 /* up to the length of the extra field */
#define GZ_EXTRA  4  /* the flag that there is one */
#define GZ_BUFFER (64 * 1024)
#define GAPS      2 /* so many numbers without a file are the end */

char *log_file_name(const char *path, int64_t n, bool gz)
{
    return n == 0 ? xstrdup(path) : str_printf("%s.%lld%s", path, (long long)n, gz ? ".gz" : "");
}

int log_file_lock_names(const char *path, bool wait)
{
    cleanup_free char *dir = path_dir(path);
    cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    while (flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB))
        if (errno != EINTR)
            return -1;
    return take_fd(fd);
}

/* 0 when the head does not say: dockerd's do not. */
static ino_t inode_in_head(int fd)
{
    char head[GZ_HEAD + LOG_GZ_EXTRA_MAX + 1] = "";
    ssize_t n = pread(fd, head, sizeof(head) - 1, 0);
    const char *ino;
    size_t len;

    if (n < GZ_HEAD || memcmp(head, "\x1f\x8b\x08", 3) != 0 || !(head[3] & GZ_EXTRA))
        return 0;
    len = (size_t)(unsigned char)head[10] | (size_t)(unsigned char)head[11] << 8;
    if (len > LOG_GZ_EXTRA_MAX)
        return 0;
    head[GZ_HEAD + len] = '\0';
    ino = strstr(head + GZ_HEAD, "\"ino\":");
    return ino ? (ino_t)strtoull(ino + 6, NULL, 10) : 0;
}

static int open_one(const char *path, int64_t n, bool gz, struct stat *st)
{
    cleanup_free char *name = log_file_name(path, n, gz);
    cleanup_fd int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 || fstat(fd, st) || !S_ISREG(st->st_mode))
        return -1;
    return take_fd(fd);
}

int log_source_open(const char *path, int64_t n, struct log_source *out)
{
    struct stat st;
    bool gz = false;
    cleanup_fd int fd = open_one(path, n, false, &st);

    if (fd < 0 && n > 0) {
        gz = true;
        fd = open_one(path, n, true, &st);
    }
    if (fd < 0)
        return -1;
    /* Shared with other readers, and the writer only ever tries: this does not wait for long. */
    while (flock(fd, LOCK_SH) && errno == EINTR)
        ;
    *out = (struct log_source){.fd = -1,
                               .ino = st.st_ino,
                               .first_ino = st.st_ino,
                               .size = st.st_size,
                               .mtime_s = st.st_mtim.tv_sec};
    if (gz) {
        ino_t first = inode_in_head(fd);

        if (first != 0)
            out->first_ino = first;
        out->size = -1;
        out->gz = gzdopen(fd, "rb");
        if (!out->gz)
            return -1;
        (void)gzbuffer(out->gz, GZ_BUFFER);
    }
    out->fd = take_fd(fd);
    return 0;
}

void log_source_close(struct log_source *s)
{
    if (s->gz)
        (void)gzclose(s->gz); /* the descriptor is its own */
    else
        fd_close(s->fd);
    *s = LOG_SOURCE_NONE;
}

int64_t log_source_read(struct log_source *s, char *bytes, size_t n)
{
    int64_t got;

    if (FAULT("log.read")) {
        errno = EIO;
        return -1;
    }
    errno = 0;
    do
        got = s->gz ? gzread(s->gz, bytes, (unsigned)n) : pread(s->fd, bytes, n, s->offset);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        s->offset += got;
    /* What a damaged archive still has was read; the rest of it is lost, not the files after. */
    return got < 0 && s->gz && errno == 0 ? 0 : got;
}

int log_source_rewind(struct log_source *s)
{
    s->offset = 0;
    return s->gz ? gzrewind(s->gz) : 0;
}

bool log_source_same(const struct log_source *a, const struct log_source *b)
{
    return a->fd >= 0 && b->fd >= 0 && (a->ino == b->ino || a->first_ino == b->first_ino);
}

static bool has_number(const char *path, int64_t n, const struct log_source *s, bool *exists)
{
    cleanup_free char *plain = log_file_name(path, n, false), *gz = log_file_name(path, n, true);
    cleanup_fd int fd = -1;
    struct stat st;

    *exists = lstat(plain, &st) == 0;
    if (*exists && s && (st.st_ino == s->ino || st.st_ino == s->first_ino))
        return true;
    if (n == 0 || lstat(gz, &st))
        return false;
    *exists = true;
    if (!s || st.st_ino == s->ino)
        return s != NULL;
    fd = open(gz, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return fd >= 0 && inode_in_head(fd) == s->first_ino;
}

int64_t log_source_number(const char *path, const struct log_source *s)
{
    bool exists;

    for (int64_t n = 0, gaps = 0; n <= LOG_FILE_MAX_FILES && gaps < GAPS; n++) {
        if (has_number(path, n, s, &exists))
            return n;
        gaps = exists || n == 0 ? 0 : gaps + 1;
    }
    return -1;
}

int64_t log_source_oldest(const char *path)
{
    int64_t oldest = 0;
    bool exists;

    for (int64_t n = 1, gaps = 0; n <= LOG_FILE_MAX_FILES && gaps < GAPS; n++) {
        (void)has_number(path, n, NULL, &exists);
        gaps = exists ? 0 : gaps + 1;
        if (exists)
            oldest = n;
    }
    return oldest;
}
