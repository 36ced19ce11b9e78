/*
 * process on Windows: CreateProcess with the list of handles that the child gets.
 *
 * Without the list every inheritable handle of the process would go to every child that another
 * thread starts meanwhile.  Only stdin, stdout and stderr can be given: a Windows program has no
 * other numbers.
 */
#include "base/process.h"

#include "base/win32/win_internal.h"

#include <io.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/win32/command_line_internal.h"

#define KILLED_CODE 137 /* what a POSIX shell says of SIGKILL */

/* The three standard handles as inheritable copies of ours. */
struct stdio {
    HANDLE h[3];
};

static void stdio_release(struct stdio *s)
{
    for (size_t i = 0; i < 3; i++)
        win_close(s->h[i]);
}

static int copy_handle(HANDLE from, HANDLE *to, struct err *e)
{
    HANDLE self = GetCurrentProcess();

    if (DuplicateHandle(self, from, self, to, 0, TRUE, DUPLICATE_SAME_ACCESS))
        return 0;
    *to = NULL;
    return win_error(e, "handle for the child");
}

static int open_nul(HANDLE *out, struct err *e)
{
    SECURITY_ATTRIBUTES inherit = {.nLength = sizeof(inherit), .bInheritHandle = TRUE};
    HANDLE h = CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                           &inherit, OPEN_EXISTING, 0, NULL);

    if (h == INVALID_HANDLE_VALUE)
        return win_error(e, "open NUL");
    *out = h;
    return 0;
}

static int fill_stdio(const struct process_opts *opts, struct stdio *s, struct err *e)
{
    for (size_t i = 0; i < opts->n_fds; i++) {
        int to = opts->fds[i].to;

        if (to < 0 || to > 2)
            return err_set(e, ERR_UNSUPPORTED, "descriptor %d for %s: only 0, 1 and 2 on Windows",
                           to, opts->argv[0]);
        if (copy_handle((HANDLE)_get_osfhandle(opts->fds[i].from), &s->h[to], e))
            return -1;
    }
    for (size_t i = 0; i < 3; i++)
        if (!s->h[i] && open_nul(&s->h[i], e))
            return -1;
    return 0;
}

struct start {
    STARTUPINFOEXW info;
    HANDLE list[3]; /* must live as long as the attribute list */
};

static void start_release(struct start *s)
{
    if (s->info.lpAttributeList) {
        DeleteProcThreadAttributeList(s->info.lpAttributeList);
        free(s->info.lpAttributeList);
    }
}

static int fill_start(struct start *s, const struct stdio *io, struct err *e)
{
    SIZE_T size = 0;

    InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    s->info.StartupInfo.cb = sizeof(s->info);
    s->info.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    s->info.StartupInfo.hStdInput = s->list[0] = io->h[0];
    s->info.StartupInfo.hStdOutput = s->list[1] = io->h[1];
    s->info.StartupInfo.hStdError = s->list[2] = io->h[2];
    s->info.lpAttributeList = xcalloc(1, size);
    if (!InitializeProcThreadAttributeList(s->info.lpAttributeList, 1, 0, &size)) {
        free(s->info.lpAttributeList);
        s->info.lpAttributeList = NULL;
        return win_error(e, "attribute list");
    }
    if (!UpdateProcThreadAttribute(s->info.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
                                   s->list, sizeof(s->list), NULL, NULL))
        return win_error(e, "list of handles");
    return 0;
}

/* Looks argv[0] up in PATH unless it has a slash; ".exe" may be left out. */
static int find_program(const char *name, wchar_t **out, struct err *e)
{
    cleanup_free wchar_t *w = win_wide(name);
    wchar_t *found;
    DWORD n;

    if (strpbrk(name, "/\\:")) {
        cleanup_free char *exe = str_printf("%s.exe", name);

        *out = win_path(!fs_exists(name) && fs_exists(exe) ? exe : name);
        return 0;
    }
    n = SearchPathW(NULL, w, L".exe", 0, NULL, NULL);
    if (n == 0)
        return win_error(e, "start %s", name);
    found = xcalloc((size_t)n + 1, sizeof(*found));
    SearchPathW(NULL, w, L".exe", n + 1, found, NULL);
    *out = found;
    return 0;
}

int process_spawn(const struct process_opts *opts, struct process *out, struct err *e)
{
    CLEANUP(stdio_release) struct stdio io = {0};
    CLEANUP(start_release) struct start start = {0};
    cleanup_free wchar_t *program = NULL, *line = command_line(opts->argv),
                         *env = opts->envp ? command_environment(opts->envp) : NULL,
                         *cwd = win_wide(opts->cwd);
    DWORD flags = EXTENDED_STARTUPINFO_PRESENT | CREATE_UNICODE_ENVIRONMENT | CREATE_NO_WINDOW;
    PROCESS_INFORMATION info;

    if (opts->new_session)
        flags |= CREATE_NEW_PROCESS_GROUP; /* Ctrl+C in our console is not for it */
    if (find_program(opts->program ? opts->program : opts->argv[0], &program, e) ||
        fill_stdio(opts, &io, e) || fill_start(&start, &io, e))
        return -1;
    if (FAULT("process.spawn"))
        return win_error_code(e, ERROR_NO_SYSTEM_RESOURCES, "start %s", opts->argv[0]);
    if (!CreateProcessW(program, line, NULL, NULL, TRUE, flags, env, cwd, &start.info.StartupInfo,
                        &info))
        return win_error(e, "start %s", opts->argv[0]);
    CloseHandle(info.hThread);
    *out = (struct process){.pid = info.dwProcessId, .handle = info.hProcess};
    return 0;
}

int process_wait(struct process *p, struct cancel *c, int *code, struct err *e)
{
    DWORD exit_code;

    if (!p->handle)
        return err_set(e, ERR_IO, "wait for process %lld: it is not a child", (long long)p->pid);
    if (win_wait(p->handle, -1, c, e) < 0)
        return -1;
    if (!GetExitCodeProcess(p->handle, &exit_code))
        return win_error(e, "wait for process %lld", (long long)p->pid);
    CloseHandle(p->handle);
    p->handle = NULL;
    *code = (int)exit_code;
    return 0;
}

void process_kill(struct process *p)
{
    HANDLE h = p->handle;

    if (!h && p->pid > 0)
        h = OpenProcess(PROCESS_TERMINATE, FALSE, (DWORD)p->pid);
    if (h)
        TerminateProcess(h, KILLED_CODE);
    if (h != p->handle)
        CloseHandle(h);
}
