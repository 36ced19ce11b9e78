/*
 * normalize: from what was written to what is meant.
 *
 * Services of profiles that are off leave, implicit dependencies and the implicit network appear,
 * keys become names, and every object gets the labels by which `docker compose` finds it.  The
 * order of the calls in normalize() matters; each relies on the ones before it.
 */
#include <stdarg.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "compose/compose_internal.h"
#include "core/container.h"
#include "core/network.h"
#include "core/volume.h"

#define LABEL "com.docker.compose."
/*
 * Not the program's version: labels are part of what is compared, and an upgrade of the agent is no
 * reason to touch a container.
 */
#define LABEL_VERSION "ballast"

int service_error(const struct load *ld, size_t i, const struct yaml_node *at, struct err *e,
                  const char *fmt, ...)
{
    const struct app_service *svc = &ld->app->services[i];
    va_list ap;

    va_start(ap, fmt);
    cleanup_free char *text = str_vprintf(fmt, ap);
    va_end(ap);
    return err_set(e, ERR_INVALID, "%s:%u:%u: services.%s%s", at ? at->file : svc->pos.file,
                   at ? at->line : svc->pos.line, at ? at->column : svc->pos.column, svc->name,
                   text);
}

char *service_container_name(const struct app *app, const struct app_service *svc)
{
    if (!str_empty(svc->container_name))
        return xstrdup(svc->container_name);
    return str_printf("%s-%s-1", app->name, svc->name);
}

static int find_service(const struct load *ld, const char *name, size_t *i)
{
    for (*i = 0; *i < ld->app->n_services; ++*i)
        if (str_eq(ld->app->services[*i].name, name))
            return 0;
    return -1;
}

static const struct yaml_node *at_key(const struct load *ld, size_t i, const char *key)
{
    return yaml_get(ld->extras[i].node, key);
}

/* ---------------------------------------------------------------- profiles */

static bool profile_active(const struct load *ld, const struct strv *profiles)
{
    if (!profiles->n || strv_has(&ld->profiles, "*"))
        return true;
    for (size_t i = 0; i < profiles->n; i++)
        if (strv_has(&ld->profiles, profiles->v[i]))
            return true;
    return false;
}

static void mark_inactive(struct load *ld)
{
    for (size_t i = 0; i < ld->app->n_services; i++) {
        struct service_extra *x = &ld->extras[i];
        const char *name = ld->app->services[i].name;

        if (!profile_active(ld, &x->profiles)) {
            x->inactive = true;
            app_notice_add(ld->app, NOTICE_IGNORED, name, "profiles",
                           "the service is left out: none of its profiles is active", x->node);
        } else if (x->replicas_set && x->replicas == 0) {
            x->inactive = true;
            app_notice_add(ld->app, NOTICE_IGNORED, name, "scale",
                           "the service is left out: it asks for no container", x->node);
        }
    }
}

/* ------------------------------------------------------------ dependencies */

static const char *after(const char *s, const char *prefix)
{
    return s && str_starts(s, prefix) ? s + strlen(prefix) : NULL;
}

/* Sharing a namespace of a service needs that service first. */
static void add_implicit(struct load *ld, size_t i)
{
    const struct service_extra *x = &ld->extras[i];
    struct app_service *svc = &ld->app->services[i];
    const char *modes[] = {x->network_mode, x->ipc, x->pid, x->uts};

    for (size_t k = 0; k < ARRAY_LEN(modes); k++)
        if (after(modes[k], "service:"))
            add_dependency(svc, after(modes[k], "service:"), DEPENDS_STARTED, true, true);
    for (size_t k = 0; k < x->links.n; k++) {
        cleanup_free char *name = str_ndup(x->links.v[k], strcspn(x->links.v[k], ":"));

        add_dependency(svc, name, DEPENDS_STARTED, true, true);
    }
}

static int unknown_service(const struct load *ld, size_t i, const char *name, struct err *e)
{
    cleanup_free const char **names = xcalloc(ld->app->n_services + 1, sizeof *names);
    const struct yaml_node *at = at_key(ld, i, "depends_on");

    for (size_t k = 0; k < ld->app->n_services; k++)
        names[k] = ld->app->services[k].name;
    const char *near = nearest_word(name, names, ld->app->n_services);

    /* the line of the very name, where depends_on is what names it */
    for (size_t k = 0; at && k < at->n; k++) {
        if (at->kind == YAML_SEQ && str_eq(at->items[k]->text, name))
            return service_error(ld, i, at->items[k], e,
                                 ".depends_on[%zu]: there is no service %s%s%s%s", k, name,
                                 near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        if (at->kind == YAML_MAP && str_eq(at->pairs[k].key, name)) {
            struct yaml_node key = *at->pairs[k].value; /* its file, if files were merged */

            key.line = at->pairs[k].line;
            key.column = at->pairs[k].column;
            return service_error(ld, i, &key, e, ".depends_on: there is no service %s%s%s%s", name,
                                 near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        }
    }
    return service_error(ld, i, NULL, e, ": needs service %s, which is not there", name);
}

static void drop_dependency(struct app_service *svc, size_t k)
{
    free(svc->depends[k].service);
    memmove(&svc->depends[k], &svc->depends[k + 1],
            (svc->n_depends - k - 1) * sizeof *svc->depends);
    svc->n_depends--;
}

static int check_dependencies(struct load *ld, size_t i, struct err *e)
{
    struct app_service *svc = &ld->app->services[i];

    for (size_t k = 0; k < svc->n_depends;) {
        const struct service_dependency *d = &svc->depends[k];
        size_t at;
        bool missing = find_service(ld, d->service, &at) != 0;

        if (!missing && !ld->extras[at].inactive) {
            k++;
            continue;
        }
        if (!d->required) {
            drop_dependency(svc, k);
            continue;
        }
        if (missing)
            return unknown_service(ld, i, d->service, e);
        return service_error(ld, i, at_key(ld, i, "depends_on"), e,
                             ": depends on %s, which is left out by its profiles or scale",
                             d->service);
    }
    return 0;
}

static void extra_release(struct service_extra *x)
{
    strv_release(&x->profiles);
    strv_release(&x->links);
    free(x->network_mode);
    free(x->ipc);
    free(x->pid);
    free(x->uts);
    for (size_t i = 0; i < x->n_networks; i++) {
        struct service_network *n = &x->networks[i];

        free(n->key);
        free(n->ep.network);
        free(n->ep.ipv4);
        free(n->ep.ipv6);
        free(n->ep.mac);
        strv_release(&n->ep.aliases);
        strv_release(&n->ep.links);
        strv_release(&n->ep.link_local_ips);
        kvs_release(&n->ep.driver_opts);
    }
    free(x->networks);
    free(x->mount_at);
    free(x->port_at);
    *x = (struct service_extra){0};
}

void extras_release(struct load *ld)
{
    for (size_t i = 0; i < ld->n_extras; i++)
        extra_release(&ld->extras[i]);
    free(ld->extras);
    ld->extras = NULL;
    ld->n_extras = 0;
}

/* What leaves the model goes into an app of its own, which frees it. */
static void remove_inactive(struct load *ld)
{
    struct app *app = ld->app;
    cleanup_app struct app *gone = app_new();
    size_t kept = 0;

    gone->services = xcalloc(app->n_services + 1, sizeof *gone->services);
    for (size_t i = 0; i < app->n_services; i++) {
        if (ld->extras[i].inactive) {
            gone->services[gone->n_services++] = app->services[i];
            extra_release(&ld->extras[i]);
            continue;
        }
        app->services[kept] = app->services[i];
        ld->extras[kept++] = ld->extras[i];
    }
    app->n_services = kept;
    ld->n_extras = kept;
}

/* ---------------------------------------------------------------- networks */

static int check_network_mode(const struct load *ld, size_t i, struct err *e)
{
    const struct service_extra *x = &ld->extras[i];

    if (x->network_mode && x->networks_set && x->n_networks)
        return service_error(ld, i, at_key(ld, i, "network_mode"), e,
                             ".network_mode: networks cannot be given as well");
    return 0;
}

static void add_default_network(struct load *ld)
{
    struct app *app = ld->app;

    if (app_find_network(app, "default"))
        return;
    struct network *n = network_new();

    str_set(&n->name, "");
    str_set(&n->driver, "bridge");
    n->enable_ipv4 = true;
    app->networks = xrealloc(app->networks, (app->n_networks + 1) * sizeof *app->networks);
    app->networks[app->n_networks++] = (struct app_network){.key = xstrdup("default"), .net = n};
}

static int check_networks(const struct load *ld, size_t i, struct err *e)
{
    const struct service_extra *x = &ld->extras[i];
    const struct app *app = ld->app;

    for (size_t k = 0; k < x->n_networks; k++) {
        if (app_find_network(app, x->networks[k].key))
            continue;
        cleanup_free const char **names = xcalloc(app->n_networks + 1, sizeof *names);

        for (size_t n = 0; n < app->n_networks; n++)
            names[n] = app->networks[n].key;
        const char *near = nearest_word(x->networks[k].key, names, app->n_networks);

        return service_error(
            ld, i, x->networks[k].at, e, ".networks: %s is not among the top-level networks%s%s%s",
            x->networks[k].key, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    return 0;
}

/* By priority, highest first, then by name: Compose's order, which decides eth0. */
static int by_priority(const void *a, const void *b)
{
    const struct service_network *x = a, *y = b;

    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    return strcmp(x->key, y->key);
}

static int settle_networks(struct load *ld, struct err *e)
{
    for (size_t i = 0; i < ld->app->n_services; i++) {
        struct service_extra *x = &ld->extras[i];

        if (check_network_mode(ld, i, e))
            return -1;
        if (!x->network_mode && !x->n_networks) {
            add_default_network(ld);
            service_network_add(x, "default", x->node);
        }
        if (check_networks(ld, i, e))
            return -1;
        if (x->n_networks)
            qsort(x->networks, x->n_networks, sizeof *x->networks, by_priority);
    }
    return 0;
}

static void alias_once(struct strv *aliases, const char *name)
{
    if (!strv_has(aliases, name))
        strv_add(aliases, name);
}

/* "service:alias" -> "container:alias" */
static void add_links(const struct load *ld, size_t i, struct endpoint_config *ep)
{
    const struct strv *links = &ld->extras[i].links;

    for (size_t k = 0; k < links->n; k++) {
        const char *colon = strchr(links->v[k], ':');
        cleanup_free char *name = str_ndup(links->v[k], strcspn(links->v[k], ":"));
        size_t target;

        if (find_service(ld, name, &target))
            continue;
        cleanup_free char *container = service_container_name(ld->app, &ld->app->services[target]);

        strv_addf(&ep->links, "%s:%s", container, colon ? colon + 1 : name);
    }
}

static void add_endpoints(struct load *ld, size_t i)
{
    struct app_service *svc = &ld->app->services[i];
    struct service_extra *x = &ld->extras[i];
    struct container_spec *s = svc->spec;
    cleanup_free char *container = service_container_name(ld->app, svc);

    s->endpoints = xcalloc(x->n_networks + 1, sizeof *s->endpoints);
    for (size_t k = 0; k < x->n_networks; k++) {
        struct service_network *n = &x->networks[k];
        const struct network *net = app_find_network(ld->app, n->key)->net;
        struct endpoint_config *ep = &s->endpoints[s->n_endpoints++];
        struct strv given = n->ep.aliases;

        *ep = n->ep;
        n->ep = (struct endpoint_config){0};
        ep->network = xstrdup(net->name);
        ep->aliases = (struct strv){0};
        alias_once(&ep->aliases, container);
        alias_once(&ep->aliases, svc->name);
        for (size_t a = 0; a < given.n; a++)
            alias_once(&ep->aliases, given.v[a]);
        strv_release(&given);
        add_links(ld, i, ep);
        strv_add(&svc->networks, n->key);
    }
    if (s->n_endpoints) {
        str_set(&s->network_mode, s->endpoints[0].network);
        if (!str_empty(s->mac_address) && str_empty(s->endpoints[0].mac))
            str_set(&s->endpoints[0].mac, s->mac_address);
    }
}

/* -------------------------------------------------------- names, namespaces */

static void name_object(const struct app *app, char **name, const char *key, bool external)
{
    if (!str_empty(*name))
        return;
    free(*name);
    *name = external ? xstrdup(key) : str_printf("%s_%s", app->name, key);
}

static void label_object(const struct app *app, struct kvs *labels, const char *kind,
                         const char *key)
{
    cleanup_free char *label = str_printf(LABEL "%s", kind);

    kvs_set(labels, LABEL "project", app->name);
    kvs_set(labels, label, key);
    kvs_set(labels, LABEL "version", LABEL_VERSION);
    kvs_sort(labels);
}

static void name_objects(struct app *app)
{
    for (size_t i = 0; i < app->n_networks; i++) {
        struct app_network *n = &app->networks[i];

        name_object(app, &n->net->name, n->key, n->external);
        if (n->external)
            continue;
        str_set(&n->net->app, app->name);
        str_set(&n->net->key, n->key);
        label_object(app, &n->net->labels, "network", n->key);
    }
    for (size_t i = 0; i < app->n_volumes; i++) {
        struct app_volume *v = &app->volumes[i];

        name_object(app, &v->vol->name, v->key, v->external);
        if (v->external)
            continue;
        str_set(&v->vol->app, app->name);
        str_set(&v->vol->key, v->key);
        label_object(app, &v->vol->labels, "volume", v->key);
    }
}

/* "service:x" -> "container:<its container>"; others as they are. */
static void set_mode(const struct load *ld, char **dst, const char *mode)
{
    const char *service = after(mode, "service:");
    size_t at;

    if (!mode)
        return;
    if (!service || find_service(ld, service, &at)) {
        str_set(dst, mode);
        return;
    }
    cleanup_free char *container = service_container_name(ld->app, &ld->app->services[at]);

    free(*dst);
    *dst = str_printf("container:%s", container);
}

static void set_modes(struct load *ld, size_t i)
{
    const struct service_extra *x = &ld->extras[i];
    struct container_spec *s = ld->app->services[i].spec;

    set_mode(ld, &s->network_mode, x->network_mode);
    set_mode(ld, &s->ipc_mode, x->ipc);
    set_mode(ld, &s->pid_mode, x->pid);
    set_mode(ld, &s->uts_mode, x->uts);
}

/* ----------------------------------------------------------------- volumes */

static int name_mounts(const struct load *ld, size_t i, struct err *e)
{
    const struct app *app = ld->app;
    struct container_spec *s = app->services[i].spec;

    for (size_t k = 0; k < s->n_mounts; k++) {
        struct mount_spec *m = &s->mounts[k];

        if (m->type != MOUNT_VOLUME || str_empty(m->source))
            continue;
        const struct app_volume *v = app_find_volume(app, m->source);

        if (!v) {
            cleanup_free const char **names = xcalloc(app->n_volumes + 1, sizeof *names);

            for (size_t n = 0; n < app->n_volumes; n++)
                names[n] = app->volumes[n].key;
            const char *near = nearest_word(m->source, names, app->n_volumes);

            return service_error(ld, i, ld->extras[i].mount_at[k], e,
                                 ".volumes: %s is not among the top-level volumes%s%s%s", m->source,
                                 near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        }
        str_set(&m->source, v->vol->name);
    }
    return 0;
}

/* For inspect, which shows them apart from the other mounts. */
static void list_tmpfs(struct container_spec *s)
{
    for (size_t k = 0; k < s->n_mounts; k++) {
        const struct mount_spec *m = &s->mounts[k];

        if (m->type == MOUNT_TMPFS)
            kvs_set(&s->tmpfs, m->target, m->tmpfs_options ? m->tmpfs_options : "");
    }
}

static bool network_used(const struct app *app, const char *key)
{
    for (size_t i = 0; i < app->n_services; i++)
        if (strv_has(&app->services[i].networks, key))
            return true;
    return false;
}

static bool volume_used(const struct app *app, const char *name)
{
    for (size_t i = 0; i < app->n_services; i++) {
        const struct container_spec *s = app->services[i].spec;

        for (size_t k = 0; k < s->n_mounts; k++)
            if (s->mounts[k].type == MOUNT_VOLUME && str_eq(s->mounts[k].source, name))
                return true;
    }
    return false;
}

static void unused_notice(struct load *ld, const char *section, const char *key)
{
    const struct yaml_node *map = yaml_get(ld->root, section);
    const struct yaml_node *at = map ? yaml_get(map, key) : NULL;
    cleanup_free char *path = str_printf("%s.%s", section, key);

    app_notice_add(ld->app, NOTICE_IGNORED, "", path, "is not made: no service uses it",
                   at ? at : ld->root);
}

static void remove_unused(struct load *ld)
{
    struct app *app = ld->app;
    cleanup_app struct app *gone = app_new();
    size_t kept = 0;

    gone->networks = xcalloc(app->n_networks + 1, sizeof *gone->networks);
    for (size_t i = 0; i < app->n_networks; i++) {
        if (network_used(app, app->networks[i].key)) {
            app->networks[kept++] = app->networks[i];
            continue;
        }
        unused_notice(ld, "networks", app->networks[i].key);
        gone->networks[gone->n_networks++] = app->networks[i];
    }
    app->n_networks = kept;
    kept = 0;
    gone->volumes = xcalloc(app->n_volumes + 1, sizeof *gone->volumes);
    for (size_t i = 0; i < app->n_volumes; i++) {
        if (volume_used(app, app->volumes[i].vol->name)) {
            app->volumes[kept++] = app->volumes[i];
            continue;
        }
        unused_notice(ld, "volumes", app->volumes[i].key);
        gone->volumes[gone->n_volumes++] = app->volumes[i];
    }
    app->n_volumes = kept;
}

/* ------------------------------------------------------------------ labels */

static void spec_hash(const struct container_spec *s, char out[DIGEST_TEXT_MAX])
{
    cleanup_buf struct buf b = BUF_INIT(COMPOSE_MAX_TEXT * 2);
    struct jsonw w = JSONW_INIT(&b);

    container_spec_store(s, &w);
    digest_of(b.data, b.len, out);
}

static void depends_label(const struct app_service *svc, struct kvs *labels)
{
    static const char *const names[] = {"service_started", "service_healthy",
                                        "service_completed_successfully"};
    cleanup_strv struct strv parts = {0};

    for (size_t i = 0; i < svc->n_depends; i++)
        strv_addf(&parts, "%s:%s:%s", svc->depends[i].service, names[svc->depends[i].condition],
                  svc->depends[i].restart ? "true" : "false");
    cleanup_free char *text = str_join((const char *const *)parts.v, parts.n, ",");

    kvs_set(labels, LABEL "depends_on", text);
}

static void label_service(const struct load *ld, struct app_service *svc)
{
    const struct app *app = ld->app;
    struct kvs *labels = &svc->spec->labels;
    cleanup_free char *files = str_join((const char *const *)app->files.v, app->files.n, ",");
    char hash[DIGEST_TEXT_MAX];

    spec_hash(svc->spec, hash);
    depends_label(svc, labels);
    kvs_set(labels, LABEL "project", app->name);
    kvs_set(labels, LABEL "service", svc->name);
    kvs_set(labels, LABEL "container-number", "1");
    kvs_set(labels, LABEL "oneoff", "False");
    kvs_set(labels, LABEL "version", LABEL_VERSION);
    kvs_set(labels, LABEL "config-hash", digest_hex(hash));
    if (!str_empty(app->project_dir)) {
        kvs_set(labels, LABEL "project.working_dir", app->project_dir);
        kvs_set(labels, LABEL "project.config_files", files);
    }
    kvs_sort(labels);
}

int normalize(struct load *ld, struct err *e)
{
    mark_inactive(ld);
    for (size_t i = 0; i < ld->app->n_services; i++) {
        add_implicit(ld, i);
        if (!ld->extras[i].inactive && check_dependencies(ld, i, e))
            return -1;
    }
    remove_inactive(ld);
    if (check_cycles(ld, e) || settle_networks(ld, e))
        return -1;
    name_objects(ld->app);
    for (size_t i = 0; i < ld->app->n_services; i++) {
        add_endpoints(ld, i);
        set_modes(ld, i);
        list_tmpfs(ld->app->services[i].spec);
        if (name_mounts(ld, i, e))
            return -1;
    }
    if (check_conflicts(ld, e) || check_specs(ld, e))
        return -1;
    remove_unused(ld);
    for (size_t i = 0; i < ld->app->n_services; i++)
        label_service(ld, &ld->app->services[i]);
    return 0;
}
