/*
 * json_file_write: the writer of the json-file driver, which runs in the shim.
 *
 * (1) Records are gathered in memory and leave with one write(2): at FLUSH_AT bytes, or when the
 *     shim says that the output pauses.
 * (2) A record is in the file whole or not at all.  What a write could only begin (full disk) is
 *     cut off again; half a record that a killed shim has left is cut off at the next open.
 * (3) A full disk costs records, never the container: they are dropped and counted, and the count
 *     is logged as a record of its own once writing works again.
 * (4) The current file is complete before it is renamed to .1, and a new inode takes its name: who
 *     follows it reads the old one to its end and goes on with the next.
 * (5) A flush with nothing to write gives the memory back: an idle shim stays small.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/time.h"
#include "logdrivers/json_file_internal.h"
#include "logdrivers/json_record.h"
#include "logdrivers/log_attrs.h"

#define FLUSH_AT      (128 * 1024)
#define LOST_NOTE_MAX 128

struct log_writer {
    int fd;
    char *path;
    int64_t size, max_size, max_files;
    char *attrs;
    size_t attrs_len;
    char *bytes; /* NULL while nothing is gathered */
    size_t used;
    int64_t records; /* gathered */
    int64_t lost;    /* records dropped since the last good write */
    int64_t time_ns; /* of `time` */
    char time[TIME_TEXT_MAX];
};

static int open_file(const char *path, int extra, int *out, struct err *e)
{
    *out = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | extra, 0640);
    if (*out < 0)
        return err_os(e, errno, "open log file %s", path);
    return 0;
}

/* Cuts half a record off the end; see (2). */
static int repair_tail(int fd, const char *path, int64_t *size, struct err *e)
{
    char block[4096];
    int64_t end = *size;

    while (end > 0) {
        int64_t from = end > (int64_t)sizeof(block) ? end - (int64_t)sizeof(block) : 0;
        ssize_t n = pread(fd, block, (size_t)(end - from), from);
        const char *newline;

        if (n != end - from)
            return err_os(e, n < 0 ? errno : EIO, "read log file %s", path);
        newline = memrchr(block, '\n', (size_t)n);
        if (newline) {
            end = from + (newline - block) + 1;
            break;
        }
        end = from;
    }
    if (end != *size && ftruncate(fd, end))
        return err_os(e, errno, "truncate log file %s", path);
    *size = end;
    return 0;
}

int json_file_open(const char *path, const struct kvs *opts, struct log_writer **out, struct err *e)
{
    struct json_file_opts o;
    cleanup_fd int fd = -1;
    struct stat st;
    struct log_writer *w;
    int64_t size;

    if (json_file_opts_parse(opts, &o, e) || open_file(path, 0, &fd, e))
        return -1;
    if (fstat(fd, &st))
        return err_os(e, errno, "stat log file %s", path);
    if (strlen(o.attrs) > LOG_ATTRS_MAX)
        return err_set(e, ERR_INVALID, "log attributes are larger than %d bytes", LOG_ATTRS_MAX);
    size = st.st_size;
    if (repair_tail(fd, path, &size, e))
        return -1;
    w = xcalloc(1, sizeof(*w));
    w->fd = take_fd(fd);
    w->path = xstrdup(path);
    w->size = size;
    w->max_size = o.max_size;
    w->max_files = o.max_files;
    w->attrs = xstrdup(o.attrs);
    w->attrs_len = strlen(o.attrs);
    w->time_ns = TIME_ZERO;
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

static int write_all(struct log_writer *w, struct err *e)
{
    size_t done = 0;

    while (done < w->used) {
        ssize_t n = write(w->fd, w->bytes + done, w->used - done);

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

static const char *time_text(struct log_writer *w, int64_t ns)
{
    if (ns != w->time_ns) { /* the lines of one chunk have one time */
        time_format(ns, w->time);
        w->time_ns = ns;
    }
    return w->time;
}

static void append(struct log_writer *w, const struct log_line *line)
{
    w->used += json_record_encode(w->bytes + w->used, line, time_text(w, line->unix_ns), w->attrs,
                                  w->attrs_len);
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

    if (r)
        w->lost += records;
    else if (w->used > 0)
        r = note_lost(w, e);
    w->used = 0;
    w->records = 0;
    return r;
}

static int shift_files(struct log_writer *w, struct err *e)
{
    for (int64_t i = w->max_files - 1; i > 0; i--) {
        cleanup_free char *from = json_file_name(w->path, i - 1);
        cleanup_free char *to = json_file_name(w->path, i);

        if (rename(from, to) && errno != ENOENT)
            return err_os(e, errno, "rename log file %s to %s", from, to);
    }
    return 0;
}

static int rotate(struct log_writer *w, struct err *e)
{
    cleanup_free char *fresh = str_printf("%s.new", w->path);
    cleanup_fd int fd = -1;

    /* The new file is there before the old name goes, so that a full disk changes nothing. */
    if (open_file(fresh, O_TRUNC, &fd, e) || shift_files(w, e))
        return -1;
    if (rename(fresh, w->path))
        return err_os(e, errno, "rename log file %s to %s", fresh, w->path);
    close(w->fd);
    w->fd = take_fd(fd);
    w->size = 0;
    return 0;
}

static int make_room(struct log_writer *w, struct err *e)
{
    if (!w->bytes)
        w->bytes = xmalloc(FLUSH_AT + JSON_RECORD_MAX(LOG_LINE_MAX) + w->attrs_len);
    if (w->max_size < 0 || w->size + (int64_t)w->used < w->max_size)
        return 0;
    return flush_bytes(w, e) || rotate(w, e) ? -1 : 0;
}

int json_file_write(struct log_writer *w, const struct log_line *line, struct err *e)
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

int json_file_flush(struct log_writer *w, struct err *e)
{
    int r = 0;

    if (w->used > 0)
        r = flush_bytes(w, e);
    else
        drop_memory(w);
    return r;
}

void json_file_close(struct log_writer *w)
{
    if (!w)
        return;
    (void)!json_file_flush(w, ERR_IGNORE); /* lost records have nobody left to be told */
    drop_memory(w);
    close(w->fd);
    free(w->path);
    free(w->attrs);
    free(w);
}
