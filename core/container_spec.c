/*
 * container_spec: one table of the fields of a create body, and what is done with all of them.
 *
 * A row says where a field is in the JSON, where in the struct, its type, its default, and how
 * inspect shows that it was not given.  Decode, encode, store, load, copy and free are loops over
 * the table, so a field cannot be read but forgotten when it is copied or printed.  Rows stand in
 * the order in which moby prints them (API 1.51), which is the order of the keys in inspect.
 *
 * Stored form: {"Config":{},"HostConfig":{},"Own":{}}, the same keys and codecs, but what is empty,
 * zero or false is left out.  Loading starts from that empty state and never from the defaults, so
 * that a default that changes one day does not change containers that exist.
 */
#include "core/container.h"

#include <stdlib.h>
#include <string.h>

#include "core/core_internal.h"

enum section { SEC_CONFIG, SEC_HOST, SEC_OWN, SEC_COUNT };
enum type { T_STR, T_BOOL, T_I64, T_STRV, T_KVS, T_CODEC };
enum {
    OMIT = 1,           /* inspect leaves it out when absent (Go's omitempty) */
    ALWAYS = 2,         /* the codec shows what absence means */
    LIST = 4,           /* [] is told from null */
    MAP = 8,            /* {} is told from null */
    ZERO_IS_UNSET = 16, /* 0 from a client means the default */
};

struct row {
    enum section section;
    const char *key;
    enum type type;
    size_t offset;
    unsigned flags;
    const char *absent;  /* what inspect prints when absent; NULL: the value as it is */
    const char *def_str; /* T_STR: value of a new spec, and of "" from a client */
    int64_t def_i64;     /* T_I64: value of a new spec, printed as `absent` */
    const struct spec_codec *codec;
};

#define AT(member) offsetof(struct container_spec, member)
#define STR(sec, name, member, ...)                                                       \
    {                                                                                     \
        .section = (sec), .key = (name), .type = T_STR, .offset = AT(member), __VA_ARGS__ \
    }
#define BOOL(sec, name, member, ...)                                                       \
    {                                                                                      \
        .section = (sec), .key = (name), .type = T_BOOL, .offset = AT(member), __VA_ARGS__ \
    }
#define I64(sec, name, member, ...)                                                       \
    {                                                                                     \
        .section = (sec), .key = (name), .type = T_I64, .offset = AT(member), __VA_ARGS__ \
    }
#define STRV_(sec, name, member, fl)                                                             \
    {                                                                                            \
        .section = (sec), .key = (name), .type = T_STRV, .offset = AT(member), .absent = "null", \
        .flags = (fl)                                                                            \
    }
#define STRV(sec, name, member) STRV_(sec, name, member, LIST)
#define KVS(sec, name, member, ...)                                                           \
    {                                                                                         \
        .section = (sec), .key = (name), .type = T_KVS, .offset = AT(member), .absent = "{}", \
        __VA_ARGS__                                                                           \
    }
#define CODEC(sec, name, c, ...)                                                           \
    {                                                                                      \
        .section = (sec), .key = (name), .type = T_CODEC, .codec = &(c), .absent = "null", \
        __VA_ARGS__                                                                        \
    }

/* clang-format off: one row, one line */
static const struct row rows[] = {
    STR(SEC_CONFIG, "Hostname", hostname),
    STR(SEC_CONFIG, "Domainname", domainname),
    STR(SEC_CONFIG, "User", user),
    BOOL(SEC_CONFIG, "AttachStdin", attach_stdin),
    BOOL(SEC_CONFIG, "AttachStdout", attach_stdout),
    BOOL(SEC_CONFIG, "AttachStderr", attach_stderr),
    CODEC(SEC_CONFIG, "ExposedPorts", codec_exposed, .flags = OMIT),
    BOOL(SEC_CONFIG, "Tty", tty),
    BOOL(SEC_CONFIG, "OpenStdin", open_stdin),
    BOOL(SEC_CONFIG, "StdinOnce", stdin_once),
    STRV_(SEC_CONFIG, "Env", env, 0),
    CODEC(SEC_CONFIG, "Cmd", codec_cmd),
    CODEC(SEC_CONFIG, "Healthcheck", codec_health, .flags = OMIT),
    BOOL(SEC_CONFIG, "ArgsEscaped", args_escaped, .flags = OMIT),
    STR(SEC_CONFIG, "Image", image),
    CODEC(SEC_CONFIG, "Volumes", codec_volumes),
    STR(SEC_CONFIG, "WorkingDir", working_dir),
    CODEC(SEC_CONFIG, "Entrypoint", codec_entrypoint),
    BOOL(SEC_CONFIG, "NetworkDisabled", network_disabled, .flags = OMIT),
    STR(SEC_CONFIG, "MacAddress", mac_address, .flags = OMIT),
    STRV(SEC_CONFIG, "OnBuild", on_build),
    KVS(SEC_CONFIG, "Labels", labels),
    STR(SEC_CONFIG, "StopSignal", stop_signal, .flags = OMIT),
    I64(SEC_CONFIG, "StopTimeout", stop_timeout_s, .flags = OMIT, .def_i64 = -1, .absent = "null"),
    STRV_(SEC_CONFIG, "Shell", shell, OMIT),

    STRV(SEC_HOST, "Binds", binds),
    STR(SEC_HOST, "ContainerIDFile", container_id_file),
    CODEC(SEC_HOST, "LogConfig", codec_log, .flags = ALWAYS),
    STR(SEC_HOST, "NetworkMode", network_mode, .def_str = "bridge"),
    CODEC(SEC_HOST, "PortBindings", codec_ports, .flags = MAP),
    CODEC(SEC_HOST, "RestartPolicy", codec_restart, .flags = ALWAYS),
    BOOL(SEC_HOST, "AutoRemove", auto_remove),
    STR(SEC_HOST, "VolumeDriver", volume_driver),
    STRV(SEC_HOST, "VolumesFrom", volumes_from),
    CODEC(SEC_HOST, "ConsoleSize", codec_console, .flags = ALWAYS),
    KVS(SEC_HOST, "Annotations", annotations, .flags = OMIT),
    STRV(SEC_HOST, "CapAdd", cap_add),
    STRV(SEC_HOST, "CapDrop", cap_drop),
    STR(SEC_HOST, "CgroupnsMode", cgroupns_mode),
    STRV(SEC_HOST, "Dns", dns),
    STRV(SEC_HOST, "DnsOptions", dns_options),
    STRV(SEC_HOST, "DnsSearch", dns_search),
    STRV(SEC_HOST, "ExtraHosts", extra_hosts),
    STRV(SEC_HOST, "GroupAdd", group_add),
    STR(SEC_HOST, "IpcMode", ipc_mode), /* "": the agent's default */
    STR(SEC_HOST, "Cgroup", cgroup),
    STRV_(SEC_HOST, "Links", links, 0),
    I64(SEC_HOST, "OomScoreAdj", oom_score_adj),
    STR(SEC_HOST, "PidMode", pid_mode),
    BOOL(SEC_HOST, "Privileged", privileged),
    BOOL(SEC_HOST, "PublishAllPorts", publish_all),
    BOOL(SEC_HOST, "ReadonlyRootfs", readonly_rootfs),
    STRV(SEC_HOST, "SecurityOpt", security_opt),
    KVS(SEC_HOST, "StorageOpt", storage_opt, .flags = OMIT),
    KVS(SEC_HOST, "Tmpfs", tmpfs, .flags = OMIT),
    STR(SEC_HOST, "UTSMode", uts_mode),
    STR(SEC_HOST, "UsernsMode", userns_mode),
    I64(SEC_HOST, "ShmSize", shm_size, .flags = ZERO_IS_UNSET, .def_i64 = 64 << 20),
    KVS(SEC_HOST, "Sysctls", sysctls, .flags = OMIT),
    STR(SEC_HOST, "Runtime", runtime), /* "": the agent's default */
    STR(SEC_HOST, "Isolation", isolation),
    I64(SEC_HOST, "CpuShares", cpu_shares),
    I64(SEC_HOST, "Memory", memory),
    I64(SEC_HOST, "NanoCpus", nano_cpus),
    STR(SEC_HOST, "CgroupParent", cgroup_parent),
    I64(SEC_HOST, "BlkioWeight", blkio_weight),
    CODEC(SEC_HOST, "BlkioWeightDevice", codec_weight_device, .flags = LIST),
    CODEC(SEC_HOST, "BlkioDeviceReadBps", codec_read_bps, .flags = LIST),
    CODEC(SEC_HOST, "BlkioDeviceWriteBps", codec_write_bps, .flags = LIST),
    CODEC(SEC_HOST, "BlkioDeviceReadIOps", codec_read_iops, .flags = LIST),
    CODEC(SEC_HOST, "BlkioDeviceWriteIOps", codec_write_iops, .flags = LIST),
    I64(SEC_HOST, "CpuPeriod", cpu_period),
    I64(SEC_HOST, "CpuQuota", cpu_quota),
    I64(SEC_HOST, "CpuRealtimePeriod", cpu_rt_period),
    I64(SEC_HOST, "CpuRealtimeRuntime", cpu_rt_runtime),
    STR(SEC_HOST, "CpusetCpus", cpuset_cpus),
    STR(SEC_HOST, "CpusetMems", cpuset_mems),
    CODEC(SEC_HOST, "Devices", codec_devices, .flags = LIST),
    STRV(SEC_HOST, "DeviceCgroupRules", device_cgroup_rules),
    CODEC(SEC_HOST, "DeviceRequests", codec_device_requests, .flags = LIST),
    I64(SEC_HOST, "MemoryReservation", memory_reservation),
    I64(SEC_HOST, "MemorySwap", memory_swap),
    I64(SEC_HOST, "MemorySwappiness", memory_swappiness, .def_i64 = -1, .absent = "null"),
    BOOL(SEC_HOST, "OomKillDisable", oom_kill_disable),
    I64(SEC_HOST, "PidsLimit", pids_limit, .absent = "null"),
    CODEC(SEC_HOST, "Ulimits", codec_ulimits, .flags = LIST),
    I64(SEC_HOST, "CpuCount", cpu_count),
    I64(SEC_HOST, "CpuPercent", cpu_percent),
    I64(SEC_HOST, "IOMaximumIOps", io_maximum_iops),
    I64(SEC_HOST, "IOMaximumBandwidth", io_maximum_bandwidth),
    CODEC(SEC_HOST, "Mounts", codec_mounts_json, .flags = OMIT),
    CODEC(SEC_HOST, "MaskedPaths", codec_masked, .flags = ALWAYS),
    CODEC(SEC_HOST, "ReadonlyPaths", codec_readonly, .flags = ALWAYS),
    CODEC(SEC_HOST, "Init", codec_init, .flags = OMIT),

    CODEC(SEC_OWN, "PortBindings", codec_ports_stored),
    CODEC(SEC_OWN, "Mounts", codec_mounts),
    CODEC(SEC_OWN, "EndpointsConfig", codec_endpoints),
    I64(SEC_OWN, "RestartDelay", restart_delay_ns),
    I64(SEC_OWN, "RestartWindow", restart_window_ns),
    I64(SEC_OWN, "RestartAttempts", restart_attempts),
};
/* clang-format on */

static const char *const section_names[SEC_COUNT] = {"Config", "HostConfig", "Own"};

_Static_assert(ARRAY_LEN(rows) <= 128, "empty_given has 128 bits");

static void *field(const struct container_spec *s, const struct row *r)
{
    return (char *)(uintptr_t)s + r->offset;
}

#define FIELD(s, r, ctype) (*(ctype *)field(s, r))

static bool empty_given(const struct container_spec *s, const struct row *r)
{
    size_t n = (size_t)(r - rows);

    return (s->empty_given[n / 64] >> (n % 64)) & 1;
}

static void set_empty_given(struct container_spec *s, const struct row *r)
{
    size_t n = (size_t)(r - rows);

    s->empty_given[n / 64] |= UINT64_C(1) << (n % 64);
}

/* ------------------------------------------------------------ life */

static void release_row(struct container_spec *s, const struct row *r)
{
    switch (r->type) {
    case T_STR:
        free(FIELD(s, r, char *));
        break;
    case T_STRV:
        strv_release(&FIELD(s, r, struct strv));
        break;
    case T_KVS:
        kvs_release(&FIELD(s, r, struct kvs));
        break;
    case T_CODEC:
        if (r->codec->release)
            r->codec->release(s);
        break;
    case T_BOOL:
    case T_I64:
        break;
    }
}

/* Everything empty, zero and false; strings are "". */
static void reset(struct container_spec *s)
{
    for (const struct row *r = rows; r < rows + ARRAY_LEN(rows); r++)
        release_row(s, r);
    memset(s, 0, sizeof(*s));
    for (const struct row *r = rows; r < rows + ARRAY_LEN(rows); r++)
        if (r->type == T_STR)
            FIELD(s, r, char *) = xstrdup("");
    s->log_driver = xstrdup("");
}

struct container_spec *container_spec_new(void)
{
    struct container_spec *s = xcalloc(1, sizeof(*s));

    for (const struct row *r = rows; r < rows + ARRAY_LEN(rows); r++) {
        if (r->type == T_STR)
            FIELD(s, r, char *) = xstrdup(r->def_str ? r->def_str : "");
        if (r->type == T_I64)
            FIELD(s, r, int64_t) = r->def_i64;
    }
    s->log_driver = xstrdup("");
    return s;
}

void container_spec_free(struct container_spec *s)
{
    if (!s)
        return;
    for (const struct row *r = rows; r < rows + ARRAY_LEN(rows); r++)
        release_row(s, r);
    free(s);
}

struct container_spec *container_spec_copy(const struct container_spec *s)
{
    struct container_spec *d = xcalloc(1, sizeof(*d));

    for (const struct row *r = rows; r < rows + ARRAY_LEN(rows); r++) {
        switch (r->type) {
        case T_STR:
            FIELD(d, r, char *) = str_dup_or_null(FIELD(s, r, char *));
            break;
        case T_BOOL:
            FIELD(d, r, bool) = FIELD(s, r, bool);
            break;
        case T_I64:
            FIELD(d, r, int64_t) = FIELD(s, r, int64_t);
            break;
        case T_STRV:
            strv_copy(&FIELD(d, r, struct strv), &FIELD(s, r, struct strv));
            break;
        case T_KVS:
            kvs_copy(&FIELD(d, r, struct kvs), &FIELD(s, r, struct kvs));
            break;
        case T_CODEC:
            if (r->codec->copy)
                r->codec->copy(d, s);
            break;
        }
    }
    memcpy(d->empty_given, s->empty_given, sizeof(d->empty_given));
    return d;
}

/* ------------------------------------------------------------ reading */

static int decode_row(const struct row *r, const struct json *j, struct container_spec *s,
                      bool stored, struct err *e)
{
    if ((r->flags & (LIST | MAP)) && json_len(j) == 0 &&
        json_typeof(j) == (r->flags & LIST ? JSON_ARRAY : JSON_OBJECT))
        set_empty_given(s, r);
    switch (r->type) {
    case T_STR:
        if (json_str(j, &FIELD(s, r, char *), e))
            return -1;
        if (!stored && r->def_str && str_empty(FIELD(s, r, char *)))
            str_set(&FIELD(s, r, char *), r->def_str);
        return 0;
    case T_BOOL:
        return json_bool(j, &FIELD(s, r, bool), e);
    case T_I64:
        if (json_i64(j, &FIELD(s, r, int64_t), e))
            return -1;
        if (!stored && (r->flags & ZERO_IS_UNSET) && FIELD(s, r, int64_t) == 0)
            FIELD(s, r, int64_t) = r->def_i64;
        return 0;
    case T_STRV:
        return json_strv(j, &FIELD(s, r, struct strv), e);
    case T_KVS:
        return json_kvs(j, &FIELD(s, r, struct kvs), e);
    case T_CODEC:
        return r->codec->decode(j, s, stored, e);
    }
    return 0;
}

/* A client's object: keys in any order and any case. */
static int decode_section(enum section sec, const struct json *obj, struct container_spec *s,
                          bool *any, struct err *e)
{
    for (const struct row *r = rows; r < rows + ARRAY_LEN(rows); r++) {
        struct json j;

        if (r->section != sec)
            continue;
        *any = *any || json_has(obj, r->key);
        j = json_get(obj, r->key);
        if (json_exists(&j) && decode_row(r, &j, s, false, e))
            return -1;
    }
    return 0;
}

/* Our own object: the keys come in the order of the table, so one walk finds them all. */
static int load_section(enum section sec, const struct json *obj, struct container_spec *s,
                        struct err *e)
{
    const struct row *r = rows, *end = rows + ARRAY_LEN(rows);
    struct json_iter it = json_iter(obj);

    while (json_next(&it)) {
        const struct row *f = r;

        while (f < end && (f->section != sec || strcmp(f->key, it.key) != 0))
            f++;
        if (f == end) /* a key that this version does not know: of an older or newer one */
            continue;
        if (json_exists(&it.value) && decode_row(f, &it.value, s, true, e))
            return -1;
        r = f + 1;
    }
    return 0;
}

/* ------------------------------------------------------------ writing */

static bool absent(const struct container_spec *s, const struct row *r)
{
    switch (r->type) {
    case T_STR:
        return str_empty(FIELD(s, r, char *));
    case T_BOOL:
        return !FIELD(s, r, bool);
    case T_I64:
        return FIELD(s, r, int64_t) == r->def_i64;
    case T_STRV:
        return FIELD(s, r, struct strv).n == 0;
    case T_KVS:
        return FIELD(s, r, struct kvs).n == 0;
    case T_CODEC:
        return r->codec->absent(s);
    }
    return true;
}

static void encode_value(const struct container_spec *s, const struct row *r, struct jsonw *w,
                         bool stored)
{
    switch (r->type) {
    case T_STR:
        jsonw_str(w, FIELD(s, r, char *));
        break;
    case T_BOOL:
        jsonw_bool(w, FIELD(s, r, bool));
        break;
    case T_I64:
        jsonw_i64(w, FIELD(s, r, int64_t));
        break;
    case T_STRV:
        jsonw_strv(w, &FIELD(s, r, struct strv));
        break;
    case T_KVS:
        if (stored)
            jsonw_kvs(w, &FIELD(s, r, struct kvs));
        else
            jsonw_kvs_sorted(w, &FIELD(s, r, struct kvs));
        break;
    case T_CODEC:
        r->codec->encode(s, w, stored);
        break;
    }
}

static void inspect_row(const struct container_spec *s, const struct row *r, struct jsonw *w)
{
    bool none = absent(s, r);

    if (none && (r->flags & OMIT))
        return;
    jsonw_key(w, r->key);
    if (!none || (r->flags & ALWAYS) || !r->absent)
        encode_value(s, r, w, false);
    else if (empty_given(s, r))
        jsonw_raw(w, r->flags & LIST ? "[]" : "{}");
    else
        jsonw_raw(w, r->absent);
}

static void inspect_section(const struct container_spec *s, enum section sec, struct jsonw *w)
{
    jsonw_obj(w);
    for (const struct row *r = rows; r < rows + ARRAY_LEN(rows); r++)
        if (r->section == sec)
            inspect_row(s, r, w);
    jsonw_end_obj(w);
}

void container_spec_encode_config(const struct container_spec *s, struct jsonw *w)
{
    inspect_section(s, SEC_CONFIG, w);
}

void container_spec_encode_host(const struct container_spec *s, struct jsonw *w)
{
    inspect_section(s, SEC_HOST, w);
}

void container_spec_encode_image(const struct container_spec *s, struct jsonw *w)
{
    /* Sorted by key, as the OCI config is passed through; the second column is Go's omitempty. */
    static const struct {
        const char *key;
        bool omit;
    } keys[] = {
        {"ArgsEscaped",  true },
        {"Cmd",          false},
        {"Entrypoint",   false},
        {"Env",          false},
        {"ExposedPorts", true },
        {"Healthcheck",  true },
        {"Labels",       false},
        {"OnBuild",      false},
        {"Shell",        true },
        {"StopSignal",   true },
        {"User",         false},
        {"Volumes",      false},
        {"WorkingDir",   false},
    };

    jsonw_obj(w);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        for (const struct row *r = rows; r->section == SEC_CONFIG; r++) {
            bool none;

            if (strcmp(r->key, keys[i].key) != 0)
                continue;
            none = absent(s, r);
            if (none && keys[i].omit)
                break;
            jsonw_key(w, r->key);
            if (none && r->type != T_STR)
                jsonw_null(w);
            else
                encode_value(s, r, w, false);
            break;
        }
    jsonw_end_obj(w);
}

static bool stored_nothing(const struct container_spec *s, const struct row *r)
{
    if (r->type == T_I64) /* not `absent`, which means the default */
        return FIELD(s, r, int64_t) == 0;
    return absent(s, r) && !empty_given(s, r);
}

void container_spec_store(const struct container_spec *s, struct jsonw *w)
{
    jsonw_obj(w);
    for (int sec = 0; sec < SEC_COUNT; sec++) {
        jsonw_key(w, section_names[sec]);
        jsonw_obj(w);
        for (const struct row *r = rows; r < rows + ARRAY_LEN(rows); r++) {
            if ((int)r->section != sec || stored_nothing(s, r))
                continue;
            jsonw_key(w, r->key);
            if (absent(s, r) && empty_given(s, r))
                jsonw_raw(w, r->flags & LIST ? "[]" : "{}");
            else
                encode_value(s, r, w, true);
        }
        jsonw_end_obj(w);
    }
    jsonw_end_obj(w);
}

int container_spec_load(const struct json *j, struct container_spec *out, struct err *e)
{
    if (want_type(j, JSON_OBJECT, e))
        return -1;
    reset(out);
    for (int sec = 0; sec < SEC_COUNT; sec++) {
        struct json part = json_get(j, section_names[sec]);

        if (load_section((enum section)sec, &part, out, e))
            return -1;
    }
    return 0;
}

int spec_decode_image(const struct json *config, struct container_spec *s, struct err *e)
{
    if (!json_exists(config))
        return 0;
    if (want_type(config, JSON_OBJECT, e))
        return -1;
    for (const struct row *r = rows; r->section == SEC_CONFIG; r++) {
        struct json j = json_get(config, r->key);

        if (!json_exists(&j))
            continue;
        if (r->codec == &codec_exposed ? exposed_decode_leniently(&j, s, e)
                                       : decode_row(r, &j, s, false, e))
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------ a create body */

/* Go's decoder leaves Config nil when not one of its keys is there. */
bool container_spec_has_config(const struct json *body)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json v = json_get(body, rows[i].key);

        if (rows[i].section == SEC_CONFIG && json_exists(&v))
            return true;
    }
    return false;
}

int container_spec_decode(const struct json *body, struct container_spec *out, struct err *e)
{
    struct json host = json_get(body, "HostConfig"), net = json_get(body, "NetworkingConfig");
    struct json endpoints, mounts;
    bool any = false, any_host = false;

    if (json_exists(body) && want_type(body, JSON_OBJECT, e))
        return -1;
    if (decode_section(SEC_CONFIG, body, out, &any, e))
        return -1;
    if (!any)
        return err_set(e, ERR_INVALID, "config cannot be empty in order to create a container");
    if ((json_exists(&host) && want_type(&host, JSON_OBJECT, e)) ||
        (json_exists(&net) && want_type(&net, JSON_OBJECT, e)) ||
        decode_section(SEC_HOST, &host, out, &any_host, e))
        return -1;
    endpoints = json_get(&net, "EndpointsConfig");
    if (json_exists(&endpoints) && codec_endpoints.decode(&endpoints, out, false, e))
        return -1;
    container_spec_settle(out);
    mounts = json_get(&host, "Mounts");
    return mounts_collect(&mounts, out, e);
}
