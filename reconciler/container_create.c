/*
 * container_create: from a create body to a container's record.
 *
 * Everything that can be refused is refused here, before anything exists.  The image's defaults are
 * merged into a copy of the spec, volumes that do not exist yet are made, and the record is written
 * under a name that nobody else has.  Nothing of the container exists in the world after that.
 */
#include <string.h>

#include "base/fs.h"
#include "base/host.h"
#include "base/id.h"
#include "base/log.h"
#include "images/manifest.h"
#include "reconciler/engine_internal.h"

#define NAME_ROOM 64 /* for a made-up name */

/* ------------------------------------------------------------ merging the image */

static size_t env_key_len(const char *pair)
{
    return strcspn(pair, "=");
}

static bool env_has(const struct strv *env, const char *pair)
{
    size_t n = env_key_len(pair);

    for (size_t i = 0; i < env->n; i++)
        if (env_key_len(env->v[i]) == n && strncmp(env->v[i], pair, n) == 0)
            return true;
    return false;
}

/* The user's first, then what of the image's they did not set, as dockerd has it.  "KEY" alone
 * unsets. */
static void merge_env(struct strv *user, const struct strv *image)
{
    struct strv merged = {0};

    for (size_t i = 0; i < user->n; i++)
        if (strchr(user->v[i], '='))
            strv_add(&merged, user->v[i]);
    for (size_t i = 0; i < image->n; i++)
        if (!env_has(user, image->v[i]))
            strv_add(&merged, image->v[i]);
    strv_release(user);
    *user = merged;
}

static void merge_exposed(struct container_spec *s, const struct container_spec *img)
{
    for (size_t i = 0; i < img->n_exposed; i++) {
        bool there = false;

        for (size_t k = 0; k < s->n_exposed; k++)
            there = there || (s->exposed[k].port == img->exposed[i].port &&
                              s->exposed[k].proto == img->exposed[i].proto);
        if (there)
            continue;
        *ARRAY_ADD(s->exposed, s->n_exposed) = img->exposed[i];
    }
}

static void merge_health(struct health_spec *h, const struct health_spec *img)
{
    if (!img->set)
        return;
    h->set = true;
    if (h->test.n == 0)
        strv_copy(&h->test, &img->test);
    h->interval_ns = h->interval_ns ? h->interval_ns : img->interval_ns;
    h->timeout_ns = h->timeout_ns ? h->timeout_ns : img->timeout_ns;
    h->start_period_ns = h->start_period_ns ? h->start_period_ns : img->start_period_ns;
    h->start_interval_ns = h->start_interval_ns ? h->start_interval_ns : img->start_interval_ns;
    h->retries = h->retries ? h->retries : img->retries;
}

static bool has_mount(const struct container_spec *s, const char *target)
{
    cleanup_free char *want = path_clean(target);

    for (size_t i = 0; i < s->n_mounts; i++) {
        cleanup_free char *have = path_clean(s->mounts[i].target);

        if (strcmp(have, want) == 0)
            return true;
    }
    return false;
}

/* VOLUME of the image: an anonymous volume unless something is mounted there. */
static void merge_volumes(struct container_spec *s, const struct container_spec *img)
{
    for (size_t i = 0; i < img->volumes.n; i++) {
        struct mount_spec *m;

        if (!strv_has(&s->volumes, img->volumes.v[i]))
            strv_add(&s->volumes, img->volumes.v[i]);
        if (has_mount(s, img->volumes.v[i]))
            continue;
        m = ARRAY_ADD(s->mounts, s->n_mounts);
        *m = (struct mount_spec){.type = MOUNT_VOLUME, .anonymous = true, .implicit = true};
        m->source = xstrdup("");
        m->target = path_clean(img->volumes.v[i]);
        m->mode = xstrdup("");
        if (!str_empty(s->volume_driver))
            m->driver = xstrdup(s->volume_driver);
    }
}

static void merge_command(struct container_spec *s, const struct container_spec *img)
{
    if (!s->entrypoint_set) {
        if (!s->cmd_set || s->cmd.n == 0) {
            strv_copy(&s->cmd, &img->cmd);
            s->cmd_set = s->cmd_set || img->cmd.n > 0;
        }
        strv_copy(&s->entrypoint, &img->entrypoint);
        s->entrypoint_set = img->entrypoint.n > 0;
    }
    if (s->entrypoint.n == 1 && s->entrypoint.v[0][0] == '\0') { /* "" takes the image's away */
        strv_release(&s->entrypoint);
        s->entrypoint_set = false;
    }
}

int spec_merge_image(struct container_spec *s, const struct image *img, struct err *e)
{
    const struct container_spec *d = img->config;

    merge_env(&s->env, &d->env);
    merge_exposed(s, d);
    merge_health(&s->health, &d->health);
    merge_volumes(s, d);
    merge_command(s, d);
    for (size_t i = 0; i < d->labels.n; i++)
        if (!kvs_get(&s->labels, d->labels.v[i].k))
            kvs_set(&s->labels, d->labels.v[i].k, d->labels.v[i].v);
    if (str_empty(s->user))
        str_set(&s->user, d->user ? d->user : "");
    if (str_empty(s->working_dir))
        str_set(&s->working_dir, d->working_dir ? d->working_dir : "");
    if (str_empty(s->stop_signal) && !str_empty(d->stop_signal))
        str_set(&s->stop_signal, d->stop_signal);
    if (s->shell.n == 0)
        strv_copy(&s->shell, &d->shell);
    if (s->entrypoint.n == 0 && s->cmd.n == 0)
        return err_set(e, ERR_INVALID, "no command specified");
    return 0;
}

/* ------------------------------------------------------------ defaults and checks */

/* The engine's options are those of its default driver; those of the local copy (cache-*) hold for
 * every driver. */
static void default_logging(struct engine *g, struct container_spec *s)
{
    const char *driver = g->cfg.default_log_driver ? g->cfg.default_log_driver : "json-file";
    const struct kvs *opts = &g->cfg.default_log_opts;

    if (str_empty(s->log_driver))
        str_set(&s->log_driver, driver);
    for (size_t i = 0; i < opts->n; i++)
        if (!kvs_get(&s->log_opts, opts->v[i].k) &&
            (str_eq(s->log_driver, driver) || str_starts(opts->v[i].k, "cache-")))
            kvs_set(&s->log_opts, opts->v[i].k, opts->v[i].v);
}

static bool is_host_mode(const char *mode)
{
    return mode && strcmp(mode, "host") == 0;
}

static int default_hostname(struct container_spec *s, const char *id, struct err *e)
{
    char name[256] = "";

    if (is_host_mode(s->uts_mode) && !str_empty(s->hostname))
        return err_set(e, ERR_INVALID, "conflicting options: hostname and the UTS mode");
    if (is_host_mode(s->network_mode)) {
        if (!str_empty(s->hostname))
            return 0;
        if (host_name(name, sizeof(name), e))
            return -1;
        str_set(&s->hostname, name);
        return 0;
    }
    if (str_empty(s->hostname) &&
        !str_starts(s->network_mode ? s->network_mode : "", "container:")) {
        free(s->hostname);
        s->hostname = str_ndup(id, 12);
    }
    return 0;
}

/* An exposed port without a binding gets one when all are to be published. */
static void publish_all(struct container_spec *s)
{
    for (size_t i = 0; s->publish_all && i < s->n_exposed; i++) {
        bool bound = false;

        for (size_t k = 0; k < s->n_ports; k++)
            bound = bound || (s->ports[k].port == s->exposed[i].port &&
                              s->ports[k].proto == s->exposed[i].proto);
        if (bound)
            continue;
        *ARRAY_ADD(s->ports, s->n_ports) =
            (struct port_binding){.port = s->exposed[i].port, .proto = s->exposed[i].proto};
    }
}

static int check_network(struct engine *g, const struct container_spec *s, struct err *e)
{
    cleanup_network struct network *net = NULL;

    if (s->network_mode && str_starts(s->network_mode, "container:"))
        return 0; /* it may come yet: looked for at the start */
    net = network_for_mode(g, s->network_mode, e);
    if (!net)
        return -1;
    for (size_t i = 0; i < s->n_endpoints; i++) {
        cleanup_network struct network *extra = network_for_mode(g, s->endpoints[i].network, e);

        if (!extra)
            return -1;
    }
    return 0;
}

static int check_logging(const struct container_spec *s, struct err *e)
{
    const struct log_driver_ops *d = log_driver_find(s->log_driver);

    if (!d)
        return err_set(e, ERR_INVALID,
                       "error looking up logging plugin %s: plugin \"%s\" not found", s->log_driver,
                       s->log_driver);
    return d->check(&s->log_opts, e);
}

static int check_modes(struct engine *g, const struct container_spec *s, struct err *e)
{
    const char *modes[] = {s->ipc_mode, s->pid_mode};

    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (modes[i] && str_starts(modes[i], "container:")) {
            cleanup_container struct container *other = mode_container(g, modes[i], e);

            if (!other) {
                e->kind = ERR_INVALID;
                return -1;
            }
        }
    return 0;
}

/* What a container has in common with the machine, or with others, when nobody says. */
static void default_modes(struct engine *g, struct container_spec *s)
{
    const char *ipc = g->cfg.default_ipc_mode, *cgroupns = g->cfg.default_cgroupns_mode;

    if (str_empty(s->ipc_mode))
        str_set(&s->ipc_mode, str_empty(ipc) ? "private" : ipc);
    if (!str_empty(s->cgroupns_mode))
        return;
    if (str_empty(cgroupns) || (s->privileged && str_eq(create_cgroupns(g), "host")))
        cgroupns = create_cgroupns(g); /* a privileged one is apart on cgroup v2 alone */
    str_set(&s->cgroupns_mode, cgroupns);
}

/* ids of its own do not go with what belongs to the machine's. */
static int check_remap(struct engine *g, const struct container_spec *s, struct err *e)
{
    if (!engine_remaps(g, s))
        return 0;
    if (s->privileged)
        return err_set(e, ERR_INVALID,
                       "privileged mode is incompatible with user namespaces.  You must run the "
                       "container in the host namespace when running privileged mode");
    if (is_host_mode(s->network_mode))
        return err_set(e, ERR_INVALID,
                       "cannot share the host's network namespace when user namespaces are "
                       "enabled");
    if (is_host_mode(s->pid_mode))
        return err_set(e, ERR_INVALID,
                       "cannot share the host PID namespace when user namespaces are enabled");
    return 0;
}

/* ------------------------------------------------------------ the record */

static int name_conflict(const char *name, const char *id, struct err *e)
{
    return err_set(
        e, ERR_CONFLICT,
        "Conflict. The container name \"/%s\" is already in use by container \"%s\". You have to "
        "remove (or rename) that container to be able to reuse that name.",
        name, id);
}

static bool holder_of(struct engine *g, const char *name, char *id, size_t size)
{
    const char *holder;

    mutex_lock(&g->lock);
    holder = map_get(&g->names, name);
    if (holder)
        str_copy(id, size, holder);
    mutex_unlock(&g->lock);
    return holder;
}

static bool has_volumes(struct engine *g, const struct container_spec *s)
{
    for (size_t i = 0; i < s->n_mounts; i++) {
        cleanup_volume struct volume *v = NULL;

        if (!mount_waits_for_volume(&s->mounts[i]))
            continue;
        v = object_volume(g, s->mounts[i].source);
        if (!v || volume_is_going(g, s->mounts[i].source))
            return false;
    }
    return true;
}

/*
 * Under the store lock: the name is free, and taken from now on; its volumes are there, and in use
 * from now on.  *again: one of them was removed since it was looked at.
 */
static int insert(struct engine *g, struct container *c, bool made_up, bool *again, struct err *e)
{
    char taken_by[ID_LEN + 1];
    int r;

    mutex_lock(&g->store);
    for (unsigned attempt = 0;; attempt++) {
        if (!holder_of(g, c->name, taken_by, sizeof(taken_by)))
            break;
        if (!made_up) {
            mutex_unlock(&g->store);
            return name_conflict(c->name, taken_by, e);
        }
        name_make_up(c->name, NAME_ROOM, attempt + 1);
    }
    *again = !has_volumes(g, c->spec);
    r = *again ? err_set(e, ERR_CONFLICT, "a volume of container %s was removed meanwhile", c->name)
               : state_container_put(g->st, c, container_durable(c), e);
    if (r == 0)
        object_container_put(g, container_ref(c));
    mutex_unlock(&g->store);
    return r;
}

#define INSERT_TRIES 5
static int make_and_insert(struct engine *g, struct container *c, bool made_up, const char *by,
                           struct err *e)
{
    char taken_by[ID_LEN + 1];
    bool again = true;
    int r = -1;

    if (!made_up && holder_of(g, c->name, taken_by, sizeof(taken_by)))
        return name_conflict(c->name, taken_by, e); /* before anything is made */
    for (int i = 0; i < INSERT_TRIES && again; i++) {
        again = false;
        r = mounts_make_volumes(g, c->spec, by, e) || insert(g, c, made_up, &again, e) ? -1 : 0;
    }
    return r;
}

static struct container *new_record(const struct container_create *rq, const struct image *img)
{
    struct container *c = container_new();
    char id[ID_LEN + 1];

    id_new(id);
    str_set(&c->id, id);
    c->created_ns = time_wall_ns();
    str_set(&c->image_id, img->id);
    container_spec_free(c->spec);
    c->spec = container_spec_copy(rq->spec);
    str_set(&c->app, rq->app ? rq->app : "");
    str_set(&c->service, rq->service ? rq->service : "");
    str_set(&c->spec_hash, rq->spec_hash ? rq->spec_hash : "");
    c->goal = GOAL_CREATED;
    c->stop_grace_s = -2;
    return c;
}

static int prepare_spec(struct engine *g, struct container *c, const struct image *img,
                        struct strv *warnings, struct err *e)
{
    struct container_spec *s = c->spec;
    const struct runtime_command *command;

    if (str_empty(s->network_mode) || strcmp(s->network_mode, "default") == 0)
        str_set(&s->network_mode, "bridge");
    default_logging(g, s);
    if (!s->init_set && g->cfg.default_init)
        s->init = s->init_set = true;
    default_modes(g, s);
    if (str_empty(s->runtime))
        str_set(&s->runtime, g->cfg.default_runtime ? g->cfg.default_runtime : RUNTIME_DEFAULT);
    container_spec_settle(s);
    if (create_for_host(g, s, warnings, e))
        return -1;
    if (container_spec_validate(s, e) ||
        runtime_command_find(g->cfg.runtimes, s->runtime, &command, e) || mounts_inherit(g, s, e) ||
        spec_merge_image(s, img, e) || check_logging(s, e) || check_network(g, s, e) ||
        check_modes(g, s, e) || check_remap(g, s, e) || mounts_check(g, s, e))
        return -1;
    publish_all(s);
    return default_hostname(s, c->id, e);
}

/* An image that was made for another platform is not the one that was asked for. */
static int check_platform(const struct container_create *rq, const struct image *img, struct err *e)
{
    cleanup_platform struct platform want = {0};
    struct platform have = {img->os, img->architecture, img->variant ? img->variant : ""};
    cleanup_free char *have_text = NULL, *want_text = NULL;

    if (str_empty(rq->platform))
        return 0;
    if (platform_parse(rq->platform, &want, e))
        return -1;
    if (platform_rank(&have, &want, false) >= 0)
        return 0;
    have_text = platform_text(&have);
    want_text = platform_text(&want);
    return err_set(e, ERR_NOT_FOUND,
                   "image with reference %s was found but its platform (%s) does not match the "
                   "specified platform (%s)",
                   rq->spec->image, have_text, want_text);
}

static void warn_of(const struct container_spec *s, struct strv *warnings)
{
    if (s->n_ports && is_host_mode(s->network_mode))
        strv_add(warnings, "Published ports are discarded when using host network mode");
    for (size_t i = 0; i < s->n_mounts; i++)
        if (s->mounts[i].type == MOUNT_IMAGE) {
            strv_add(warnings, "Image mount is an experimental feature");
            break;
        }
    if (s->oom_kill_disable && s->memory == 0)
        strv_add(warnings,
                 "OOM killer is disabled for the container, but no memory limit is set, this can "
                 "result in the system running out of resources.");
}

/* Before there is a record: a container that should have a limit never is without it. */
static int limit_size(struct engine *g, const struct container *c, struct err *e)
{
    const char *size = kvs_get(&c->spec->storage_opt, "size");
    int64_t bytes = 0;

    if (!size)
        return 0;
    if (!images_rootfs_can_limit(g->im))
        return err_set(e, ERR_INTERNAL,
                       "--storage-opt is supported only for overlay over xfs with 'pquota' mount "
                       "option");
    if (parse_size(size, "size", &bytes, ERR_IGNORE))
        return err_set(e, ERR_INTERNAL, "invalid size: '%s'", size);
    return bytes ? images_rootfs_limit(g->im, c->id, bytes, e) : 0;
}

int containers_create(struct engine *g, const struct container_create *rq, char **id,
                      struct strv *warnings, struct err *e)
{
    cleanup_image struct image *img = NULL;
    cleanup_container struct container *c = NULL;
    const char *name = rq->name && rq->name[0] == '/' ? rq->name + 1 : rq->name;

    if (name && *name && !container_name_valid(name))
        return err_set(e, ERR_INVALID,
                       "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                       name);
    if (str_empty(rq->spec->image))
        return err_set(e, ERR_INVALID, "no command specified");
    if (images_find(g->im, rq->spec->image, &img, e) || check_platform(rq, img, e))
        return -1;
    c = new_record(rq, img);
    if (prepare_spec(g, c, img, warnings, e))
        return -1;
    free(c->name);
    if (str_empty(name)) {
        c->name = xcalloc(1, NAME_ROOM);
        name_make_up(c->name, NAME_ROOM, 0);
    } else {
        c->name = xstrdup(name);
    }
    if (links_settle(g, c->name, c->spec, e))
        return -1;
    warn_of(c->spec, warnings);
    if (limit_size(g, c, e))
        return -1;
    if (make_and_insert(g, c, str_empty(name), rq->by, e)) {
        if (c->spec->storage_opt.n)
            (void)!images_rootfs_remove(g->im, c->id, ERR_IGNORE);
        return -1;
    }
    if (mounts_make_anonymous(g, c->spec, rq->by, e) || mounts_populate(g, c, e)) {
        (void)!containers_remove(g, c->id, true, true, rq->by, NULL, ERR_IGNORE);
        return -1;
    }
    event_emit_container(g, "create", c, rq->by);
    *id = xstrdup(c->id);
    return 0;
}
