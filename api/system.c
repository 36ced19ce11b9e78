/* system: ping, version, info, df. */
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "api/api.h"
#include "api/handlers.h"
#include "base/fs.h"
#include "base/host.h"
#include "base/mem.h"
#include "base/time.h"
#include "base/version.h"
#include "core/log_driver.h"
#include "core/net_driver.h"
#include "reconciler/engine.h"

int system_ping(struct request *rq, struct err *e)
{
    res_header(rq, "Builder-Version", "1");
    res_header(rq, "Cache-Control", "no-cache, no-store, must-revalidate");
    res_header(rq, "Pragma", "no-cache");
    res_header(rq, "Swarm", "inactive");
    return res_text(rq, 200, str_eq(rq->head->method, "HEAD") ? "" : "OK", e);
}

int system_options(struct request *rq, struct err *e)
{
    return res_empty(rq, 200, e);
}

/* ----------------------------------------------------------------- version */

/* Go's name of the machine, as /version has it; /info has uname's. */
static const char *go_arch(const char *machine)
{
    static const struct {
        const char *uname, *go;
    } rows[] = {
        {"x86_64",  "amd64"  },
        {"aarch64", "arm64"  },
        {"armv7l",  "arm"    },
        {"armv6l",  "arm"    },
        {"i686",    "386"    },
        {"ppc64le", "ppc64le"},
        {"s390x",   "s390x"  },
        {"riscv64", "riscv64"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq(rows[i].uname, machine))
            return rows[i].go;
    return machine;
}

static void write_engine_component(struct jsonw *w, const struct utsname *u)
{
    jsonw_obj(w);
    jsonw_kstr(w, "Name", "Engine");
    jsonw_kstr(w, "Version", BALLAST_VERSION);
    jsonw_key(w, "Details");
    jsonw_obj(w);
    jsonw_kstr(w, "ApiVersion", API_VERSION_MAX);
    jsonw_kstr(w, "Arch", go_arch(u->machine));
    jsonw_kstr(w, "BuildTime", "");
    jsonw_kstr(w, "Experimental", "false");
    jsonw_kstr(w, "GitCommit", ballast_git_commit());
    jsonw_kstr(w, "GoVersion", "");
    jsonw_kstr(w, "KernelVersion", u->release);
    jsonw_kstr(w, "MinAPIVersion", API_VERSION_MIN);
    jsonw_kstr(w, "Os", "linux");
    jsonw_end_obj(w);
    jsonw_end_obj(w);
}

int system_version(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);
    struct utsname u;

    uname(&u);
    jsonw_obj(&w);
    jsonw_key(&w, "Platform");
    jsonw_obj(&w);
    jsonw_kstr(&w, "Name", "Ballast");
    jsonw_end_obj(&w);
    jsonw_key(&w, "Components");
    jsonw_arr(&w);
    write_engine_component(&w, &u);
    jsonw_end_arr(&w);
    jsonw_kstr(&w, "Version", BALLAST_VERSION);
    jsonw_kstr(&w, "ApiVersion", API_VERSION_MAX);
    jsonw_kstr(&w, "MinAPIVersion", API_VERSION_MIN);
    jsonw_kstr(&w, "GitCommit", ballast_git_commit());
    jsonw_kstr(&w, "GoVersion", "");
    jsonw_kstr(&w, "Os", "linux");
    jsonw_kstr(&w, "Arch", go_arch(u.machine));
    jsonw_kstr(&w, "KernelVersion", u.release);
    jsonw_kstr(&w, "BuildTime", "");
    jsonw_end_obj(&w);
    return res_json(rq, 200, &out, e);
}

/* -------------------------------------------------------------------- info */

static void write_counts(struct jsonw *w, const struct request *rq)
{
    struct container_list list = {0};
    struct image_list images = {0};
    int64_t running = 0, paused = 0;

    containers_list(rq->engine, &list);
    images_list(engine_images(rq->engine), &images);
    for (size_t i = 0; i < list.n; i++) {
        paused += list.v[i]->state.status == STATUS_PAUSED;
        running += container_is_running(list.v[i]) && list.v[i]->state.status != STATUS_PAUSED;
    }
    jsonw_ki64(w, "Containers", (int64_t)list.n);
    jsonw_ki64(w, "ContainersRunning", running);
    jsonw_ki64(w, "ContainersPaused", paused);
    jsonw_ki64(w, "ContainersStopped", (int64_t)list.n - running - paused);
    jsonw_ki64(w, "Images", (int64_t)images.n);
    container_list_release(&list);
    image_list_release(&images);
}

static void write_driver(struct jsonw *w, const struct request *rq)
{
    const struct images *im = engine_images(rq->engine);

    jsonw_kstr(w, "Driver", images_driver_name(im));
    jsonw_key(w, "DriverStatus");
    jsonw_arr(w);
    jsonw_arr(w);
    jsonw_str(w, "Backing Filesystem");
    jsonw_str(w, images_backing_fs(im));
    jsonw_end_arr(w);
    jsonw_raw(w, "[\"Supports d_type\",\"true\"]");
    jsonw_end_arr(w);
}

static void write_plugins(struct jsonw *w)
{
    static const char *const nets[] = {"bridge", "host", "ipvlan", "macvlan", "null"};
    static const char *const logs[] = {"awslogs",   "fluentd", "gelf",   "journald",
                                       "json-file", "local",   "splunk", "syslog"};

    jsonw_key(w, "Plugins");
    jsonw_obj(w);
    jsonw_key(w, "Volume");
    jsonw_raw(w, "[\"local\"]");
    jsonw_key(w, "Network");
    jsonw_arr(w);
    for (size_t i = 0; i < ARRAY_LEN(nets); i++)
        if (net_driver_find(nets[i]))
            jsonw_str(w, nets[i]);
    jsonw_end_arr(w);
    jsonw_key(w, "Authorization");
    jsonw_null(w);
    jsonw_key(w, "Log");
    jsonw_arr(w);
    for (size_t i = 0; i < ARRAY_LEN(logs); i++)
        if (log_driver_find(logs[i]))
            jsonw_str(w, logs[i]);
    jsonw_end_arr(w);
    jsonw_end_obj(w);
}

static bool cgroup_v2(void)
{
    return fs_exists("/sys/fs/cgroup/cgroup.controllers");
}

static bool has_controller(const char *name)
{
    cleanup_buf struct buf text = BUF_INIT(4096);
    cleanup_strv struct strv words = {0};
    char path[64];

    if (!cgroup_v2()) {
        snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", name);
        return fs_exists(path);
    }
    if (fs_read("/sys/fs/cgroup/cgroup.controllers", &text, ERR_IGNORE))
        return false;
    strv_split(&words, str_trim(text.data), ' ');
    return strv_has(&words, name);
}

static void write_abilities(struct jsonw *w, const struct request *rq)
{
    bool memory = has_controller("memory"), cpu = has_controller("cpu");
    cleanup_buf struct buf forward = BUF_INIT(64);
    bool forwards =
        !fs_read("/proc/sys/net/ipv4/ip_forward", &forward, ERR_IGNORE) && forward.data[0] == '1';

    jsonw_kbool(w, "MemoryLimit", memory);
    jsonw_kbool(w, "SwapLimit", memory);
    if (request_shape(rq, SHAPE_KERNEL_MEMORY))
        jsonw_kbool(w, "KernelMemory", false);
    jsonw_kbool(w, "CpuCfsPeriod", cpu);
    jsonw_kbool(w, "CpuCfsQuota", cpu);
    jsonw_kbool(w, "CPUShares", cpu);
    jsonw_kbool(w, "CPUSet", has_controller("cpuset"));
    jsonw_kbool(w, "PidsLimit", has_controller("pids"));
    jsonw_kbool(w, "IPv4Forwarding", forwards);
    if (request_shape(rq, SHAPE_BRIDGE_NF)) {
        jsonw_kbool(w, "BridgeNfIptables", false);
        jsonw_kbool(w, "BridgeNfIp6tables", false);
    }
    jsonw_kbool(w, "Debug", rq->cfg->debug);
    jsonw_kbool(w, "OomKillDisable", memory && !cgroup_v2());
}

static int64_t count_entries(const char *dir)
{
    cleanup_strv struct strv names = {0};

    return fs_list(dir, &names, ERR_IGNORE) ? 0 : (int64_t)names.n;
}

/* One value of os-release; "" when it has none. */
static void os_release(const char *text, const char *key, char *out, size_t size)
{
    cleanup_strv struct strv lines = {0};
    size_t n = strlen(key);

    out[0] = '\0';
    strv_split(&lines, text, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        char *value = lines.v[i] + n;

        if (!str_starts(lines.v[i], key) || *value != '=')
            continue;
        value++;
        if (*value == '"') {
            value++;
            value[strcspn(value, "\"")] = '\0';
        }
        (void)str_copy(out, size, value);
    }
}

static void write_system(struct jsonw *w)
{
    cleanup_buf struct buf release = BUF_INIT(64 * 1024);
    char name[256], version[64], pretty[256];
    struct sysinfo si = {0};
    struct utsname u;

    uname(&u);
    sysinfo(&si);
    if (fs_read("/etc/os-release", &release, ERR_IGNORE))
        buf_reset(&release);
    os_release(release.data, "PRETTY_NAME", pretty, sizeof(pretty));
    os_release(release.data, "VERSION_ID", version, sizeof(version));
    if (host_name(name, sizeof(name), ERR_IGNORE))
        name[0] = '\0';
    jsonw_kstr(w, "KernelVersion", u.release);
    jsonw_kstr(w, "OperatingSystem", pretty[0] ? pretty : "Linux");
    jsonw_kstr(w, "OSVersion", version);
    jsonw_kstr(w, "OSType", "linux");
    jsonw_kstr(w, "Architecture", u.machine);
    jsonw_ki64(w, "NCPU", host_processors());
    jsonw_ki64(w, "MemTotal", (int64_t)si.totalram * si.mem_unit);
    jsonw_kstr(w, "Name", name);
}

static void write_index(struct jsonw *w, const char *name, const struct strv *mirrors,
                        bool official, bool secure)
{
    jsonw_key(w, name);
    jsonw_obj(w);
    jsonw_key(w, "Mirrors");
    if (mirrors) {
        jsonw_strv(w, mirrors);
    } else {
        jsonw_arr(w);
        jsonw_end_arr(w);
    }
    jsonw_kstr(w, "Name", name);
    jsonw_kbool(w, "Official", official);
    jsonw_kbool(w, "Secure", secure);
    jsonw_end_obj(w);
}

static void write_registries(struct jsonw *w, const struct api_config *cfg)
{
    jsonw_kstr(w, "IndexServerAddress", "https://index.docker.io/v1/");
    jsonw_key(w, "RegistryConfig");
    jsonw_obj(w);
    jsonw_key(w, "IndexConfigs");
    jsonw_obj(w);
    write_index(w, "docker.io", &cfg->registry_mirrors, true, true);
    for (size_t i = 0; i < cfg->insecure_registries.n; i++)
        write_index(w, cfg->insecure_registries.v[i], NULL, false, false);
    jsonw_end_obj(w);
    jsonw_key(w, "InsecureRegistryCIDRs");
    jsonw_raw(w, "[\"::1/128\",\"127.0.0.0/8\"]");
    jsonw_key(w, "Mirrors");
    if (cfg->registry_mirrors.n)
        jsonw_strv(w, &cfg->registry_mirrors);
    else
        jsonw_null(w);
    jsonw_end_obj(w);
}

static void write_commit(struct jsonw *w, const struct request *rq, const char *key)
{
    jsonw_key(w, key);
    jsonw_obj(w);
    jsonw_kstr(w, "ID", "");
    if (request_shape(rq, SHAPE_COMMIT_EXPECTED))
        jsonw_kstr(w, "Expected", "");
    jsonw_end_obj(w);
}

/* The built-in one is our shim, under every name that no command has taken. */
static void write_runtime_names(struct jsonw *w, const struct engine_config *ec)
{
    static const char *const builtin[] = {"ballast", "io.containerd.runc.v2", "runc"};
    const struct runtime_command *command;

    jsonw_key(w, "Runtimes");
    jsonw_obj(w);
    for (size_t i = 0; i < ARRAY_LEN(builtin); i++) {
        if (runtime_command_find(ec->runtimes, builtin[i], &command, ERR_IGNORE) || command)
            continue;
        jsonw_key(w, builtin[i]);
        jsonw_obj(w);
        jsonw_kstr(w, "path", "ballast-shim");
        jsonw_end_obj(w);
    }
    for (size_t i = 0; ec->runtimes && i < ec->runtimes->n; i++) {
        command = &ec->runtimes->v[i];
        jsonw_key(w, command->name);
        jsonw_obj(w);
        jsonw_kstr(w, "path", command->path);
        if (command->args.n) {
            jsonw_key(w, "runtimeArgs");
            jsonw_strv(w, &command->args);
        }
        jsonw_end_obj(w);
    }
    jsonw_end_obj(w);
    jsonw_kstr(w, "DefaultRuntime", ec->default_runtime ? ec->default_runtime : RUNTIME_DEFAULT);
}

/* Containers that ask for nothing get a cgroup namespace of their own. */
static bool private_cgroupns(const struct engine_config *ec)
{
    return str_empty(ec->default_cgroupns_mode) ? cgroup_v2()
                                                : str_eq(ec->default_cgroupns_mode, "private");
}

/* Old clients know the names alone. */
static void write_security(struct jsonw *w, const struct request *rq,
                           const struct engine_config *ec, bool plain)
{
    const char *profile = ec->seccomp_profile ? ec->seccomp_name : "builtin";
    cleanup_free char *seccomp = str_printf("name=seccomp,profile=%s", profile);

    jsonw_arr(w);
    if (engine_supports(rq->engine, "apparmor"))
        jsonw_str(w, plain ? "apparmor" : "name=apparmor");
    jsonw_str(w, plain ? "seccomp" : seccomp);
    if (ec->userns_remap)
        jsonw_str(w, plain ? "userns" : "name=userns");
    if (private_cgroupns(ec))
        jsonw_str(w, plain ? "cgroupns" : "name=cgroupns");
    jsonw_end_arr(w);
}

static void write_runtimes(struct jsonw *w, const struct request *rq)
{
    const struct engine_config *ec = engine_config(rq->engine);
    bool plain = request_shape(rq, SHAPE_PLAIN_SECURITY);

    write_runtime_names(w, ec);
    jsonw_key(w, "Swarm");
    jsonw_raw(w, "{\"NodeID\":\"\",\"NodeAddr\":\"\",\"LocalNodeState\":\"inactive\","
                 "\"ControlAvailable\":false,\"Error\":\"\",\"RemoteManagers\":null}");
    jsonw_kbool(w, "LiveRestoreEnabled", true);
    jsonw_kstr(w, "Isolation", "");
    jsonw_kstr(w, "InitBinary", "ballast-shim");
    write_commit(w, rq, "ContainerdCommit");
    write_commit(w, rq, "RuncCommit");
    write_commit(w, rq, "InitCommit");
    jsonw_key(w, "SecurityOptions");
    write_security(w, rq, ec, plain);
    if (request_shape(rq, SHAPE_FIREWALL_BACKEND)) {
        jsonw_key(w, "FirewallBackend");
        jsonw_raw(w, "{\"Driver\":\"nftables\"}");
    }
    jsonw_key(w, "CDISpecDirs");
    jsonw_arr(w);
    jsonw_end_arr(w);
    jsonw_key(w, "Warnings");
    jsonw_null(w);
}

int system_info(struct request *rq, struct err *e)
{
    const struct engine_config *ec = engine_config(rq->engine);
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);

    jsonw_obj(&w);
    jsonw_kstr(&w, "ID", engine_id(rq->engine));
    write_counts(&w, rq);
    write_driver(&w, rq);
    write_plugins(&w);
    write_abilities(&w, rq);
    jsonw_ki64(&w, "NFd", count_entries("/proc/self/fd"));
    jsonw_ki64(&w, "NGoroutines", count_entries("/proc/self/task")); /* threads, here */
    jsonw_key(&w, "SystemTime");
    jsonw_time(&w, time_wall_ns());
    jsonw_kstr(&w, "LoggingDriver", ec->default_log_driver ? ec->default_log_driver : "json-file");
    jsonw_kstr(&w, "CgroupDriver", "cgroupfs");
    jsonw_kstr(&w, "CgroupVersion", cgroup_v2() ? "2" : "1");
    jsonw_ki64(&w, "NEventsListener", 0);
    write_system(&w);
    write_registries(&w, rq->cfg);
    jsonw_key(&w, "GenericResources");
    jsonw_null(&w);
    jsonw_kstr(&w, "DockerRootDir", rq->cfg->root_dir);
    jsonw_kstr(&w, "HttpProxy", "");
    jsonw_kstr(&w, "HttpsProxy", "");
    jsonw_kstr(&w, "NoProxy", "");
    jsonw_key(&w, "Labels");
    jsonw_strv(&w, &rq->cfg->labels);
    jsonw_kbool(&w, "ExperimentalBuild", rq->cfg->experimental);
    jsonw_kstr(&w, "ServerVersion", BALLAST_VERSION);
    write_runtimes(&w, rq);
    jsonw_end_obj(&w);
    return res_json(rq, 200, &out, e);
}

/* ---------------------------------------------------------------------- df */

enum df_part { DF_IMAGES, DF_CONTAINERS, DF_VOLUMES, DF_BUILD_CACHE, DF_PARTS };

static int df_parts(const struct request *rq, bool want[DF_PARTS], struct err *e)
{
    static const char *const names[] = {
        [DF_IMAGES] = "image",
        [DF_CONTAINERS] = "container",
        [DF_VOLUMES] = "volume",
        [DF_BUILD_CACHE] = "build-cache",
    };
    cleanup_strv struct strv types = {0};

    query_all(rq, "type", &types);
    for (size_t k = 0; k < DF_PARTS; k++)
        want[k] = types.n == 0;
    for (size_t i = 0; i < types.n; i++) {
        bool known = false;

        for (size_t k = 0; k < DF_PARTS; k++)
            if (str_eq(types.v[i], names[k]))
                known = want[k] = true;
        if (!known)
            return err_set(e, ERR_INVALID, "unknown object type: %s", types.v[i]);
    }
    return 0;
}

static void write_images(struct jsonw *w, const struct request *rq,
                         const struct container_list *containers)
{
    struct image_list images = {0};
    cleanup_free int64_t *shared = NULL;

    images_list(engine_images(rq->engine), &images);
    shared = xcalloc(images.n + 1, sizeof(*shared));
    images_shared_sizes(engine_images(rq->engine), &images, shared);
    jsonw_arr(w);
    for (size_t i = 0; i < images.n; i++)
        image_write_summary(w, images.v[i], NULL, NULL, rq->version,
                            image_users(containers, images.v[i]->id), shared[i]);
    jsonw_end_arr(w);
    image_list_release(&images);
}

static void write_containers(struct jsonw *w, const struct request *rq,
                             const struct container_list *containers)
{
    struct codec k = codec_of(rq);

    k.size = true;
    jsonw_arr(w);
    for (size_t i = 0; i < containers->n; i++)
        container_write_summary(w, &k, containers->v[i], containers->v[i]->spec->image);
    jsonw_end_arr(w);
}

static void write_volumes(struct jsonw *w, const struct request *rq)
{
    struct volume_list volumes = {0};

    volumes_list(rq->engine, &volumes);
    jsonw_arr(w);
    for (size_t i = 0; i < volumes.n; i++) {
        cleanup_strv struct strv users = {0};
        int64_t size = -1;

        if (!volume_is_plain(volumes.v[i]))
            continue;
        volumes_users(rq->engine, volumes.v[i]->name, &users);
        if (!volumes.v[i]->mountpoint || fs_tree_size(volumes.v[i]->mountpoint, &size, ERR_IGNORE))
            size = -1;
        volume_write(w, volumes.v[i], (int64_t)users.n, size);
    }
    jsonw_end_arr(w);
    volume_list_release(&volumes);
}

int system_df(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct container_list containers = {0};
    struct jsonw w = JSONW_INIT(&out);
    bool want[DF_PARTS];

    if (df_parts(rq, want, e))
        return -1;
    containers_list(rq->engine, &containers);
    jsonw_obj(&w);
    jsonw_ki64(&w, "LayersSize",
               want[DF_IMAGES] ? images_layers_size(engine_images(rq->engine)) : 0);
    jsonw_key(&w, "Images");
    if (want[DF_IMAGES])
        write_images(&w, rq, &containers);
    else
        jsonw_null(&w);
    jsonw_key(&w, "Containers");
    if (want[DF_CONTAINERS])
        write_containers(&w, rq, &containers);
    else
        jsonw_null(&w);
    jsonw_key(&w, "Volumes");
    if (want[DF_VOLUMES])
        write_volumes(&w, rq);
    else
        jsonw_null(&w);
    jsonw_key(&w, "BuildCache");
    jsonw_raw(&w, want[DF_BUILD_CACHE] ? "[]" : "null");
    jsonw_end_obj(&w);
    container_list_release(&containers);
    return res_json(rq, 200, &out, e);
}
