/*
 * process_run on Windows: a program's input and output, all at once, with overlapped pipes.
 *
 * Anonymous pipes cannot be overlapped, so each pipe is a named one of which the child gets the
 * plain end.
 */
#include "base/process.h"

#include "base/win32/win_internal.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os_internal.h"
#include "base/str.h"

#define CHUNK (16 * 1024)

enum { CH_IN, CH_OUT, CH_ERR, N_CHANNELS }; /* windows.h has an IN and an OUT */

struct channel {
    HANDLE pipe; /* ours; NULL: not wanted, or closed */
    OVERLAPPED ov;
    struct buf *out;  /* CH_OUT, CH_ERR */
    const char *left; /* CH_IN */
    size_t n_left;
    DWORD asked;
    char chunk[CHUNK];
};

struct run {
    struct channel ch[N_CHANNELS];
};

static void channel_close(struct channel *ch)
{
    DWORD n;

    if (!ch->pipe)
        return;
    if (CancelIoEx(ch->pipe, &ch->ov)) /* it must not write to our memory any more */
        GetOverlappedResult(ch->pipe, &ch->ov, &n, TRUE);
    CloseHandle(ch->pipe);
    ch->pipe = NULL;
}

static void run_free(struct run **rp)
{
    for (size_t i = 0; i < N_CHANNELS; i++) {
        channel_close(&(*rp)->ch[i]);
        win_close((*rp)->ch[i].ov.hEvent);
    }
    free(*rp);
}

/* Starts the next read or write; closes the channel when there is none. */
static void channel_next(struct channel *ch, bool writes)
{
    HANDLE event = ch->ov.hEvent;
    BOOL ok;

    ch->ov = (OVERLAPPED){.hEvent = event};
    if (writes) {
        ch->asked = ch->n_left > CHUNK ? CHUNK : (DWORD)ch->n_left;
        ok = ch->asked && WriteFile(ch->pipe, ch->left, ch->asked, NULL, &ch->ov);
        if (!ok && (!ch->asked || GetLastError() != ERROR_IO_PENDING))
            channel_close(ch); /* all is written, or the program does not read: not our error */
        return;
    }
    ok = ReadFile(ch->pipe, ch->chunk, CHUNK, NULL, &ch->ov);
    if (!ok && GetLastError() != ERROR_IO_PENDING)
        channel_close(ch);
}

/* Takes up what has been done; false while the request is pending. */
static bool channel_collect(struct channel *ch, bool writes)
{
    DWORD n;

    if (!ch->pipe || !HasOverlappedIoCompleted(&ch->ov))
        return false;
    if (!GetOverlappedResult(ch->pipe, &ch->ov, &n, FALSE)) {
        channel_close(ch);
        return true;
    }
    if (writes) {
        ch->left += n;
        ch->n_left -= n;
    } else {
        buf_add(ch->out, ch->chunk, n); /* beyond its maximum: only to keep the program going */
    }
    channel_next(ch, writes);
    return true;
}

static bool collect(struct run *r)
{
    bool any = false;

    for (size_t i = 0; i < N_CHANNELS; i++)
        while (channel_collect(&r->ch[i], i == CH_IN))
            any = true;
    return any;
}

/* One pipe: our end overlapped in *our, the child's as a C descriptor. */
static int make_pipe(bool we_write, HANDLE *our, int *theirs, struct err *e)
{
    char id[ID_LEN + 1];
    cleanup_free char *name = NULL;
    cleanup_free wchar_t *w = NULL;
    HANDLE mine, other;

    id_new(id);
    name = str_printf("\\\\.\\pipe\\ballast-run-%s", id);
    w = win_wide(name);
    mine = CreateNamedPipeW(w,
                            (we_write ? PIPE_ACCESS_OUTBOUND : PIPE_ACCESS_INBOUND) |
                                FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                            PIPE_TYPE_BYTE | PIPE_REJECT_REMOTE_CLIENTS, 1, CHUNK, CHUNK, 0, NULL);
    if (mine == INVALID_HANDLE_VALUE)
        return win_error(e, "pipe");
    other =
        CreateFileW(w, we_write ? GENERIC_READ : GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (other == INVALID_HANDLE_VALUE) {
        (void)win_error(e, "pipe");
        CloseHandle(mine);
        return -1;
    }
    *our = mine;
    *theirs = _open_osfhandle((intptr_t)other, we_write ? _O_RDONLY : _O_WRONLY);
    return 0;
}

static int start(const char *const *argv, struct run *r, struct process *p, struct err *e)
{
    int theirs[N_CHANNELS] = {-1, -1, -1}, rc = 0;
    struct process_fd fds[N_CHANNELS];
    size_t n = 0;

    for (int i = 0; i < N_CHANNELS && !rc; i++) {
        struct channel *ch = &r->ch[i];

        ch->ov.hEvent = win_event(true);
        if (i == CH_IN ? ch->left != NULL : ch->out != NULL)
            rc = make_pipe(i == CH_IN, &ch->pipe, &theirs[i], e);
        if (theirs[i] >= 0)
            fds[n++] = (struct process_fd){theirs[i], i};
    }
    if (!rc)
        rc = process_spawn(&(struct process_opts){.argv = argv, .fds = fds, .n_fds = n}, p, e);
    for (size_t i = 0; i < N_CHANNELS; i++)
        fd_close(theirs[i]);
    return rc;
}

/* Waits until a channel, the program's end or the switch has something to say. */
static int wait_any(struct run *r, HANDLE process, struct cancel *c, bool *ended, struct err *e)
{
    HANDLE handles[N_CHANNELS + 2];
    DWORD n = 0, got, timeout = INFINITE;

    handles[n++] = process;
    for (size_t i = 0; i < N_CHANNELS; i++)
        if (r->ch[i].pipe)
            handles[n++] = r->ch[i].ov.hEvent;
    if (c && cancel_os(c) != OS_NONE)
        handles[n++] = (HANDLE)cancel_os(c);
    else if (c)
        timeout = 100;
    got = WaitForMultipleObjects(n, handles, FALSE, timeout);
    if (got == WAIT_FAILED)
        return win_error(e, "wait");
    if (cancel_fired(c))
        return err_set(e, ERR_CANCELLED, "cancelled");
    *ended = got == WAIT_OBJECT_0;
    return 0;
}

static int serve(struct run *r, struct process *p, struct cancel *c, int *code, struct err *e)
{
    bool ended = false;

    for (size_t i = 0; i < N_CHANNELS; i++)
        if (r->ch[i].pipe)
            channel_next(&r->ch[i], i == CH_IN);
    while (!ended) {
        if (wait_any(r, p->handle, c, &ended, e))
            return -1;
        (void)collect(r);
    }
    /* What it left in the pipes; a grandchild that keeps them open is not waited for. */
    while (collect(r))
        ;
    return process_wait(p, NULL, code, e);
}

int process_run(const char *const *argv, const char *in, size_t in_len, struct buf *out,
                struct buf *err_out, struct cancel *c, int *code, struct err *e)
{
    CLEANUP(run_free) struct run *r = xcalloc(1, sizeof(*r));
    struct process p;
    int ignored;

    r->ch[CH_IN].left = in;
    r->ch[CH_IN].n_left = in_len;
    r->ch[CH_OUT].out = out;
    r->ch[CH_ERR].out = err_out;
    if (start(argv, r, &p, e))
        return -1;
    if (serve(r, &p, c, code, e) == 0)
        return 0;
    process_kill(&p);
    if (process_wait(&p, NULL, &ignored, ERR_IGNORE))
        log_warn("a killed helper could not be reaped", "program=%s", log_quote(argv[0]));
    return err_wrap(e, "%s", argv[0]);
}
