/* sysctl: see sysctl.h. */
#include "netdrivers/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

int sysctl_read(const char *name, int *value, struct err *e)
{
    cleanup_free char *path = str_printf("/proc/sys/%s", name);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[32] = "";
    int64_t n;

    if (fd < 0 && errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "this kernel has no %s", name);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
        return err_os(e, errno, "read %s", path);
    if (parse_i64(str_trim(text), INT32_MIN, INT32_MAX, name, &n, e))
        return -1;
    *value = (int)n;
    return 0;
}

int sysctl_ensure(const char *name, int value, struct err *e)
{
    cleanup_free char *path = str_printf("/proc/sys/%s", name);
    cleanup_fd int fd = -1;
    char text[16];
    int now;

    if (sysctl_read(name, &now, e))
        return -1;
    if (now == value)
        return 0;
    int n = snprintf(text, sizeof(text), "%d", value);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        return err_os(e, errno, "set %s to %d", name, value);
    return 0;
}

static int set_one(const char *setting, const char *ifname, struct err *e)
{
    const char *eq = strchr(setting, '=');
    cleanup_strv struct strv parts = {0};
    cleanup_free char *name = str_ndup(setting, eq ? (size_t)(eq - setting) : strlen(setting));
    cleanup_free char *path = NULL;
    cleanup_fd int fd = -1;

    strv_split(&parts, name, '.');
    if (!eq || parts.n < 5 || strchr(name, '/') || strchr(ifname, '/'))
        return err_set(e, ERR_INVALID, "\"%s\" is no setting of an interface", setting);
    path = str_printf("/proc/sys/net/%s/%s/%s/%s", parts.v[1], parts.v[2], ifname, parts.v[4]);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, eq + 1, strlen(eq + 1)) < 0)
        return err_os(e, errno, "set %s to %s", path, eq + 1);
    return 0;
}

int sysctl_interface(const char *list, const char *ifname, struct err *e)
{
    cleanup_strv struct strv each = {0};

    if (!str_empty(list))
        strv_split(&each, list, ',');
    for (size_t i = 0; i < each.n; i++)
        if (set_one(each.v[i], ifname, e))
            return -1;
    return 0;
}
