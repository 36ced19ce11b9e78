/*
 * apparmor: the profile of containers that name none, and its way into the kernel.
 *
 * It adds to namespaces, capabilities and masked paths what they leave to root: writing to the
 * kernel's own files in /proc and /sys, whatever is mounted where, and mounting itself.  It stands
 * alone, without the abstractions of a distribution, so that it loads wherever the parser is.
 *
 * The profile is loaded with the first container that needs it.  Once in a life of the agent it is
 * replaced, since an older version may have left another text; after that the kernel's list is
 * looked at, because an administrator may have taken it out.
 */
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/process.h"
#include "runtime-linux/client_internal.h"

#define ENABLED    "/sys/module/apparmor/parameters/enabled"
#define SECURITYFS "/sys/kernel/security/apparmor"
#define LIST_MAX   (4u << 20)
#define OUTPUT_MAX 4096

static const char profile[] =
    "profile " APPARMOR_DEFAULT " flags=(attach_disconnected,mediate_deleted) {\n"
    "  capability,\n"
    "  file,\n"
    "  network,\n"
    "  unix,\n"
    "  umount,\n"
    /* the engine and the host may signal it; among themselves containers of this profile may do as
     * the namespaces let them */
    "  signal (receive) peer=unconfined,\n"
    "  signal (send, receive) peer=" APPARMOR_DEFAULT ",\n"
    "  ptrace (trace, tracedby, read, readby) peer=" APPARMOR_DEFAULT ",\n"
    /* denied in so many words, so that it is not logged each time */
    "  deny mount,\n"
    /* of /proc, directories of processes are left, and of the kernel's settings, System V's memory,
     * which is of a namespace */
    "  deny /proc/* w,\n"
    "  deny /proc/{[^0-9s]*,s[^y]*,sy[^s]*,sys?*}/** w,\n"
    "  deny /proc/sys/{[^k]*,k[^e]*} w,\n"
    "  deny /proc/sys/{[^k]*,k[^e]*}/** w,\n"
    "  deny /proc/sys/kernel/{[^s]*,s[^h]*,sh[^m]*} w,\n"
    "  deny /proc/sys/kernel/{[^s]*,s[^h]*,sh[^m]*}/** w,\n"
    "  deny /proc/sysrq-trigger rwklx,\n"
    "  deny /proc/kcore rwklx,\n"
    /* of /sys, cgroups are left: they are mounted read-only, or belong to the container */
    "  deny /sys/{[^f]*,f[^s]*}/** wkl,\n"
    "  deny /sys/fs/{[^c]*,c[^g]*,cg[^r]*}/** wkl,\n"
    "  deny /sys/firmware/** rwklx,\n"
    "  deny /sys/devices/virtual/powercap/** rwklx,\n"
    "  deny /sys/kernel/security/** rwklx,\n"
    "}\n";

static const char *parser(void)
{
    static const char *const paths[] = {"/sbin/apparmor_parser", "/usr/sbin/apparmor_parser"};

    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    return NULL;
}

bool apparmor_active(void)
{
    cleanup_buf struct buf text = BUF_INIT(64);

    return fs_read(ENABLED, &text, ERR_IGNORE) == 0 && text.data[0] == 'Y' &&
           access(SECURITYFS, F_OK) == 0 && parser();
}

/* A list that cannot be read has it not: loading will say why. */
static bool in_kernel(void)
{
    cleanup_buf struct buf text = BUF_INIT(LIST_MAX);

    return fs_read(SECURITYFS "/profiles", &text, ERR_IGNORE) == 0 &&
           (str_starts(text.data, APPARMOR_DEFAULT " (") ||
            strstr(text.data, "\n" APPARMOR_DEFAULT " ("));
}

static int load(struct cancel *c, struct err *e)
{
    const char *const argv[] = {parser(), "-q", "-K", "-r", NULL};
    cleanup_buf struct buf said = BUF_INIT(OUTPUT_MAX);
    int code = 0;

    if (!argv[0])
        return err_set(e, ERR_UNSUPPORTED, "apparmor_parser is not installed any more");
    if (process_run(argv, profile, strlen(profile), NULL, &said, c, &code, e))
        return -1;
    if (code)
        return err_set(e, ERR_IO, "apparmor_parser exited with %d: %.1000s", code,
                       said.len ? said.data : "");
    return 0;
}

int apparmor_ensure_default(struct runtime_linux *rl, struct cancel *c, struct err *e)
{
    int r = 0;

    mutex_lock(&rl->apparmor_lock);
    if (!rl->apparmor_loaded || !in_kernel()) {
        r = load(c, e);
        rl->apparmor_loaded = r == 0;
    }
    mutex_unlock(&rl->apparmor_lock);
    return r ? err_wrap(e, "AppArmor enabled on system but the " APPARMOR_DEFAULT
                           " profile could not be loaded")
             : 0;
}
