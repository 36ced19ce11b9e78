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

#define GZ_HEAD    12 /* up to the length of the extra field */
#define GZ_EXTRA   4  /* the flag that there is one */
#define GZ_BUFFER  (64 * 1024)
#define OPEN_TRIES 8
#define GAPS       2 /* so many numbers without a file are the end */

char *log_file_name(const char *path, int64_t n, bool gz)
{
    return n == 0 ? xstrdup(path) : str_printf("%s.%lld%s", path, (long long)n, gz ? ".gz" : "");
}

bool log_file_is_read(int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB))
        return errno == EWOULDBLOCK;
    (void)flock(fd, LOCK_UN);
    return false;
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

/* All 0 when the head does not say: dockerd's do not. */
static struct log_origin read_origin(int fd)
{
    struct log_origin none = {0}, o = {0};
    char head[GZ_HEAD + LOG_GZ_EXTRA_MAX + 1] = "", *time, *ino, *quote;
    ssize_t n = pread(fd, head, sizeof(head) - 1, 0);
    size_t len;

    if (n < GZ_HEAD || memcmp(head, "\x1f\x8b\x08", 3) != 0 || !(head[3] & GZ_EXTRA))
        return none;
    len = (size_t)(unsigned char)head[10] | (size_t)(unsigned char)head[11] << 8;
    if (len > LOG_GZ_EXTRA_MAX)
        return none;
    head[GZ_HEAD + len] = '\0';
    time = strstr(head + GZ_HEAD, LOG_GZ_TIME);
    ino = strstr(head + GZ_HEAD, LOG_GZ_INO);
    if (!time || !ino)
        return none;
    o.ino = (ino_t)strtoull(ino + strlen(LOG_GZ_INO), NULL, 10);
    time += strlen(LOG_GZ_TIME);
    quote = strchr(time, '"');
    if (!quote)
        return none;
    *quote = '\0';
    return time_parse(time, &o.mtime_ns, ERR_IGNORE) ? none : o;
}

static int64_t mtime_ns(const struct stat *st)
{
    return st->st_mtim.tv_sec * NS_PER_SEC + st->st_mtim.tv_nsec;
}

static bool is_origin(const struct log_origin *origin, const struct log_source *s)
{
    struct stat st;

    return origin->ino != 0 && !s->gz && s->ino == origin->ino && fstat(s->fd, &st) == 0 &&
           mtime_ns(&st) == origin->mtime_ns;
}

static int open_one(const char *path, int64_t n, bool gz, struct stat *st)
{
    cleanup_free char *name = log_file_name(path, n, gz);
    cleanup_fd int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 || fstat(fd, st) || !S_ISREG(st->st_mode))
        return -1;
    return take_fd(fd);
}

/* Shared with other readers; who excludes us has tried, and lets go at once. */
static bool lock_shared(int fd, struct stat *st)
{
    while (flock(fd, LOCK_SH) && errno == EINTR)
        ;
    return fstat(fd, st) == 0 && st->st_nlink > 0;
}

/* Plain, or compressed; what has lost its name before it was locked is not it. */
static int open_either(const char *path, int64_t n, struct stat *st, bool *gz)
{
    for (int tries = 0; tries < OPEN_TRIES; tries++) {
        cleanup_fd int fd = open_one(path, n, false, st);

        *gz = fd < 0 && n > 0;
        if (*gz)
            fd = open_one(path, n, true, st);
        if (fd < 0)
            return -1;
        if (lock_shared(fd, st))
            return take_fd(fd);
    }
    return -1;
}

int log_source_open(const char *path, int64_t n, struct log_source *out)
{
    struct stat st;
    bool gz = false;
    cleanup_fd int fd = open_either(path, n, &st, &gz);

    if (fd < 0)
        return -1;
    *out = (struct log_source){
        .fd = -1, .ino = st.st_ino, .size = st.st_size, .mtime_s = st.st_mtim.tv_sec};
    if (gz) {
        out->origin = read_origin(fd);
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
    if (a->fd < 0 || b->fd < 0)
        return false;
    return a->ino == b->ino || is_origin(&a->origin, b) || is_origin(&b->origin, a);
}

static bool has_number(const char *path, int64_t n, const struct log_source *s, bool *exists)
{
    cleanup_free char *plain = log_file_name(path, n, false), *gz = log_file_name(path, n, true);
    struct log_origin origin;
    cleanup_fd int fd = -1;
    struct stat st;

    *exists = lstat(plain, &st) == 0;
    if (*exists && s && st.st_ino == s->ino)
        return true;
    if (n == 0 || lstat(gz, &st))
        return false;
    *exists = true;
    if (!s || st.st_ino == s->ino)
        return s != NULL;
    if (s->gz)
        return false;
    fd = open(gz, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    origin = read_origin(fd);
    return is_origin(&origin, s);
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
