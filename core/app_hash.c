/*
 * app_hash: what a change of a service costs, told from two hashes, and the revision of an app.
 *
 * hash_a covers what the engine alone uses, so that a change needs no new container; hash_d covers
 * the rest (reference: the classes of a change, of which B and C are still handled as D).  A hash
 * is the SHA-256 of "<what> v<APP_HASH_VERSION>\n" and the canonical JSON: sorted where order means
 * nothing, without what the JSON only carries along (positions, what was typed).  Raise
 * APP_HASH_VERSION when the same file would hash differently, or every container is recreated.
 */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "core/app.h"
#include "core/core_internal.h"

#define CANONICAL_MAX (16 << 20)

static char *finish(const char *what, const struct buf *b)
{
    cleanup_free char *head = str_printf("%s v%d\n", what, APP_HASH_VERSION);
    struct digest *d = digest_new();
    char text[DIGEST_TEXT_MAX];

    digest_update(d, head, strlen(head));
    digest_update(d, b->data, b->len);
    digest_final(d, text);
    digest_free(d);
    return xstrdup(digest_hex(text));
}

/* ------------------------------------------------------------ canonical form of a spec */

static int compare_ports(const void *pa, const void *pb)
{
    const struct port_binding *a = pa, *b = pb;
    int c = (a->port > b->port) - (a->port < b->port);

    if (!c)
        c = (a->proto > b->proto) - (a->proto < b->proto);
    if (!c)
        c = strcmp(a->host_ip ? a->host_ip : "", b->host_ip ? b->host_ip : "");
    if (!c)
        c = (a->host_port > b->host_port) - (a->host_port < b->host_port);
    if (!c)
        c = (a->host_port_end > b->host_port_end) - (a->host_port_end < b->host_port_end);
    return c;
}

static int compare_mounts(const void *pa, const void *pb)
{
    const struct mount_spec *a = pa, *b = pb;

    return strcmp(a->target ? a->target : "", b->target ? b->target : "");
}

static int compare_endpoints(const void *pa, const void *pb)
{
    const struct endpoint_config *a = pa, *b = pb;

    return strcmp(a->network ? a->network : "", b->network ? b->network : "");
}

static int compare_exposed(const void *pa, const void *pb)
{
    const struct exposed_port *a = pa, *b = pb;
    int c = (a->port > b->port) - (a->port < b->port);

    return c ? c : (a->proto > b->proto) - (a->proto < b->proto);
}

static int compare_ulimits(const void *pa, const void *pb)
{
    const struct ulimit *a = pa, *b = pb;

    return strcmp(a->name ? a->name : "", b->name ? b->name : "");
}

#define SORT(v, n, compare)                           \
    do {                                              \
        if (n)                                        \
            qsort((v), (n), sizeof(*(v)), (compare)); \
    } while (0)

static void spec_sort(struct container_spec *s)
{
    struct strv *const sets[] = {&s->env,       &s->volumes, &s->cap_add,      &s->cap_drop,
                                 &s->group_add, &s->links,   &s->security_opt, &s->extra_hosts};
    struct kvs *const maps[] = {&s->labels,  &s->tmpfs,       &s->log_opts,
                                &s->sysctls, &s->storage_opt, &s->annotations};

    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        strv_sort(sets[i]);
    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        kvs_sort(maps[i]);
    for (size_t i = 0; i < s->n_mounts; i++) {
        kvs_sort(&s->mounts[i].labels);
        kvs_sort(&s->mounts[i].driver_opts);
    }
    for (size_t i = 0; i < s->n_endpoints; i++) {
        kvs_sort(&s->endpoints[i].driver_opts);
        strv_sort(&s->endpoints[i].aliases);
    }
    SORT(s->ports, s->n_ports, compare_ports);
    SORT(s->mounts, s->n_mounts, compare_mounts);
    SORT(s->endpoints, s->n_endpoints, compare_endpoints);
    SORT(s->exposed, s->n_exposed, compare_exposed);
    SORT(s->ulimits, s->n_ulimits, compare_ulimits);
    memset(s->empty_given, 0, sizeof(s->empty_given));
    strv_release(&s->binds); /* as typed; mounts says what they mean */
    free(take_ptr(s->mounts_json));
}

/* ------------------------------------------------------------ services */

/* A map in the file: sorted by service. */
static void write_depends(const struct app_service *s, struct jsonw *w)
{
    cleanup_strv struct strv lines = {0};

    for (size_t i = 0; i < s->n_depends; i++)
        strv_addf(&lines, "%s %d %d %d", s->depends[i].service, s->depends[i].condition,
                  s->depends[i].restart, s->depends[i].required);
    strv_sort(&lines);
    jsonw_key(w, "depends_on");
    jsonw_strv(w, &lines);
}

/* Class A: labels, restart, healthcheck, how to stop, expose, whom to wait for, when to pull. */
static void write_a(const struct app_service *s, const struct container_spec *sorted,
                    struct jsonw *w)
{
    jsonw_obj(w);
    jsonw_key(w, "labels");
    jsonw_kvs(w, &sorted->labels);
    jsonw_key(w, "annotations");
    jsonw_kvs(w, &sorted->annotations);
    jsonw_key(w, "restart");
    codec_restart.encode(sorted, w, true);
    jsonw_opt_i64(w, "restart_delay", sorted->restart_delay_ns);
    jsonw_opt_i64(w, "restart_window", sorted->restart_window_ns);
    jsonw_opt_i64(w, "restart_attempts", sorted->restart_attempts);
    if (sorted->health.set) {
        jsonw_key(w, "healthcheck");
        codec_health.encode(sorted, w, true);
    }
    jsonw_kstr(w, "stop_signal", sorted->stop_signal);
    jsonw_ki64(w, "stop_timeout", sorted->stop_timeout_s);
    jsonw_ki64(w, "stop_grace", s->stop_grace_s);
    jsonw_kstr(w, "pull_policy", s->pull_policy);
    jsonw_key(w, "expose");
    codec_exposed.encode(sorted, w, true);
    write_depends(s, w);
    jsonw_end_obj(w);
}

static void drop_a(struct container_spec *s)
{
    kvs_release(&s->labels);
    kvs_release(&s->annotations);
    codec_health.release(s);
    codec_exposed.release(s);
    s->restart = RESTART_NO;
    s->restart_max = s->restart_delay_ns = s->restart_window_ns = s->restart_attempts = 0;
    str_set(&s->stop_signal, "");
    s->stop_timeout_s = -1;
}

static void hash_service(struct app_service *s)
{
    cleanup_buf struct buf b = BUF_INIT(CANONICAL_MAX);
    struct jsonw w = JSONW_INIT(&b);
    cleanup_spec struct container_spec *spec =
        s->spec ? container_spec_copy(s->spec) : container_spec_new();

    spec_sort(spec);
    write_a(s, spec, &w);
    free(s->hash_a);
    s->hash_a = finish("service A", &b);

    drop_a(spec);
    buf_reset(&b);
    w = JSONW_INIT(&b);
    jsonw_obj(&w);
    jsonw_kstr(&w, "container_name", s->container_name);
    jsonw_key(&w, "networks");
    jsonw_strv(&w, &s->networks);
    jsonw_key(&w, "spec");
    container_spec_store(spec, &w);
    jsonw_end_obj(&w);
    free(s->hash_d);
    s->hash_d = finish("service D", &b);
}

/* ------------------------------------------------------------ networks and volumes */

static void hash_network(struct app_network *n)
{
    cleanup_buf struct buf b = BUF_INIT(CANONICAL_MAX);
    struct jsonw w = JSONW_INIT(&b);
    cleanup_network struct network *c = NULL;

    if (!n->net)
        return;
    c = network_copy(n->net);
    c->created_ns = 0;
    c->absent = false;
    str_set(&c->spec_hash, "");
    str_set(&c->app, "");
    str_set(&c->key, "");
    kvs_sort(&c->options);
    kvs_sort(&c->labels);
    kvs_sort(&c->ipam_options);
    jsonw_obj(&w);
    jsonw_kstr(&w, "name", c->name);
    jsonw_kbool(&w, "external", n->external);
    jsonw_key(&w, "network");
    network_store(c, &w);
    jsonw_end_obj(&w);
    free(n->net->spec_hash);
    n->net->spec_hash = finish("network", &b);
}

static void hash_volume(struct app_volume *v)
{
    cleanup_buf struct buf b = BUF_INIT(CANONICAL_MAX);
    struct jsonw w = JSONW_INIT(&b);
    cleanup_volume struct volume *c = NULL;

    if (!v->vol)
        return;
    c = volume_copy(v->vol);
    c->created_ns = 0;
    str_set(&c->mountpoint, "");
    str_set(&c->spec_hash, "");
    str_set(&c->app, "");
    str_set(&c->key, "");
    kvs_sort(&c->options);
    kvs_sort(&c->labels);
    jsonw_obj(&w);
    jsonw_kbool(&w, "external", v->external);
    jsonw_key(&w, "volume");
    volume_store(c, &w);
    jsonw_end_obj(&w);
    free(v->vol->spec_hash);
    v->vol->spec_hash = finish("volume", &b);
}

/* ------------------------------------------------------------ the app */

/* A line per object, sorted: the order of a map in the file means nothing. */
static void revision_lines(const struct app *a, struct strv *lines)
{
    for (size_t i = 0; i < a->n_services; i++)
        strv_addf(lines, "service %s %s %s", a->services[i].name, a->services[i].hash_a,
                  a->services[i].hash_d);
    for (size_t i = 0; i < a->n_networks; i++)
        strv_addf(lines, "network %s %s", a->networks[i].key,
                  a->networks[i].net ? a->networks[i].net->spec_hash : "");
    for (size_t i = 0; i < a->n_volumes; i++)
        strv_addf(lines, "volume %s %s", a->volumes[i].key,
                  a->volumes[i].vol ? a->volumes[i].vol->spec_hash : "");
    strv_sort(lines);
}

void app_hash(struct app *a)
{
    cleanup_buf struct buf b = BUF_INIT(CANONICAL_MAX);
    cleanup_strv struct strv lines = {0};

    for (size_t i = 0; i < a->n_services; i++)
        hash_service(&a->services[i]);
    for (size_t i = 0; i < a->n_networks; i++)
        hash_network(&a->networks[i]);
    for (size_t i = 0; i < a->n_volumes; i++)
        hash_volume(&a->volumes[i]);
    revision_lines(a, &lines);
    buf_addf(&b, "app %s\nprune %d\n", a->name, a->prune);
    for (size_t i = 0; i < lines.n; i++)
        buf_addf(&b, "%s\n", lines.v[i]);
    free(a->revision);
    a->revision = finish("app", &b);
}
