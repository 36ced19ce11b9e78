/*
 * io: see io.h.
 *
 * The main thread copies what comes from the container; a second one copies stdin to it and closes
 * that half at its end; a third waits for signals and for changes of the window.  The process ends
 * when the container's output does, whatever the other two are waiting for.
 */
#include "cli/io.h"

#include <stdio.h>

#include "base/be.h"
#include "base/mem.h"
#include "base/sync.h"
#include "cli/term.h"

#define FRAME_HEAD  8
#define CHUNK_BYTES (64 * 1024)
#define DETACH_1    0x10 /* ctrl-p */
#define DETACH_2    0x11 /* ctrl-q */

static struct {
    struct cli *cli;
    struct io_opts o;
    struct mutex lock;
    bool resizing;
} session = {.lock = MUTEX_INIT};

/* ------------------------------------------------------------------ signals */

static void send_size(void)
{
    cleanup_target struct target t = {0};
    unsigned rows, columns;
    char h[16], w[16];

    if (!session.o.resize_path || !term_size(&rows, &columns))
        return;
    snprintf(h, sizeof(h), "%u", rows);
    snprintf(w, sizeof(w), "%u", columns);
    target_init(&t, "%s/resize", session.o.resize_path);
    target_add(&t, "h", h);
    target_add(&t, "w", w);
    (void)!client_json(session.cli, "POST", &t, NULL, NULL, ERR_IGNORE);
}

void io_resize(void)
{
    if (!session.o.tty || !term_is_tty(0))
        return;
    mutex_lock(&session.lock);
    session.resizing = true;
    mutex_unlock(&session.lock);
    send_size();
}

static void on_signal(void *arg, const char *name)
{
    bool resizing;

    (void)arg;
    if (str_eq(name, "WINCH")) {
        mutex_lock(&session.lock);
        resizing = session.resizing;
        mutex_unlock(&session.lock);
        if (resizing)
            send_size();
        return;
    }
    if (session.o.kill_path) {
        cleanup_target struct target t = {0};
        cleanup_free char *signal = str_printf("SIG%s", name);

        target_init(&t, "%s/kill", session.o.kill_path);
        target_add(&t, "signal", signal);
        if (!client_json(session.cli, "POST", &t, NULL, NULL, ERR_IGNORE))
            return;
    }
    term_restore();
    exit(str_eq(name, "INT") ? 130 : 143);
}

int io_prepare(struct cli *cli, const struct io_opts *o, struct err *e)
{
    session.cli = cli;
    session.o = *o;
    return term_on_signal(on_signal, NULL, e);
}

int io_raw(const struct io_opts *o, struct err *e)
{
    return o->tty && o->stdin_ && term_is_tty(0) ? term_raw(e) : 0;
}

/* -------------------------------------------------------------------- stdin */

struct input {
    struct reply *r;
    bool tty;
    bool detach_1; /* the first key of the two was pressed */
};

static bool wants_detach(struct input *in, const char *bytes, size_t n)
{
    for (size_t i = 0; in->tty && i < n; i++) {
        if (in->detach_1 && bytes[i] == DETACH_2)
            return true;
        in->detach_1 = bytes[i] == DETACH_1;
    }
    return false;
}

static void copy_input(void *arg)
{
    struct input *in = arg;
    cleanup_free char *chunk = xmalloc(CHUNK_BYTES);
    size_t got;

    for (;;) {
        if (term_read(chunk, CHUNK_BYTES, &got, ERR_IGNORE) || !got)
            break;
        if (wants_detach(in, chunk, got)) {
            /* The container goes on; only we leave. */
            term_restore();
            exit(0);
        }
        if (stream_write(in->r->io, chunk, got, NULL, ERR_IGNORE))
            return;
    }
    (void)!stream_close_write(in->r->io, ERR_IGNORE);
}

/* ------------------------------------------------------------------- output */

typedef int read_fn(struct reply *r, void *bytes, size_t n, size_t *got, struct err *e);

static int read_raw(struct reply *r, void *bytes, size_t n, size_t *got, struct err *e)
{
    return http_reader_read(&r->reader, bytes, n, got, e);
}

static int read_body(struct reply *r, void *bytes, size_t n, size_t *got, struct err *e)
{
    return http_body_read(&r->body, bytes, n, got, e);
}

static int copy_plain(struct reply *r, read_fn *read, struct err *e)
{
    cleanup_free char *chunk = xmalloc(CHUNK_BYTES);
    size_t got;

    do {
        if (read(r, chunk, CHUNK_BYTES, &got, e) || term_write(1, chunk, got, e))
            return -1;
    } while (got);
    return 0;
}

/* Exactly n bytes; *end when the stream ended before the first of them. */
static int read_exactly(struct reply *r, read_fn *read, void *bytes, size_t n, bool *end,
                        struct err *e)
{
    size_t have = 0, got;

    *end = false;
    while (have < n) {
        if (read(r, (char *)bytes + have, n - have, &got, e))
            return -1;
        if (!got) {
            *end = have == 0;
            return *end ? 0 : err_set(e, ERR_IO, "the stream ends in the middle of a frame");
        }
        have += got;
    }
    return 0;
}

/* {1 or 2, 0, 0, 0, length big endian} and that many bytes. */
static int copy_frames(struct reply *r, read_fn *read, struct err *e)
{
    cleanup_free char *chunk = xmalloc(CHUNK_BYTES);
    unsigned char head[FRAME_HEAD];
    bool end;

    for (;;) {
        if (read_exactly(r, read, head, sizeof(head), &end, e))
            return -1;
        if (end)
            return 0;
        size_t left = get_be32(head + 4);

        if (head[0] > 3)
            return err_set(e, ERR_IO, "the stream has no frames");
        while (left) {
            size_t n = left < CHUNK_BYTES ? left : CHUNK_BYTES;

            if (read_exactly(r, read, chunk, n, &end, e))
                return -1;
            if (end)
                return err_set(e, ERR_IO, "the stream ends in the middle of a frame");
            if (term_write(head[0] >= 2 ? 2 : 1, chunk, n, e))
                return -1;
            left -= n;
        }
    }
}

int io_copy_body(struct reply *r, bool tty, struct err *e)
{
    fflush(stdout);
    return tty ? copy_plain(r, read_body, e) : copy_frames(r, read_body, e);
}

int io_join(struct reply *r, const struct io_opts *o, struct err *e)
{
    /* Both outlive this call: the thread may be waiting for a key when the output has ended. */
    static struct input in;

    in = (struct input){.r = r, .tty = o->tty && term_is_tty(0)};
    fflush(stdout);
    if (o->stdin_ && thread_start_detached("stdin", copy_input, &in, e))
        return -1;
    return o->tty ? copy_plain(r, read_raw, e) : copy_frames(r, read_raw, e);
}
