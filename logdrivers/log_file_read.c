/*
 * log_file_read: the reader of the drivers that write files, which runs in the agent.
 *
 * The writer is another process that does not wait for us.  What holds nevertheless:
 *
 * (1) A file is known by its inode (log_file.h), so "which name has it now" tells how often it was
 *     rotated.  While we have it open its inode is nobody else's.
 * (2) A file that is not the current one will not grow: it is read to its end, and the next is the
 *     one with the next lower number.  When ours is gone altogether, the oldest that is left is
 *     next.
 * (3) A last record that is not whole is not there yet.  A damaged one is skipped.
 * (4) Without `follow` the end is where the current file ended when we began, so that a container
 *     that writes faster than we read does not keep us for ever.
 * (5) Who waits has no buffers: thousands may follow logs that are quiet.
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
#include "logdrivers/log_file.h"

#define CHUNK         (64 * 1024)
#define POLL_MS       500 /* how late the end may be seen when no file says so */
#define POLL_EAGER_MS 20  /* soon after something else happened in the directory: exit.json, say */
#define EAGER_ROUNDS  50
#define POLL_BLIND_MS 100 /* without a watch */
/* The kernel has few watches for all programs of a user: hundreds who follow do without. */
#define WATCHES_MAX 32

static _Atomic int watches;

struct reader {
    const struct log_codec *codec;
    const char *path;
    const struct log_read_opts *opts;
    struct cancel *cancel;
    log_each_fn *each;
    void *arg;

    struct log_source file, stop; /* stop: where it ends, see (4) */
    struct log_decoder decoder;
    char *data; /* what was read and not yet understood; NULL: nothing */
    size_t len, cap;
    int64_t skip; /* records that `tail` does not ask for */
    bool done;    /* a record behind `until` was seen */

    int inotify;
    int eager; /* rounds left */
};

static void drop_buffers(struct reader *r)
{
    free(take_ptr(r->data));
    r->len = r->cap = 0;
    buf_release(&r->decoder.text);
}

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
    log_source_close(&r->file);
    log_source_close(&r->stop);
    unwatch(r);
    drop_buffers(r);
}
#define cleanup_reader CLEANUP(reader_release)

static void forget_data(struct reader *r)
{
    r->len = 0;
    r->decoder.skipping = false;
}

/* The new file is open before the old one is closed: log_file.h (3). */
static void switch_to(struct reader *r, const struct log_source *next)
{
    log_source_close(&r->file);
    r->file = *next;
    forget_data(r);
}

/* ------------------------------------------------------------------ records */

static int deliver(struct reader *r, const struct log_line *line, struct err *e)
{
    const struct log_read_opts *o = r->opts;

    if (r->skip > 0) {
        r->skip--;
        return 0;
    }
    if (o->until_ns != TIME_ZERO && line->unix_ns > o->until_ns) {
        r->done = true;
        return 0;
    }
    if (o->since_ns != TIME_ZERO && line->unix_ns < o->since_ns)
        return 0;
    if (line->from_stderr ? !o->err : !o->out)
        return 0;
    return r->each(r->arg, line, e);
}

/* All whole records in the buffer. */
static int take_records(struct reader *r, struct err *e)
{
    size_t at = 0, used;

    while (!r->done && at < r->len) {
        struct log_line line;
        bool ok;

        used = r->codec->next(&r->decoder, r->data + at, r->len - at, &ok, &line);
        if (used == 0)
            break;
        if (ok && deliver(r, &line, e))
            return -1;
        at += used;
    }
    r->len -= at;
    if (r->len > 0 && at > 0)
        memmove(r->data, r->data + at, r->len);
    return 0;
}

/* Space for more; a codec takes, or gives up, what has LOG_RECORD_MAX bytes. */
static void make_space(struct reader *r)
{
    if (r->len < r->cap)
        return;
    r->cap = r->cap == 0 ? CHUNK : 2 * r->cap;
    r->data = xrealloc(r->data, r->cap);
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

    if (!r->opts->follow || r->file.gz || fstat(r->file.fd, &st) || st.st_size >= r->file.offset)
        return false;
    r->file.offset = 0;
    forget_data(r);
    return true;
}

/* How many bytes of the open file may be read now; see (4). */
static size_t allowed(const struct reader *r)
{
    size_t space = r->cap - r->len;
    int64_t left;

    if (r->opts->follow || !log_source_same(&r->file, &r->stop))
        return space;
    left = r->stop.size - r->file.offset;
    return left <= 0 ? 0 : (size_t)left < space ? (size_t)left : space;
}

/* Everything the open file has now. */
static int drain(struct reader *r, bool *progress, struct err *e)
{
    while (r->file.fd >= 0 && !r->done) {
        size_t want;
        int64_t n;

        if (cancelled(r))
            return err_set(e, ERR_CANCELLED, "cancelled");
        make_space(r);
        want = allowed(r);
        n = want > 0 ? log_source_read(&r->file, r->data + r->len, want) : 0;
        if (n < 0)
            return err_os(e, errno, "read log file %s", r->path);
        if (n == 0 && !was_truncated(r))
            return 0;
        *progress = true;
        r->len += (size_t)n;
        if (take_records(r, e))
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ from file to file */

/* The file after the open one, opened; -1 while the open one is the current, or there is none. */
static int open_next(const struct reader *r, struct log_source *next)
{
    for (;;) {
        int64_t n = r->file.fd >= 0 ? log_source_number(r->path, &r->file) : -1;
        int found;

        if (n == 0)
            return -1;
        found = log_source_open(r->path, n > 0 ? n - 1 : log_source_oldest(r->path), next);
        if (n < 0 || log_source_number(r->path, &r->file) == n)
            return found;
        if (found == 0) /* rotated again in between: it may not be the next */
            log_source_close(next);
    }
}

/* Goes on to the next file when there is one; the open one is final then and read to its end. */
static int advance(struct reader *r, bool *progress, struct err *e)
{
    struct log_source next = LOG_SOURCE_NONE;

    if (open_next(r, &next))
        return 0;
    if (drain(r, progress, e)) {
        log_source_close(&next);
        return -1;
    }
    *progress = true;
    switch_to(r, &next);
    return 0;
}

/* ------------------------------------------------------------------ where to begin */

static int count_line(void *arg, const struct log_line *line, struct err *e)
{
    int64_t *n = arg;

    (void)line;
    (void)e;
    ++*n;
    return 0;
}

/* Forwards, where there is no way backwards: a compressed file, or a damaged one. */
static int count_records(struct reader *r, int64_t *n, struct err *e)
{
    static const struct log_read_opts all = {
        .since_ns = TIME_ZERO, .until_ns = TIME_ZERO, .tail = -1, .out = true, .err = true};
    const struct log_read_opts *opts = r->opts;
    log_each_fn *each = r->each;
    void *arg = r->arg;
    bool progress;
    int bad;

    *n = 0;
    r->opts = &all;
    r->each = count_line;
    r->arg = n;
    bad = drain(r, &progress, e);
    r->opts = opts;
    r->each = each;
    r->arg = arg;
    forget_data(r);
    if (bad)
        return -1;
    return log_source_rewind(&r->file) ? err_set(e, ERR_IO, "read log file %s again", r->path) : 0;
}

/* Places the reader in its file, so that *want records follow; *want is what is missing then. */
static int seek_tail(struct reader *r, int64_t *want, struct err *e)
{
    int64_t at = r->file.gz ? -1 : r->codec->tail(r->file.fd, r->file.size, want), n;

    r->skip = 0;
    if (at >= 0) {
        r->file.offset = at;
        return 0;
    }
    if (count_records(r, &n, e))
        return -1;
    if (n > *want)
        r->skip = n - *want;
    *want = n > *want ? 0 : *want - n;
    return 0;
}

static int begin_at_tail(struct reader *r, struct err *e)
{
    int64_t want = r->opts->tail, oldest = log_source_oldest(r->path);

    for (int64_t n = 0; n <= oldest; n++) {
        struct log_source file;

        if (log_source_open(r->path, n, &file))
            continue;
        if (log_source_same(&r->file, &file)) { /* it was rotated under us: counted already */
            log_source_close(&file);
            continue;
        }
        if (log_source_same(&file, &r->stop)) /* what came since is not among the last */
            file.size = r->stop.size;
        switch_to(r, &file);
        if (seek_tail(r, &want, e))
            return -1;
        if (want == 0)
            break;
    }
    return 0;
}

/* Files that were last written before `since` have nothing for us. */
static int begin_at_since(struct reader *r)
{
    int64_t since = r->opts->since_ns;
    struct log_source file;

    for (int64_t n = log_source_oldest(r->path); n >= 0; n--) {
        if (log_source_open(r->path, n, &file))
            continue;
        if (n == 0 || since == TIME_ZERO || file.mtime_s >= since / NS_PER_SEC - 1) {
            switch_to(r, &file);
            return 0;
        }
        log_source_close(&file);
    }
    return 0;
}

static int begin(struct reader *r, struct err *e)
{
    if (!r->opts->follow)
        (void)!log_source_open(r->path, 0, &r->stop);
    return r->opts->tail >= 0 ? begin_at_tail(r, e) : begin_at_since(r);
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
    int n;

    if (r->len == 0)
        drop_buffers(r);
    if (r->inotify < 0) /* the directory may be new, another's watch free */
        watch_dir(r);
    fds[0].fd = r->inotify;
    n = poll(fds, 2, poll_ms(r));
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
        if (r->opts->pause && r->opts->pause(r->arg, e))
            return -1;
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
        if (r->file.fd < 0 || log_source_same(&r->file, &r->stop))
            return 0;
        if (advance(r, &progress, e))
            return -1;
    }
    return 0;
}

int log_file_read(const struct log_codec *codec, const char *path, const struct log_read_opts *opts,
                  struct cancel *c, log_each_fn *each, void *arg, struct err *e)
{
    cleanup_reader struct reader r = {
        .codec = codec,
        .path = path,
        .opts = opts,
        .cancel = c,
        .each = each,
        .arg = arg,
        .file = LOG_SOURCE_NONE,
        .stop = LOG_SOURCE_NONE,
        .decoder = LOG_DECODER_INIT,
        .inotify = -1,
    };

    if (opts->follow)
        watch_dir(&r);
    if (begin(&r, e))
        return -1;
    return opts->follow ? follow(&r, e) : read_once(&r, e);
}
