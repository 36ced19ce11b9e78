/* caps: capability sets.  See caps.h. */
#include "runtime-linux/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtime-linux/oci.h"

static const char *const names[CAPS_COUNT] = {"CAP_CHOWN",
                                              "CAP_DAC_OVERRIDE",
                                              "CAP_DAC_READ_SEARCH",
                                              "CAP_FOWNER",
                                              "CAP_FSETID",
                                              "CAP_KILL",
                                              "CAP_SETGID",
                                              "CAP_SETUID",
                                              "CAP_SETPCAP",
                                              "CAP_LINUX_IMMUTABLE",
                                              "CAP_NET_BIND_SERVICE",
                                              "CAP_NET_BROADCAST",
                                              "CAP_NET_ADMIN",
                                              "CAP_NET_RAW",
                                              "CAP_IPC_LOCK",
                                              "CAP_IPC_OWNER",
                                              "CAP_SYS_MODULE",
                                              "CAP_SYS_RAWIO",
                                              "CAP_SYS_CHROOT",
                                              "CAP_SYS_PTRACE",
                                              "CAP_SYS_PACCT",
                                              "CAP_SYS_ADMIN",
                                              "CAP_SYS_BOOT",
                                              "CAP_SYS_NICE",
                                              "CAP_SYS_RESOURCE",
                                              "CAP_SYS_TIME",
                                              "CAP_SYS_TTY_CONFIG",
                                              "CAP_MKNOD",
                                              "CAP_LEASE",
                                              "CAP_AUDIT_WRITE",
                                              "CAP_AUDIT_CONTROL",
                                              "CAP_SETFCAP",
                                              "CAP_MAC_OVERRIDE",
                                              "CAP_MAC_ADMIN",
                                              "CAP_SYSLOG",
                                              "CAP_WAKE_ALARM",
                                              "CAP_BLOCK_SUSPEND",
                                              "CAP_AUDIT_READ",
                                              "CAP_PERFMON",
                                              "CAP_BPF",
                                              "CAP_CHECKPOINT_RESTORE"};

static const unsigned docker_default[] = {
    CAP_AUDIT_WRITE, CAP_CHOWN,   CAP_DAC_OVERRIDE,     CAP_FOWNER,    CAP_FSETID,
    CAP_KILL,        CAP_MKNOD,   CAP_NET_BIND_SERVICE, CAP_NET_RAW,   CAP_SETFCAP,
    CAP_SETGID,      CAP_SETPCAP, CAP_SETUID,           CAP_SYS_CHROOT};

const char *cap_name(unsigned n)
{
    return n < CAPS_COUNT ? names[n] : NULL;
}

int cap_by_name(const char *name)
{
    for (unsigned i = 0; i < CAPS_COUNT; i++)
        if (str_eq_nocase(name, names[i]) || str_eq_nocase(name, names[i] + strlen("CAP_")))
            return (int)i;
    return -1;
}

int caps_parse(const struct strv *list, uint64_t *out, struct err *e)
{
    uint64_t set = 0;

    for (size_t i = 0; i < list->n; i++) {
        int cap = cap_by_name(list->v[i]);

        if (cap < 0)
            return err_set(e, ERR_INVALID, "unknown capability: \"%s\"", list->v[i]);
        set |= CAP_BIT(cap);
    }
    *out = set;
    return 0;
}

uint64_t caps_bounding(void)
{
    uint64_t set = 0;

    for (unsigned i = 0; i < CAPS_COUNT; i++)
        if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
            set |= CAP_BIT(i);
    return set;
}

uint64_t caps_effective_possible(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};

    if (syscall(SYS_capget, &head, data))
        return 0;
    return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

uint64_t caps_docker_default(void)
{
    uint64_t set = 0;

    for (size_t i = 0; i < ARRAY_LEN(docker_default); i++)
        set |= CAP_BIT(docker_default[i]);
    return set;
}

static bool takes_all(const struct strv *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq_nocase(list->v[i], "ALL") || str_eq_nocase(list->v[i], "CAP_ALL"))
            return true;
    return false;
}

static int single(const struct strv *list, uint64_t *out, struct err *e)
{
    *out = 0;
    for (size_t i = 0; i < list->n; i++) {
        int cap = cap_by_name(list->v[i]);

        if (str_eq_nocase(list->v[i], "ALL") || str_eq_nocase(list->v[i], "CAP_ALL"))
            continue;
        if (cap < 0)
            return err_set(e, ERR_INVALID, "unknown capability: \"%s\"", list->v[i]);
        *out |= CAP_BIT(cap);
    }
    return 0;
}

int caps_compose(const struct strv *add, const struct strv *drop, bool privileged, uint64_t *out,
                 struct err *e)
{
    const uint64_t everything = caps_bounding();
    uint64_t plus, minus;

    if (single(add, &plus, e) || single(drop, &minus, e))
        return -1;
    if (privileged)
        *out = everything;
    else if (takes_all(add))
        *out = everything & ~minus;
    else if (takes_all(drop))
        *out = plus & everything;
    else
        *out = ((caps_docker_default() & ~minus) | plus) & everything;
    return 0;
}

int caps_bound(const struct oci_caps *c, struct err *e)
{
    for (unsigned i = 0; i < 64; i++) {
        if (c->bounding & CAP_BIT(i))
            continue;
        if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0)
            continue;
        if (errno == EINVAL)
            return 0; /* past the kernel's last one */
        return err_os(e, errno, "drop %s from the bounding set", i < CAPS_COUNT ? names[i] : "?");
    }
    return 0;
}

static int raise_ambient(uint64_t ambient, struct err *e)
{
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) && errno != EINVAL)
        return err_os(e, errno, "clear the ambient capabilities");
    for (unsigned i = 0; i < CAPS_COUNT; i++)
        if ((ambient & CAP_BIT(i)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0))
            return err_os(e, errno, "raise ambient capability %s", names[i]);
    return 0;
}

int caps_apply(const struct oci_caps *c, struct err *e)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    const uint64_t have = caps_effective_possible();

    for (unsigned i = 0; i < 2; i++) {
        data[i].effective = (uint32_t)((c->effective & have) >> (32 * i));
        data[i].permitted = (uint32_t)((c->permitted & have) >> (32 * i));
        data[i].inheritable = (uint32_t)((c->inheritable & have) >> (32 * i));
    }
    if (syscall(SYS_capset, &head, data))
        return err_os(e, errno, "set the capabilities");
    /* The kernel takes no other; the configuration that runc generates asks for others all the
     * same. */
    return raise_ambient(c->ambient & c->permitted & c->inheritable & have, e);
}
