/* agent: see agent.h for the order. */
#include "agent/agent.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/pidfile.h"
#include "agent/preload.h"
#include "agent/sources/directory.h"
#include "agent/systemd.h"
#include "api/api.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"
#include "compose/compose.h"
#include "core/net_driver.h"
#include "core/runtime.h"
#include "images/images.h"
#include "reconciler/engine.h"
#include "state/state.h"

#define FIRST_INHERITED_FD 3

struct agent {
    const struct config *cfg;
    struct state *st;
    struct images *im;
    struct runtime *rt;
    struct engine *g;
    struct api *api;
    struct directory_source **sources;
    size_t n_sources;
    bool has_pidfile; /* it is ours: another agent's is not removed */
};

/* ------------------------------------------------------------ what the API asks back */

static void rescan(void *arg)
{
    agent_rescan(arg);
}

static void doctor(void *arg, struct strv *lines)
{
    struct agent *a = arg;

    strv_addf(lines, "storage driver\t%s\ton %s", images_driver_name(a->im),
              images_backing_fs(a->im));
    a->rt->ops->doctor(a->rt, lines);
    net_doctor(lines);
}

static int compose(void *arg, const char *name, const char *project_dir, const struct strv *files,
                   const struct kvs *env, struct app **out, struct err *e)
{
    struct strv profiles = {0};
    struct compose_opts o = {.name = name,
                             .project_dir = project_dir,
                             .files = files,
                             .env = env,
                             .profiles = &profiles,
                             .source = "cli"};

    (void)arg;
    return compose_load(&o, out, e);
}

/* ------------------------------------------------------------ coming up */

/* It may have been there before, the root of a disk say.  Other users of this machine who can walk
 * through run what is in images, set-id programs among it. */
static int close_to_others(const char *dir, struct err *e)
{
    return chmod(dir, 0710) ? err_os(e, errno, "close %s to other users", dir) : 0;
}

static int open_roots(struct agent *a, struct err *e)
{
    const struct config *c = a->cfg;
    cleanup_free char *containers = path_join(c->data_root, "containers");
    cleanup_free char *volumes = path_join(c->data_root, "volumes");
    cleanup_free char *netns = path_join(c->exec_root, "netns");

    if (fs_mkdir_p(c->data_root, 0710, e) || fs_mkdir_p(c->exec_root, 0711, e) ||
        pidfile_lock_root(c->data_root, e) || close_to_others(c->data_root, e) ||
        fs_mkdir_p(containers, 0710, e) || fs_mkdir_p(volumes, 0701, e) ||
        fs_mkdir_p(netns, 0700, e))
        return -1;
    if (!str_empty(c->pidfile) && pidfile_write(c->pidfile, e))
        return -1;
    a->has_pidfile = !str_empty(c->pidfile);
    return 0;
}

static int open_stores(struct agent *a, struct err *e)
{
    const struct config *c = a->cfg;
    cleanup_free char *db = path_join(c->data_root, "state.db");
    struct images_config ic = {.data_root = c->data_root,
                               .storage_driver = c->storage_driver,
                               .insecure_registries = c->insecure_registries,
                               .max_downloads = (int)c->max_concurrent_downloads,
                               .user_agent = "ballast/" BALLAST_VERSION};
    struct runtime_config rc = {.data_root = c->data_root,
                                .exec_root = c->exec_root,
                                .shim_path = c->shim,
                                .commands = &c->runtimes};

    if (state_open(db, &a->st, e) || images_open(&ic, a->st, &a->im, e) ||
        runtime_open(&rc, &a->rt, e))
        return -1;
    return preload_images(a->im, c->preload_images, e);
}

static int open_engine(struct agent *a, struct err *e)
{
    const struct config *c = a->cfg;
    struct engine_config ec = {
        .data_root = c->data_root,
        .exec_root = c->exec_root,
        .net = {.instance = c->instance,
                .default_bridge = c->bridge,
                .exec_root = c->exec_root,
                .ip_forward = c->ip_forward,
                .ip_masq = c->ip_masq,
                .icc = c->icc,
                .mtu = c->mtu},
        .vol = {.plugin_sockets = c->plugin_sockets,
                .plugin_specs = &c->plugin_specs,
                .owner = (unsigned)c->remap_base            },
        .cgroup_parent = c->cgroup_parent,
        .default_log_driver = c->log_driver,
        .default_log_opts = c->log_opts,
        .default_dns = c->dns,
        .default_shm_size = c->default_shm_size,
        .default_stop_timeout_s = c->default_stop_timeout,
        .default_init = c->init,
        .no_new_privileges = c->no_new_privileges,
        .default_cgroupns_mode = c->default_cgroupns,
        .default_ipc_mode = c->default_ipc,
        .default_ulimits = c->default_ulimits,
        .seccomp_profile = c->seccomp_text,
        .seccomp_name = c->seccomp_profile,
        .host_gateways = c->host_gateways,
        .cdi_dirs = c->cdi_dirs,
        .userns_remap = c->remap_count > 0,
        .remap_base = c->remap_base,
        .remap_count = c->remap_count,
        .runtimes = &c->runtimes,
        .default_runtime = c->default_runtime,
        .host_labels = c->host_labels,
        .workers = (int)c->workers,
    };

    for (size_t i = 0; i < c->n_pools && i < ARRAY_LEN(ec.pools); i++)
        ec.pools[ec.n_pools++] =
            (struct net_pool_base){.base = c->pools[i].base, .size = (int)c->pools[i].size};
    return engine_open(&ec, a->st, a->im, a->rt, &a->g, e) || engine_start(a->g, e) ? -1 : 0;
}

static int listen_on(struct agent *a, const char *address, struct err *e)
{
    struct listener *l = NULL;
    const char *group = a->cfg->group;
    cleanup_free char *path = str_starts(address, "unix://") ? path_dir(address + 7) : NULL;

    if (path && fs_mkdir_p(path, 0755, e))
        return -1;
    if (listener_open(address, str_empty(group) ? NULL : group, &l, e)) {
        if (e->kind != ERR_NOT_FOUND || strcmp(group, "docker") != 0)
            return -1;
        /* The default group need not exist; the socket is root's then. */
        if (listener_open(address, NULL, &l, e))
            return -1;
    }
    if (api_listen(a->api, l, e))
        return -1;
    log_info("API listens", "address=%s", address);
    if (str_starts(address, "tcp://") && !str_starts(address, "tcp://127.") &&
        !str_starts(address, "tcp://localhost") && !str_starts(address, "tcp://[::1]"))
        log_warn("whoever can reach this address is root on this machine: it has no authentication",
                 "address=%s", address);
    return 0;
}

static int listen_inherited(struct agent *a, struct err *e)
{
    size_t n = systemd_listen_fds();

    for (size_t i = 0; i < n; i++) {
        struct listener *l = NULL;

        if (listener_from_fd(FIRST_INHERITED_FD + (int)i, &l, e) || api_listen(a->api, l, e))
            return -1;
        log_info("API listens", "address=%s", listener_address(l));
    }
    if (n == 0)
        return err_set(e, ERR_INVALID,
                       "no sockets were passed: fd:// needs socket activation by systemd");
    return 0;
}

static int open_api(struct agent *a, struct err *e)
{
    const struct config *c = a->cfg;
    struct api_config ac = {.root_dir = c->data_root,
                            .debug = c->debug,
                            .experimental = c->experimental,
                            .labels = c->labels,
                            .insecure_registries = c->insecure_registries,
                            .registry_mirrors = c->registry_mirrors,
                            .rescan = rescan,
                            .rescan_arg = a,
                            .doctor = doctor,
                            .doctor_arg = a,
                            .compose = compose,
                            .compose_arg = a};

    if (api_new(&ac, a->g, &a->api, e))
        return -1;
    for (size_t i = 0; i < c->hosts.n; i++) {
        if (str_starts(c->hosts.v[i], "fd://") ? listen_inherited(a, e)
                                               : listen_on(a, c->hosts.v[i], e))
            return err_wrap(e, "listen on %s", c->hosts.v[i]);
    }
    return 0;
}

static int open_sources(struct agent *a, struct err *e)
{
    const struct config *c = a->cfg;

    a->sources = xcalloc(c->n_sources, sizeof(struct directory_source *));
    for (size_t i = 0; i < c->n_sources; i++) {
        struct directory_opts o = {.name = c->sources[i].name,
                                   .path = c->sources[i].directory,
                                   .allow_empty = c->sources[i].allow_empty};

        if (directory_source_start(&o, a->g, &a->sources[a->n_sources], e))
            return err_wrap(e, "source %s", o.name);
        a->n_sources++;
    }
    return 0;
}

int agent_erase(const struct config *c, struct err *e)
{
    struct agent *a = xcalloc(1, sizeof(*a));
    int r;

    a->cfg = c;
    umask(022);
    r = open_roots(a, e) || open_stores(a, e) || open_engine(a, e) || engine_erase(a->g, e) ? -1
                                                                                            : 0;
    agent_close(a);
    if (r || fs_remove_all(c->data_root, e) || fs_remove_all(c->exec_root, e))
        return -1;
    return 0;
}

int agent_open(const struct config *c, struct agent **out, struct err *e)
{
    struct agent *a = xcalloc(1, sizeof(*a));

    a->cfg = c;
    umask(022);
    if (open_roots(a, e) || open_stores(a, e) || open_engine(a, e) || open_api(a, e) ||
        open_sources(a, e)) {
        agent_close(a);
        return -1;
    }
    *out = a;
    return 0;
}

void agent_rescan(struct agent *a)
{
    for (size_t i = 0; i < a->n_sources; i++)
        directory_source_rescan(a->sources[i]);
}

/* ------------------------------------------------------------ going down */

void agent_close(struct agent *a)
{
    for (size_t i = 0; i < a->n_sources; i++)
        directory_source_stop(a->sources[i]);
    free(a->sources);
    if (a->api)
        api_close(a->api, a->cfg->shutdown_timeout * 1000);
    engine_stop(a->g);
    if (a->rt)
        a->rt->ops->free(a->rt); /* its thread tells the engine of ends until here */
    engine_close(a->g);
    if (a->im)
        images_close(a->im);
    if (a->st)
        state_close(a->st);
    if (a->has_pidfile)
        (void)!fs_remove(a->cfg->pidfile, ERR_IGNORE);
    free(a);
}
