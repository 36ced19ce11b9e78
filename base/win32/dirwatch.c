/*
 * dirwatch on Windows: ReadDirectoryChangesW, read only for "something happened".
 *
 * All directories share one event.  Starting a request resets it, so whether something has happened
 * is asked of every request before the event is waited for.  One thread adds and waits.
 */
#include "base/dirwatch.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/win32/win_internal.h"

#define FILTER                                                                                    \
    (FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME | FILE_NOTIFY_CHANGE_ATTRIBUTES | \
     FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE | FILE_NOTIFY_CHANGE_SECURITY)

struct watch {
    char *dir;
    HANDLE handle;
    OVERLAPPED ov;
    bool dead; /* the directory has gone */
    DWORD changes[1024];
    struct watch *next;
};

struct dirwatch {
    HANDLE event;
    struct watch *first;
};

int dirwatch_open(struct dirwatch **out, struct err *e)
{
    (void)e;
    *out = xcalloc(1, sizeof(**out));
    (*out)->event = win_event(true);
    return 0;
}

static bool arm(struct dirwatch *w, struct watch *watch)
{
    watch->ov = (OVERLAPPED){.hEvent = w->event};
    return ReadDirectoryChangesW(watch->handle, watch->changes, sizeof(watch->changes), FALSE,
                                 FILTER, NULL, &watch->ov, NULL);
}

/* Waits for the request to be over, then frees its memory, which it writes to. */
static void watch_free(struct watch *watch)
{
    DWORD n;

    if (!watch->dead && CancelIoEx(watch->handle, &watch->ov))
        GetOverlappedResult(watch->handle, &watch->ov, &n, TRUE);
    win_close(watch->handle);
    free(watch->dir);
    free(watch);
}

static void forget_dead(struct dirwatch *w)
{
    for (struct watch **p = &w->first; *p;) {
        struct watch *watch = *p;

        if (watch->dead) {
            *p = watch->next;
            watch_free(watch);
        } else {
            p = &watch->next;
        }
    }
}

int dirwatch_add(struct dirwatch *w, const char *dir, struct err *e)
{
    cleanup_free wchar_t *path = win_path(dir);
    struct watch *watch;
    HANDLE h;

    forget_dead(w);
    for (watch = w->first; watch; watch = watch->next)
        if (str_eq(watch->dir, dir))
            return 0;
    h = CreateFileW(path, FILE_LIST_DIRECTORY,
                    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                    FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OVERLAPPED, NULL);
    if (h == INVALID_HANDLE_VALUE)
        return win_error(e, "watch %s", dir);
    watch = xcalloc(1, sizeof(*watch));
    watch->dir = xstrdup(dir);
    watch->handle = h;
    if (!arm(w, watch)) {
        (void)win_error(e, "watch %s", dir);
        watch->dead = true;
        watch_free(watch);
        return -1;
    }
    watch->next = w->first;
    w->first = watch;
    return 0;
}

/* Did any request end?  Those that did begin anew. */
static bool collect(struct dirwatch *w)
{
    bool changed = false;

    for (struct watch *watch = w->first; watch; watch = watch->next) {
        DWORD n;

        if (watch->dead || !HasOverlappedIoCompleted(&watch->ov))
            continue;
        changed = true; /* 0 bytes: more than the buffer holds; an error: the directory has gone */
        if (!GetOverlappedResult(watch->handle, &watch->ov, &n, FALSE) || !arm(w, watch))
            watch->dead = true;
    }
    return changed;
}

int dirwatch_wait(struct dirwatch *w, int64_t timeout_ms, struct cancel *c, struct err *e)
{
    int r;

    ResetEvent(w->event); /* a request that ends from here on sets it again */
    if (collect(w))
        return 1;
    r = win_wait(w->event, timeout_ms, c, e);
    if (r == 1)
        (void)collect(w);
    return r;
}

void dirwatch_free(struct dirwatch *w)
{
    if (!w)
        return;
    while (w->first) {
        struct watch *watch = w->first;

        w->first = watch->next;
        watch_free(watch);
    }
    win_close(w->event);
    free(w);
}
