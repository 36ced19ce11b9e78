/*
 * log_file_write: the writer of the drivers that write files, which runs in the shim.
 *
 * (1) Records are gathered in memory and leave with one write(2): at FLUSH_AT bytes, or when the
 *     shim says that the output pauses.
 * (2) A record is in the file whole or not at all.  What a write could only begin (full disk) is
 *     cut off again; half a record that a killed shim has left is cut off at the next open.
 * (3) A full disk costs records, never the container: they are dropped and counted, and the count
 *     is logged as a record of its own once writing works again.
 * (4) The current file is complete before it is renamed to .1, and a new inode takes its name: who
 *     follows it reads the old one to its end and goes on with the next.
 * (5) A rotation that cannot be had now (readers, the compressor: log_file.h) is put off; nothing
 *     here waits for another process.
 * (6) A flush with nothing to write gives the memory back: an idle shim stays small.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/time.h"
#include "logdrivers/log_attrs.h"
#include "logdrivers/log_file.h"

#define FLUSH_AT      (128 * 1024)
#define LOST_NOTE_MAX 128

struct log_writer {
    const struct log_codec *codec;
    int fd;
    char *path;
    int64_t size, max_size, max_files;
    int64_t rotate_at; /* max_size, or more when a rotation was put off */
    int held;          /* a file without a name that somebody still reads, or -1 */
    char *compressor;  /* NULL: old files stay as they are */
    char *attrs;
    struct log_encoder encoder;
    char *bytes; /* NULL while nothing is gathered */
    size_t used;
    int64_t records; /* gathered */
    int64_t lost;    /* records dropped since the last good write */
    uint64_t untold; /* and those that log_file_lost() has not told of */
};

static int open_file(const char *path, int extra, int *out, struct err *e)
{
    *out = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | extra, 0640);
    if (FAULT("log.open") && *out >= 0) {
        fd_close(*out);
        *out = -1;
        errno = ENOSPC;
    }
    if (*out < 0)
        return err_os(e, errno, "open log file %s", path);
    return 0;
}

/* Cuts half a record off the end; see (2). */
static int repair_tail(const struct log_codec *codec, int fd, const char *path, int64_t *size,
                       struct err *e)
{
    int64_t end;

    if (codec->whole(fd, *size, &end))
        return err_os(e, errno, "read log file %s", path);
    if (end != *size && ftruncate(fd, end))
        return err_os(e, errno, "truncate log file %s", path);
    *size = end;
    return 0;
}

/* One program per log at most: it holds a lock while it works, and takes all there are. */
static bool is_being_compressed(const struct log_writer *w)
{
    cleanup_free char *work = str_printf("%s" LOG_GZ_WORK, w->path);
    cleanup_fd int fd = open(work, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    return fd >= 0 && log_file_is_read(fd);
}

/* Old files are compressed by a process of its own; when it does not start they stay as they are
 * until the next rotation. */
static void compress_old(struct log_writer *w)
{
    static const char *const env[] = {NULL};
    const char *argv[] = {w->compressor, "compress", w->path, NULL};
    const struct process_opts o = {.argv = argv, .envp = env};
    struct process p;

    if (w->compressor && w->max_files > 1 && !is_being_compressed(w))
        (void)!process_spawn(&o, &p, ERR_IGNORE); /* the shim waits for all its children */
}

int log_file_open(const struct log_codec *codec, const char *path, const struct log_file_opts *o,
                  struct log_writer **out, struct err *e)
{
    const char *attrs = o->attrs ? o->attrs : "";
    cleanup_fd int fd = -1;
    struct stat st;
    struct log_writer *w;
    int64_t size;

    if (open_file(path, 0, &fd, e))
        return -1;
    if (fstat(fd, &st))
        return err_os(e, errno, "stat log file %s", path);
    if (strlen(attrs) > LOG_ATTRS_MAX)
        return err_set(e, ERR_INVALID, "log attributes are larger than %d bytes", LOG_ATTRS_MAX);
    size = st.st_size;
    if (repair_tail(codec, fd, path, &size, e))
        return -1;
    w = xcalloc(1, sizeof(*w));
    w->codec = codec;
    w->fd = take_fd(fd);
    w->held = -1;
    w->path = xstrdup(path);
    w->size = size;
    w->max_size = w->rotate_at = o->max_size;
    w->max_files = o->max_files;
    w->compressor = o->compress ? str_dup_or_null(o->compressor) : NULL;
    w->attrs = xstrdup(attrs);
    w->encoder =
        (struct log_encoder){.attrs = w->attrs, .attrs_len = strlen(attrs), .time_ns = TIME_ZERO};
    *out = w;
    return 0;
}

static void drop_memory(struct log_writer *w)
{
    free(w->bytes);
    w->bytes = NULL;
}

/* Takes back the bytes that a failed write has left.  The file may have been truncated by an
 * operator, so its own size counts.  Should this fail, readers skip the damaged record. */
static void cut_off(struct log_writer *w, size_t done)
{
    struct stat st;

    if (done > 0 && fstat(w->fd, &st) == 0 && st.st_size >= (off_t)done)
        (void)!ftruncate(w->fd, st.st_size - (off_t)done);
}

static ssize_t write_some(const struct log_writer *w, const char *bytes, size_t n)
{
    if (FAULT("log.write")) {
        errno = ENOSPC;
        return -1;
    }
    return write(w->fd, bytes, FAULT("log.write_part") ? n / 2 : n);
}

static int write_all(struct log_writer *w, struct err *e)
{
    size_t done = 0;

    while (done < w->used) {
        ssize_t n = write_some(w, w->bytes + done, w->used - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int code = n < 0 ? errno : EIO;

            cut_off(w, done);
            return err_os(e, code, "write log file %s", w->path);
        }
        done += (size_t)n;
    }
    w->size += (int64_t)done;
    return 0;
}

static void append(struct log_writer *w, const struct log_line *line)
{
    w->used += w->codec->encode(&w->encoder, w->bytes + w->used, line);
    w->records++;
}

/* Says in the log itself what is missing from it. */
static int note_lost(struct log_writer *w, struct err *e)
{
    char text[LOST_NOTE_MAX];
    struct log_line note = {.unix_ns = time_wall_ns(), .from_stderr = true, .bytes = text};
    int64_t lost = w->lost;

    if (lost == 0)
        return 0;
    note.len = (size_t)snprintf(text, sizeof(text),
                                "[ballast: %lld log records were lost, the disk was full]",
                                (long long)lost);
    w->used = 0;
    w->lost = 0;
    append(w, &note);
    if (write_all(w, e) == 0)
        return 0;
    w->lost = lost;
    return -1;
}

/* The gathered bytes to the file, or dropped and counted. */
static int flush_bytes(struct log_writer *w, struct err *e)
{
    int64_t records = w->records;
    int r = w->used > 0 ? write_all(w, e) : 0;

    if (r) {
        w->lost += records;
        w->untold += (uint64_t)records;
    } else if (w->used > 0) {
        r = note_lost(w, e);
    }
    w->used = 0;
    w->records = 0;
    return r;
}

/* ------------------------------------------------------------------ rotation */

static int shift_one(struct log_writer *w, int64_t to, bool gz, struct err *e)
{
    cleanup_free char *from_name = log_file_name(w->path, to - 1, gz);
    cleanup_free char *to_name = log_file_name(w->path, to, gz);

    if (gz && to == 1) /* the current file has no compressed twin */
        return unlink(to_name) == 0 || errno == ENOENT
                   ? 0
                   : err_os(e, errno, "remove log file %s", to_name);
    if (FAULT("log.rename"))
        return err_set(e, ERR_IO, "rename log file %s: injected", from_name);
    if (rename(from_name, to_name) == 0)
        return 0;
    if (errno != ENOENT)
        return err_os(e, errno, "rename log file %s to %s", from_name, to_name);
    /* Its place may be another one's, compressed or not, which must not be joined by an older. */
    return unlink(to_name) == 0 || errno == ENOENT
               ? 0
               : err_os(e, errno, "remove log file %s", to_name);
}

static int shift_files(struct log_writer *w, struct err *e)
{
    for (int64_t i = w->max_files - 1; i > 0; i--)
        if (shift_one(w, i, false, e) || shift_one(w, i, true, e))
            return -1;
    return 0;
}

static void let_go(struct log_writer *w)
{
    fd_close(w->held);
    w->held = -1;
}

/* The file that loses its name next; -1: none. */
static int open_last(const struct log_writer *w)
{
    int fd = -1;

    for (int gz = 0; gz < 2 && fd < 0; gz++) {
        cleanup_free char *name = log_file_name(w->path, w->max_files - 1, gz == 1);

        fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    return fd;
}

/* Keeps it in sight while somebody reads it; see log_file.h (3). */
static void hold(struct log_writer *w, int fd)
{
    if (fd >= 0 && log_file_is_read(fd))
        w->held = fd;
    else
        fd_close(fd);
}

/* The next try is a bit later, so that one record does not cost a try each. */
static void put_off(struct log_writer *w)
{
    w->rotate_at = w->size + w->max_size / 4 + 1;
}

/* The kernel's own times are coarse, and this one tells files apart: log_file.h (1). */
static void set_last_change(const struct log_writer *w)
{
    int64_t now = time_wall_ns();
    const struct timespec t = {.tv_sec = now / NS_PER_SEC, .tv_nsec = now % NS_PER_SEC};

    (void)!futimens(w->fd, (const struct timespec[2]){{.tv_nsec = UTIME_OMIT}, t});
}

static bool has_patience(const struct log_writer *w)
{
    return w->size < w->max_size + LOG_FILE_SPARE || w->size / LOG_FILE_PATIENCE < w->max_size;
}

static int rotate(struct log_writer *w, struct err *e)
{
    cleanup_free char *fresh = str_printf("%s.new", w->path);
    cleanup_fd int fd = -1, names = -1, last = -1;

    put_off(w);
    if (w->held >= 0 && has_patience(w) && log_file_is_read(w->held))
        return 0;
    names = log_file_lock_names(w->path, false);
    if (names < 0)
        return 0;
    let_go(w);
    set_last_change(w);
    if (w->max_files > 1)
        last = open_last(w);
    /* The new file is there before the old name goes, so that a full disk changes nothing. */
    if (open_file(fresh, O_TRUNC, &fd, e) || shift_files(w, e))
        return -1;
    if (rename(fresh, w->path))
        return err_os(e, errno, "rename log file %s to %s", fresh, w->path);
    if (w->max_files > 1) {
        close(w->fd);
        hold(w, take_fd(last));
    } else {
        hold(w, w->fd);
    }
    w->fd = take_fd(fd);
    w->size = 0;
    w->rotate_at = w->max_size;
    close(take_fd(names));
    compress_old(w);
    return 0;
}

static int make_room(struct log_writer *w, struct err *e)
{
    if (!w->bytes)
        w->bytes = xmalloc(FLUSH_AT + w->codec->room(LOG_LINE_MAX) + w->encoder.attrs_len);
    if (w->max_size < 0 || w->size + (int64_t)w->used < w->rotate_at)
        return 0;
    return flush_bytes(w, e) || rotate(w, e) ? -1 : 0;
}

int log_file_write(struct log_writer *w, const struct log_line *line, struct err *e)
{
    int r;

    if (line->len > LOG_LINE_MAX)
        return err_set(e, ERR_INTERNAL, "a log line of %zu bytes was not split", line->len);
    r = make_room(w, e); /* a failed rotation goes on with the file there is */
    append(w, line);
    if (w->used < FLUSH_AT)
        return r;
    return r ? (void)flush_bytes(w, ERR_IGNORE), r : flush_bytes(w, e);
}

int log_file_flush(struct log_writer *w, struct err *e)
{
    if (w->used > 0)
        return flush_bytes(w, e);
    drop_memory(w);
    if (w->held >= 0 && !log_file_is_read(w->held))
        let_go(w);
    return 0;
}

uint64_t log_file_lost(struct log_writer *w)
{
    uint64_t n = w ? w->untold : 0;

    if (w)
        w->untold = 0;
    return n;
}

void log_file_close(struct log_writer *w)
{
    if (!w)
        return;
    (void)!log_file_flush(w, ERR_IGNORE); /* lost records have nobody left to be told */
    drop_memory(w);
    let_go(w);
    close(w->fd);
    free(w->path);
    free(w->compressor);
    free(w->attrs);
    free(w);
}
