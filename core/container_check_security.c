/* container_check_security: namespaces, capabilities, devices and options of a create body, part of
 * container_spec_validate(). */
#include <string.h>

#include "core/core_internal.h"

/* ------------------------------------------------------------ capabilities */

/* Of linux/capability.h up to 6.x; without CAP_. */
static const char *const capabilities[] = {
    "AUDIT_CONTROL",   "AUDIT_READ",   "AUDIT_WRITE",
    "BLOCK_SUSPEND",   "BPF",          "CHECKPOINT_RESTORE",
    "CHOWN",           "DAC_OVERRIDE", "DAC_READ_SEARCH",
    "FOWNER",          "FSETID",       "IPC_LOCK",
    "IPC_OWNER",       "KILL",         "LEASE",
    "LINUX_IMMUTABLE", "MAC_ADMIN",    "MAC_OVERRIDE",
    "MKNOD",           "NET_ADMIN",    "NET_BIND_SERVICE",
    "NET_BROADCAST",   "NET_RAW",      "PERFMON",
    "SETFCAP",         "SETGID",       "SETPCAP",
    "SETUID",          "SYSLOG",       "SYS_ADMIN",
    "SYS_BOOT",        "SYS_CHROOT",   "SYS_MODULE",
    "SYS_NICE",        "SYS_PACCT",    "SYS_PTRACE",
    "SYS_RAWIO",       "SYS_RESOURCE", "SYS_TIME",
    "SYS_TTY_CONFIG",  "WAKE_ALARM",
};

static bool prefixed(const char *text)
{
    static const char cap[] = "cap_";

    for (size_t i = 0; i < 4; i++)
        if ((text[i] | 0x20) != cap[i] && text[i] != cap[i])
            return false;
    return true;
}

static int check_caps(const char *key, const struct strv *list, struct err *e)
{
    for (size_t i = 0; i < list->n; i++) {
        const char *name = list->v[i];
        bool found = str_eq_nocase(name, "ALL"), with = prefixed(name);
        char *upper;

        for (size_t k = 0; k < ARRAY_LEN(capabilities) && !found; k++)
            found = str_eq_nocase(with ? name + 4 : name, capabilities[k]);
        if (found)
            continue;
        upper = str_printf("%s%.60s", with ? "" : "CAP_", name);
        for (char *p = upper; *p; p++)
            if (*p >= 'a' && *p <= 'z')
                *p = (char)(*p - 'a' + 'A');
        err_set(e, ERR_INVALID, "invalid %s: unknown capability: \"%s\"", key, upper);
        free(upper);
        return -1;
    }
    return 0;
}

/* ------------------------------------------------------------ SecurityOpt */

/* What Go's strconv.ParseBool takes. */
static bool is_bool(const char *text)
{
    static const char *const words[] = {"1", "t", "T", "true",  "TRUE",  "True",
                                        "0", "f", "F", "false", "FALSE", "False"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

static const struct {
    const char *name;
    bool boolean;
} security_options[] = {
    {"apparmor",          false},
    {"label",             false},
    {"seccomp",           false},
    {"no-new-privileges", true },
    {"writable-cgroups",  true },
};

static int check_security_opt(const char *opt, struct err *e)
{
    /* ':' is the separator of old clients; a seccomp profile has both */
    size_t n = strcspn(opt, "=:");

    if (strcmp(opt, "no-new-privileges") == 0)
        return 0;
    if (!opt[n])
        return err_set(e, ERR_INVALID, "invalid --security-opt 1: \"%.200s\"", opt);
    for (size_t i = 0; i < ARRAY_LEN(security_options); i++)
        if (strlen(security_options[i].name) == n &&
            strncmp(opt, security_options[i].name, n) == 0 &&
            (!security_options[i].boolean || is_bool(opt + n + 1)))
            return 0;
    return err_set(e, ERR_INVALID, "invalid --security-opt 2: \"%.200s\"", opt);
}

/* ------------------------------------------------------------ namespaces */

static bool one_of(const char *text, const char *const *words, bool container)
{
    if (str_empty(text))
        return true;
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return container && str_starts(text, "container:") && text[strlen("container:")];
}

static int check_namespaces(const struct container_spec *s, struct err *e)
{
    static const char *const ipc[] = {"none", "private", "shareable", "host", NULL};
    static const char *const host[] = {"host", NULL};
    static const char *const cgroupns[] = {"private", "host", NULL};
    const struct {
        const char *what, *value;
        const char *const *words;
        bool container;
    } modes[] = {
        {"IPC mode",              s->ipc_mode,      ipc,      true },
        {"PID mode",              s->pid_mode,      host,     true },
        {"UTS mode",              s->uts_mode,      host,     false},
        {"USER mode",             s->userns_mode,   host,     false},
        {"cgroup namespace mode", s->cgroupns_mode, cgroupns, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (!one_of(modes[i].value, modes[i].words, modes[i].container))
            return err_set(e, ERR_INVALID, "invalid %s: %.100s", modes[i].what, modes[i].value);
    if (!str_empty(s->isolation) && strcmp(s->isolation, "default") != 0)
        return err_set(e, ERR_INVALID, "invalid isolation (%.60s): linux only supports 'default'",
                       s->isolation);
    return 0;
}

/* ------------------------------------------------------------ devices */

static bool only_once_of(const char *text, const char *set)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++)
        if (!strchr(set, text[i]) || memchr(text, text[i], i))
            return false;
    return n > 0;
}

static const char *number_or_star(const char *p)
{
    size_t n = *p == '*' ? 1 : strspn(p, "0123456789");

    return n ? p + n : NULL;
}

/* "c 1:3 rwm", "a *:* rwm" */
static bool rule_valid(const char *p)
{
    if (!*p || !strchr("acb", *p) || p[1] != ' ')
        return false;
    p = number_or_star(p + 2);
    if (!p || *p != ':')
        return false;
    p = number_or_star(p + 1);
    return p && *p == ' ' && strspn(p + 1, "rwm") == strlen(p + 1) && strlen(p + 1) >= 1 &&
           strlen(p + 1) <= 3;
}

static int check_devices(const struct container_spec *s, struct err *e)
{
    for (size_t i = 0; i < s->n_devices; i++) {
        const struct device_map *d = &s->devices[i];

        if (str_empty(d->host_path))
            return err_set(e, ERR_INVALID, "Devices[%zu]: PathOnHost is empty", i);
        if (!str_empty(d->permissions) && !only_once_of(d->permissions, "rwm"))
            return err_set(e, ERR_INVALID, "invalid device mode: %.60s", d->permissions);
    }
    for (size_t i = 0; i < s->device_cgroup_rules.n; i++)
        if (!rule_valid(s->device_cgroup_rules.v[i]))
            return err_set(e, ERR_INVALID, "invalid device cgroup rule format: '%.100s'",
                           s->device_cgroup_rules.v[i]);
    return 0;
}

/* ------------------------------------------------------------ the rest */

static int check_options(const struct container_spec *s, struct err *e)
{
    if (s->storage_opt.n && strcmp(s->storage_opt.v[0].k, "size") != 0)
        return err_set(e, ERR_INTERNAL, "Unknown option %.100s", s->storage_opt.v[0].k);
    for (size_t i = 0; i < s->annotations.n; i++)
        if (!*s->annotations.v[i].k)
            return err_set(e, ERR_INVALID,
                           "invalid Annotations: the empty string is not permitted as an "
                           "annotation key");
    return 0;
}

int check_security(const struct container_spec *s, struct err *e)
{
    for (size_t i = 0; i < s->security_opt.n; i++)
        if (check_security_opt(s->security_opt.v[i], e))
            return -1;
    return check_namespaces(s, e) || check_caps("CapAdd", &s->cap_add, e) ||
                   check_caps("CapDrop", &s->cap_drop, e) || check_devices(s, e) ||
                   check_options(s, e)
               ? -1
               : 0;
}

/* ------------------------------------------------------------ AppArmor */

/* The last one counts, and privileges are above all, as in moby. */
const char *container_apparmor(const struct container_spec *s, bool active)
{
    const char *named = NULL;

    if (active && s->privileged)
        return APPARMOR_UNCONFINED;
    for (size_t i = 0; i < s->security_opt.n; i++) {
        const char *o = s->security_opt.v[i];

        if (str_starts(o, "apparmor=") || str_starts(o, "apparmor:"))
            named = o + strlen("apparmor=");
    }
    if (!str_empty(named))
        return named;
    return active ? APPARMOR_DEFAULT : NULL;
}
