/*
 * json_file_read: the reader of the json-file driver, which runs in the agent.
 *
 * The writer is another process that does not wait for us.  What holds nevertheless:
 *
 * (1) A file is known by its inode.  While we have it open its number is not used again, so "which
 *     name has it now" tells how often it was rotated.
 * (2) A file that is not the current one will not grow: it is read to its end, and the next is the
 *     one with the next lower number.  When ours is gone altogether, the oldest that is left is
 * next. (3) A last record without its newline is not there yet.  A damaged record is skipped. (4)
 * Without `follow` the end is where the current file ended when we began, so that a container that
 * writes faster than we read does not keep us for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/time.h"
#include "logdrivers/json_file_internal.h"
#include "logdrivers/json_record.h"

#define CHUNK         (32 * 1024)
#define RECORD_MAX    (1024 * 1024) /* longer ones are not ours: skipped */
#define POLL_MS       500           /* how late the end may be seen when no file says so */
#define POLL_EAGER_MS 20 /* soon after something else happened in the directory: exit.json, say */
#define EAGER_ROUNDS  50
#define POLL_BLIND_MS 100 /* without a watch */
/* The kernel has few watches for all programs of a user: hundreds who follow do without. */
#define WATCHES_MAX 32

static _Atomic int watches;

struct reader {
    const char *path;
    const struct log_read_opts *opts;
    struct cancel *cancel;
    log_each_fn *each;
    void *arg;

    int fd; /* -1: no file yet */
    ino_t ino;
    int64_t offset; /* of the next byte to read */
    ino_t stop_ino; /* see (4) */
    int64_t stop_offset;

    char *data; /* the beginning of a record whose end was not read yet */
    size_t len, cap;
    bool skipping; /* inside a record longer than RECORD_MAX */
    bool done;     /* a record behind `until` was seen */
    struct buf text;

    int inotify;
    int eager; /* rounds left */
};

static void unwatch(struct reader *r)
{
    if (r->inotify < 0)
        return;
    fd_close(r->inotify);
    r->inotify = -1;
    atomic_fetch_sub(&watches, 1);
}

static void reader_release(struct reader *r)
{
    fd_close(r->fd);
    unwatch(r);
    free(r->data);
    buf_release(&r->text);
}
#define cleanup_reader CLEANUP(reader_release)

static int open_name(const struct reader *r, int64_t n, struct stat *st)
{
    cleanup_free char *name = json_file_name(r->path, n);
    cleanup_fd int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0 || fstat(fd, st) || !S_ISREG(st->st_mode))
        return -1;
    return take_fd(fd);
}

static bool stat_name(const struct reader *r, int64_t n, struct stat *st)
{
    cleanup_free char *name = json_file_name(r->path, n);

    return lstat(name, st) == 0;
}

static void switch_to(struct reader *r, int fd, const struct stat *st, int64_t offset)
{
    fd_close(r->fd);
    r->fd = fd;
    r->ino = st->st_ino;
    r->offset = offset;
    r->len = 0;
    r->skipping = false;
}

/* ------------------------------------------------------------------ records */

static int deliver(struct reader *r, const char *record, size_t len, struct err *e)
{
    const struct log_read_opts *o = r->opts;
    struct log_line line;

    if (!json_record_decode(record, len, &r->text, &line))
        return 0;
    if (o->until_ns != TIME_ZERO && line.unix_ns > o->until_ns) {
        r->done = true;
        return 0;
    }
    if (o->since_ns != TIME_ZERO && line.unix_ns < o->since_ns)
        return 0;
    if (line.from_stderr ? !o->err : !o->out)
        return 0;
    return r->each(r->arg, &line, e);
}

static void keep_rest(struct reader *r, const char *p, size_t n)
{
    if (r->skipping)
        return;
    if (r->len + n > RECORD_MAX) {
        r->skipping = true;
        r->len = 0;
        return;
    }
    if (r->len + n > r->cap) {
        r->cap = r->len + n > CHUNK ? RECORD_MAX : CHUNK;
        r->data = xrealloc(r->data, r->cap);
    }
    memcpy(r->data + r->len, p, n);
    r->len += n;
}

static int feed(struct reader *r, const char *p, size_t n, struct err *e)
{
    const char *end = p + n, *newline;

    while (!r->done && p < end) {
        int bad = 0;

        newline = memchr(p, '\n', (size_t)(end - p));
        if (!newline) {
            keep_rest(r, p, (size_t)(end - p));
            return 0;
        }
        if (r->len > 0)
            keep_rest(r, p, (size_t)(newline - p));
        if (!r->skipping)
            bad = r->len > 0 ? deliver(r, r->data, r->len, e)
                             : deliver(r, p, (size_t)(newline - p), e);
        if (bad)
            return -1;
        r->len = 0;
        r->skipping = false;
        p = newline + 1;
    }
    return 0;
}

static bool cancelled(const struct reader *r)
{
    struct pollfd p = {.fd = r->cancel ? cancel_fd(r->cancel) : -1, .events = POLLIN};

    return r->cancel && poll(&p, 1, 0) > 0;
}

/* Operators empty logs with `truncate -s 0`: what is there now is new. */
static bool was_truncated(struct reader *r)
{
    struct stat st;

    if (!r->opts->follow || fstat(r->fd, &st) || st.st_size >= r->offset)
        return false;
    r->offset = 0;
    r->len = 0;
    r->skipping = false;
    return true;
}

/* Everything the open file has now. */
static int drain(struct reader *r, bool *progress, struct err *e)
{
    char chunk[CHUNK];

    while (r->fd >= 0 && !r->done) {
        size_t want = sizeof(chunk);
        ssize_t n;

        if (cancelled(r))
            return err_set(e, ERR_CANCELLED, "cancelled");
        if (!r->opts->follow && r->ino == r->stop_ino && r->offset + (int64_t)want > r->stop_offset)
            want = r->offset < r->stop_offset ? (size_t)(r->stop_offset - r->offset) : 0;
        n = want > 0 ? pread(r->fd, chunk, want, r->offset) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_os(e, errno, "read log file %s", r->path);
        if (n == 0 && !was_truncated(r))
            return 0;
        *progress = true;
        r->offset += n;
        if (feed(r, chunk, (size_t)n, e))
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ from file to file */

/* The number of our file's name now; -1 when it has none any more.  Ascending, as a rotation moves
 * files upwards and could slip past a search in the other direction. */
static int64_t index_now(const struct reader *r)
{
    struct stat st;

    for (int64_t n = 0; n <= JSON_FILE_MAX_FILES; n++) {
        if (stat_name(r, n, &st)) {
            if (st.st_ino == r->ino)
                return n;
        } else if (n > 0) {
            break; /* .0 alone may be missing, for the moment of a rotation */
        }
    }
    return -1;
}

static int64_t oldest_index(const struct reader *r)
{
    struct stat st;
    int64_t n = 0;

    while (n < JSON_FILE_MAX_FILES && stat_name(r, n + 1, &st))
        n++;
    return n;
}

/* The file after the open one, opened; -1 while the open one is the current. */
static int open_next(const struct reader *r, struct stat *st)
{
    for (;;) {
        int64_t n = r->fd >= 0 ? index_now(r) : -1;
        cleanup_fd int fd = -1;

        if (n == 0)
            return -1;
        fd = open_name(r, n > 0 ? n - 1 : oldest_index(r), st);
        if (n < 0 || fd < 0 || index_now(r) == n)
            return take_fd(fd);
        /* Rotated again in between: what we have opened may not be the next. */
    }
}

/* Goes on to the next file when there is one; the open one is final then and read to its end. */
static int advance(struct reader *r, bool *progress, struct err *e)
{
    struct stat st;
    cleanup_fd int fd = open_next(r, &st);

    if (fd < 0)
        return 0;
    if (drain(r, progress, e))
        return -1;
    *progress = true;
    switch_to(r, take_fd(fd), &st, 0);
    return 0;
}

/* ------------------------------------------------------------------ where to begin */

/*
 * Looks for the beginning of the last *want records before `end`; *want is what is missing
 * afterwards.  What follows the last newline is no record yet.
 */
static int64_t tail_offset(int fd, int64_t end, int64_t *want)
{
    char block[CHUNK];
    int64_t newlines = 0, wanted = *want + 1; /* the one that ends the record before, too */

    while (end > 0) {
        int64_t from = end > (int64_t)sizeof(block) ? end - (int64_t)sizeof(block) : 0;
        ssize_t n = pread(fd, block, (size_t)(end - from), from);
        const char *p;

        if (n <= 0)
            break;
        while ((p = memrchr(block, '\n', (size_t)n))) {
            if (++newlines == wanted) {
                *want = 0;
                return from + (p - block) + 1;
            }
            n = p - block;
        }
        end = from;
    }
    *want -= newlines;
    if (*want < 0)
        *want = 0;
    return 0;
}

static void begin_at_tail(struct reader *r)
{
    int64_t want = r->opts->tail;
    struct stat st;

    for (int64_t n = 0; n <= JSON_FILE_MAX_FILES; n++) {
        int fd = open_name(r, n, &st);

        if (fd < 0 && n > 0)
            return;
        if (fd < 0)
            continue;
        if (r->fd >= 0 && st.st_ino == r->ino) { /* it was rotated under us: counted already */
            close(fd);
            continue;
        }
        switch_to(r, fd, &st, tail_offset(fd, st.st_size, &want));
        if (want == 0)
            return;
    }
}

static void begin(struct reader *r)
{
    const struct log_read_opts *o = r->opts;
    struct stat st;
    int64_t n;
    int fd;

    if (stat_name(r, 0, &st)) {
        r->stop_ino = st.st_ino;
        r->stop_offset = st.st_size;
    }
    if (o->tail >= 0) {
        begin_at_tail(r);
        return;
    }
    n = oldest_index(r);
    /* A rotated file that was last written before `since` has nothing for us. */
    while (n > 0 && o->since_ns != TIME_ZERO && stat_name(r, n, &st) &&
           st.st_mtim.tv_sec < o->since_ns / NS_PER_SEC - 1)
        n--;
    fd = open_name(r, n, &st);
    if (fd >= 0)
        switch_to(r, fd, &st, 0);
}

/* ------------------------------------------------------------------ following */

/* No watch is no error: then it looks at the file now and then. */
static void watch_dir(struct reader *r)
{
    cleanup_free char *dir = path_dir(r->path);
    bool many = atomic_fetch_add(&watches, 1) >= WATCHES_MAX;

    r->inotify = many ? -1 : inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (r->inotify < 0)
        atomic_fetch_sub(&watches, 1);
    else if (inotify_add_watch(r->inotify, dir,
                               IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF) < 0)
        unwatch(r);
}

static int poll_ms(const struct reader *r)
{
    if (r->eager > 0)
        return POLL_EAGER_MS;
    return r->inotify < 0 ? POLL_BLIND_MS : POLL_MS;
}

/* Empties the queue; true when it told of anything but writing to the current file. */
static bool take_events(struct reader *r)
{
    _Alignas(struct inotify_event) char bytes[4096];
    const char *base = path_base(r->path);
    bool other = false;
    ssize_t n;

    while ((n = read(r->inotify, bytes, sizeof(bytes))) > 0)
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *ev = (const struct inotify_event *)(bytes + at);

            if (!(ev->mask & IN_MODIFY) || ev->len == 0 || !str_eq(ev->name, base))
                other = true;
            at += (ssize_t)(sizeof(*ev) + ev->len);
        }
    return other;
}

static int wait_for_more(struct reader *r, struct err *e)
{
    struct pollfd fds[2] = {
        {.fd = r->inotify,                            .events = POLLIN},
        {.fd = r->cancel ? cancel_fd(r->cancel) : -1, .events = POLLIN},
    };
    int n = poll(fds, 2, poll_ms(r));

    if (n < 0 && errno != EINTR)
        return err_os(e, errno, "poll");
    if (n > 0 && fds[1].revents)
        return err_set(e, ERR_CANCELLED, "cancelled");
    if (r->eager > 0)
        r->eager--;
    if (n > 0 && fds[0].revents && take_events(r))
        r->eager = EAGER_ROUNDS;
    return 0;
}

static bool follow_is_over(const struct reader *r)
{
    const struct log_read_opts *o = r->opts;

    if (o->until_ns != TIME_ZERO && time_wall_ns() > o->until_ns)
        return true;
    return o->ended && o->ended(o->ended_arg);
}

static int follow(struct reader *r, struct err *e)
{
    while (!r->done) {
        /* Asked before reading: what was written before the end is read after it. */
        bool over = follow_is_over(r), progress = false;

        if (drain(r, &progress, e) || advance(r, &progress, e))
            return -1;
        if (progress)
            continue;
        if (over)
            return 0;
        if (wait_for_more(r, e))
            return -1;
    }
    return 0;
}

static int read_once(struct reader *r, struct err *e)
{
    bool progress = true;

    while (progress && !r->done) {
        progress = false;
        if (drain(r, &progress, e))
            return -1;
        if (r->fd < 0 || r->ino == r->stop_ino)
            return 0;
        if (advance(r, &progress, e))
            return -1;
    }
    return 0;
}

int json_file_read(const char *path, const struct log_read_opts *opts, struct cancel *c,
                   log_each_fn *each, void *arg, struct err *e)
{
    cleanup_reader struct reader r = {
        .path = path,
        .opts = opts,
        .cancel = c,
        .each = each,
        .arg = arg,
        .fd = -1,
        .inotify = -1,
        .text = BUF_INIT(RECORD_MAX),
    };

    if (opts->follow)
        watch_dir(&r);
    begin(&r);
    return opts->follow ? follow(&r, e) : read_once(&r, e);
}
