/*
 * sysctl: kernel parameters of the container's own namespaces.
 *
 * A parameter that belongs to no namespace, or to one that the container shares with somebody,
 * would change the host: it is refused before anything is started.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/launch_internal.h"

static const char *const ipc_names[] = {
    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
    "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
};

/* The namespace that a parameter lives in; OCI_NS_COUNT: none. */
static enum oci_ns owner(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(ipc_names); i++)
        if (str_eq(name, ipc_names[i]))
            return OCI_NS_IPC;
    if (str_starts(name, "fs.mqueue."))
        return OCI_NS_IPC;
    if (str_starts(name, "net."))
        return OCI_NS_NET;
    if (str_eq(name, "kernel.domainname") || str_eq(name, "kernel.hostname"))
        return OCI_NS_UTS;
    return OCI_NS_COUNT;
}

int sysctl_check(const struct oci_config *cfg, struct err *e)
{
    for (size_t i = 0; i < cfg->sysctl.n; i++) {
        const char *name = cfg->sysctl.v[i].k;
        enum oci_ns ns = owner(name);

        if (strchr(name, '/') || strstr(name, ".."))
            return err_set(e, ERR_INVALID, "sysctl \"%s\": not a valid name", name);
        if (ns == OCI_NS_COUNT)
            return err_set(e, ERR_INVALID, "sysctl \"%s\" is not in a separate kernel namespace",
                           name);
        if (str_eq(name, "kernel.hostname") && cfg->ns[ns].wanted && !str_empty(cfg->hostname))
            return err_set(e, ERR_INVALID,
                           "sysctl \"%s\" is not allowed as it conflicts with the OCI "
                           "\"hostname\" field",
                           name);
        if (!cfg->ns[ns].wanted)
            return err_set(e, ERR_INVALID,
                           ns == OCI_NS_IPC ? "sysctl \"%s\" is not allowed in the hosts ipc "
                                              "namespace"
                           : ns == OCI_NS_NET
                               ? "sysctl \"%s\" not allowed in host network namespace"
                               : "sysctl \"%s\" is not in a separate kernel namespace",
                           name);
    }
    return 0;
}

/* A network namespace that somebody else made belongs to the host's user namespace: there only the
 * launcher, which has joined it, may write. */
static bool is_the_launchers(const struct oci_config *cfg, const char *name)
{
    return owner(name) == OCI_NS_NET && cfg->ns[OCI_NS_NET].path;
}

int sysctl_apply(const struct oci_config *cfg, int proc_fd, bool launcher, struct err *e)
{
    for (size_t i = 0; i < cfg->sysctl.n; i++) {
        const char *name = cfg->sysctl.v[i].k, *value = cfg->sysctl.v[i].v;
        cleanup_free char *path = NULL;
        cleanup_fd int fd = -1;

        if (is_the_launchers(cfg, name) != launcher)
            continue;
        path = str_printf("sys/%s", name);
        for (char *p = path + strlen("sys/"); *p; p++)
            if (*p == '.')
                *p = '/';
        fd = openat(proc_fd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 || (*value && write(fd, value, strlen(value)) < 0))
            return err_os(e, errno, "set sysctl %s to \"%s\"", name, value);
    }
    return 0;
}
