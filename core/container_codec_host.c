/* container_codec_host: the members of HostConfig that have a shape of their own; ports and mounts
 * have files for themselves. */
#include <stdlib.h>
#include <string.h>

#include "core/core_internal.h"

/* ------------------------------------------------------------ LogConfig */

static int log_decode(const struct json *j, struct container_spec *s, bool stored, struct err *e)
{
    (void)stored;
    if (want_type(j, JSON_OBJECT, e) || get_str(j, "Type", &s->log_driver, e) ||
        get_kvs(j, "Config", &s->log_opts, e))
        return -1;
    return 0;
}

static void log_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    const char *type = s->log_driver;

    if (!stored && str_empty(type))
        type = "json-file";
    jsonw_obj(w);
    jsonw_kstr(w, "Type", type);
    jsonw_key(w, "Config");
    if (stored)
        jsonw_kvs(w, &s->log_opts);
    else
        jsonw_kvs_sorted(w, &s->log_opts);
    jsonw_end_obj(w);
}

static bool log_absent(const struct container_spec *s)
{
    return str_empty(s->log_driver) && s->log_opts.n == 0;
}

static void log_copy(struct container_spec *d, const struct container_spec *s)
{
    str_set(&d->log_driver, s->log_driver);
    kvs_copy(&d->log_opts, &s->log_opts);
}

static void log_release(struct container_spec *s)
{
    free(take_ptr(s->log_driver));
    kvs_release(&s->log_opts);
}

const struct spec_codec codec_log = {log_decode, log_encode, log_absent, log_copy, log_release};

/* ------------------------------------------------------------ RestartPolicy */

static const char *const restart_names[] = {
    [RESTART_NO] = "no",
    [RESTART_ALWAYS] = "always",
    [RESTART_ON_FAILURE] = "on-failure",
    [RESTART_UNLESS_STOPPED] = "unless-stopped",
};

const char *restart_policy_name(enum restart_policy p)
{
    return restart_names[p];
}

/* Decoded and checked at once: a name that is none has no place in the enum. */
static int restart_decode(const struct json *j, struct container_spec *s, bool stored,
                          struct err *e)
{
    cleanup_free char *name = NULL;
    size_t i;

    (void)stored;
    if (want_type(j, JSON_OBJECT, e) || get_str(j, "Name", &name, e) ||
        get_i64(j, "MaximumRetryCount", &s->restart_max, e))
        return -1;
    if (str_empty(name)) {
        s->restart = RESTART_NO;
        return 0;
    }
    for (i = 0; i < ARRAY_LEN(restart_names); i++)
        if (strcmp(name, restart_names[i]) == 0)
            break;
    if (i == ARRAY_LEN(restart_names))
        return err_set(e, ERR_INVALID,
                       "invalid restart policy: unknown policy '%s'; use one of 'no', 'always', "
                       "'on-failure', or 'unless-stopped'",
                       name);
    s->restart = (enum restart_policy)i;
    return 0;
}

static void restart_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    (void)stored;
    jsonw_obj(w);
    jsonw_kstr(w, "Name", restart_policy_name(s->restart));
    jsonw_ki64(w, "MaximumRetryCount", s->restart_max);
    jsonw_end_obj(w);
}

static bool restart_absent(const struct container_spec *s)
{
    return s->restart == RESTART_NO && s->restart_max == 0;
}

static void restart_copy(struct container_spec *d, const struct container_spec *s)
{
    d->restart = s->restart;
    d->restart_max = s->restart_max;
}

const struct spec_codec codec_restart = {restart_decode, restart_encode, restart_absent,
                                         restart_copy, NULL};

/* ------------------------------------------------------------ ConsoleSize: [height, width] */

static int console_decode(const struct json *j, struct container_spec *s, bool stored,
                          struct err *e)
{
    struct json h, w;

    (void)stored;
    if (want_type(j, JSON_ARRAY, e))
        return -1;
    h = json_at(j, 0);
    w = json_at(j, 1);
    if (json_i64(&h, &s->console_height, e) || json_i64(&w, &s->console_width, e))
        return -1;
    return 0;
}

static void console_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    (void)stored;
    jsonw_arr(w);
    jsonw_i64(w, s->console_height);
    jsonw_i64(w, s->console_width);
    jsonw_end_arr(w);
}

static bool console_absent(const struct container_spec *s)
{
    return s->console_height == 0 && s->console_width == 0;
}

static void console_copy(struct container_spec *d, const struct container_spec *s)
{
    d->console_height = s->console_height;
    d->console_width = s->console_width;
}

const struct spec_codec codec_console = {console_decode, console_encode, console_absent,
                                         console_copy, NULL};

/* ------------------------------------------------------------ Devices */

static int devices_decode(const struct json *j, struct container_spec *s, bool stored,
                          struct err *e)
{
    (void)stored;
    if (want_type(j, JSON_ARRAY, e))
        return -1;
    for (size_t i = 0; i < json_len(j); i++) {
        struct json item = json_at(j, i);
        struct device_map *d = ARRAY_ADD(s->devices, s->n_devices);

        d->host_path = xstrdup("");
        d->container_path = xstrdup("");
        d->permissions = xstrdup("");
        if (want_type(&item, JSON_OBJECT, e) || get_str(&item, "PathOnHost", &d->host_path, e) ||
            get_str(&item, "PathInContainer", &d->container_path, e) ||
            get_str(&item, "CgroupPermissions", &d->permissions, e))
            return -1;
    }
    return 0;
}

static void devices_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    (void)stored;
    jsonw_arr(w);
    for (size_t i = 0; i < s->n_devices; i++) {
        jsonw_obj(w);
        jsonw_kstr(w, "PathOnHost", s->devices[i].host_path);
        jsonw_kstr(w, "PathInContainer", s->devices[i].container_path);
        jsonw_kstr(w, "CgroupPermissions", s->devices[i].permissions);
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
}

static bool devices_absent(const struct container_spec *s)
{
    return s->n_devices == 0;
}

static void devices_copy(struct container_spec *d, const struct container_spec *s)
{
    for (size_t i = 0; i < s->n_devices; i++) {
        struct device_map *m = ARRAY_ADD(d->devices, d->n_devices);

        m->host_path = str_dup_or_null(s->devices[i].host_path);
        m->container_path = str_dup_or_null(s->devices[i].container_path);
        m->permissions = str_dup_or_null(s->devices[i].permissions);
    }
}

static void devices_release(struct container_spec *s)
{
    for (size_t i = 0; i < s->n_devices; i++) {
        free(s->devices[i].host_path);
        free(s->devices[i].container_path);
        free(s->devices[i].permissions);
    }
    free(s->devices);
    s->devices = NULL;
    s->n_devices = 0;
}

const struct spec_codec codec_devices = {devices_decode, devices_encode, devices_absent,
                                         devices_copy, devices_release};

/* ------------------------------------------------------------ Ulimits */

static int ulimits_decode(const struct json *j, struct container_spec *s, bool stored,
                          struct err *e)
{
    (void)stored;
    if (want_type(j, JSON_ARRAY, e))
        return -1;
    for (size_t i = 0; i < json_len(j); i++) {
        struct json item = json_at(j, i);
        struct ulimit *u = ARRAY_ADD(s->ulimits, s->n_ulimits);

        u->name = xstrdup("");
        if (want_type(&item, JSON_OBJECT, e) || get_str(&item, "Name", &u->name, e) ||
            get_i64(&item, "Soft", &u->soft, e) || get_i64(&item, "Hard", &u->hard, e))
            return -1;
    }
    return 0;
}

static void ulimits_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    (void)stored;
    jsonw_arr(w);
    for (size_t i = 0; i < s->n_ulimits; i++) {
        jsonw_obj(w);
        jsonw_kstr(w, "Name", s->ulimits[i].name);
        jsonw_ki64(w, "Hard", s->ulimits[i].hard);
        jsonw_ki64(w, "Soft", s->ulimits[i].soft);
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
}

static bool ulimits_absent(const struct container_spec *s)
{
    return s->n_ulimits == 0;
}

static void ulimits_copy(struct container_spec *d, const struct container_spec *s)
{
    for (size_t i = 0; i < s->n_ulimits; i++) {
        struct ulimit *u = ARRAY_ADD(d->ulimits, d->n_ulimits);

        *u = s->ulimits[i];
        u->name = str_dup_or_null(s->ulimits[i].name);
    }
}

static void ulimits_release(struct container_spec *s)
{
    for (size_t i = 0; i < s->n_ulimits; i++)
        free(s->ulimits[i].name);
    free(s->ulimits);
    s->ulimits = NULL;
    s->n_ulimits = 0;
}

const struct spec_codec codec_ulimits = {ulimits_decode, ulimits_encode, ulimits_absent,
                                         ulimits_copy, ulimits_release};

/* ------------------------------------------------------------ MaskedPaths, ReadonlyPaths */

/* Not given: the lists that moby's default spec has; none at all for a privileged container. */
static const char default_masked[] =
    "[\"/proc/asound\",\"/proc/acpi\",\"/proc/interrupts\",\"/proc/kcore\",\"/proc/keys\","
    "\"/proc/latency_stats\",\"/proc/timer_list\",\"/proc/timer_stats\",\"/proc/sched_debug\","
    "\"/proc/scsi\",\"/sys/firmware\",\"/sys/devices/virtual/powercap\"]";
static const char default_readonly[] =
    "[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\",\"/proc/sysrq-trigger\"]";

static void paths_encode(const struct container_spec *s, const struct strv *paths, bool set,
                         const char *by_default, struct jsonw *w)
{
    if (set)
        jsonw_strv(w, paths);
    else
        jsonw_raw(w, s->privileged ? "null" : by_default);
}

static int masked_decode(const struct json *j, struct container_spec *s, bool stored, struct err *e)
{
    (void)stored;
    s->masked_paths_set = true;
    return json_strv(j, &s->masked_paths, e);
}

static void masked_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    (void)stored;
    paths_encode(s, &s->masked_paths, s->masked_paths_set, default_masked, w);
}

static bool masked_absent(const struct container_spec *s)
{
    return !s->masked_paths_set;
}

static void masked_copy(struct container_spec *d, const struct container_spec *s)
{
    d->masked_paths_set = s->masked_paths_set;
    strv_copy(&d->masked_paths, &s->masked_paths);
}

static void masked_release(struct container_spec *s)
{
    strv_release(&s->masked_paths);
}

const struct spec_codec codec_masked = {masked_decode, masked_encode, masked_absent, masked_copy,
                                        masked_release};

static int readonly_decode(const struct json *j, struct container_spec *s, bool stored,
                           struct err *e)
{
    (void)stored;
    s->readonly_paths_set = true;
    return json_strv(j, &s->readonly_paths, e);
}

static void readonly_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    (void)stored;
    paths_encode(s, &s->readonly_paths, s->readonly_paths_set, default_readonly, w);
}

static bool readonly_absent(const struct container_spec *s)
{
    return !s->readonly_paths_set;
}

static void readonly_copy(struct container_spec *d, const struct container_spec *s)
{
    d->readonly_paths_set = s->readonly_paths_set;
    strv_copy(&d->readonly_paths, &s->readonly_paths);
}

static void readonly_release(struct container_spec *s)
{
    strv_release(&s->readonly_paths);
}

const struct spec_codec codec_readonly = {readonly_decode, readonly_encode, readonly_absent,
                                          readonly_copy, readonly_release};

/* ------------------------------------------------------------ Init: true, false, or not said */

static int init_decode(const struct json *j, struct container_spec *s, bool stored, struct err *e)
{
    (void)stored;
    s->init_set = true;
    return json_bool(j, &s->init, e);
}

static void init_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    (void)stored;
    jsonw_bool(w, s->init);
}

static bool init_absent(const struct container_spec *s)
{
    return !s->init_set;
}

static void init_copy(struct container_spec *d, const struct container_spec *s)
{
    d->init = s->init;
    d->init_set = s->init_set;
}

const struct spec_codec codec_init = {init_decode, init_encode, init_absent, init_copy, NULL};
