/*
 * app_json: an app as JSON, for the database and for `ballast ... --format json`.
 *
 * Lists keep their order, which has a meaning for files, networks of a service and notices; hashing
 * (app_hash.c) sorts what has none.
 */
#include <stdlib.h>
#include <string.h>

#include "core/app.h"
#include "core/core_internal.h"

static const char *const condition_names[] = {
    [DEPENDS_STARTED] = "service_started",
    [DEPENDS_HEALTHY] = "service_healthy",
    [DEPENDS_COMPLETED] = "service_completed_successfully",
};
static const char *const level_names[] = {
    [NOTICE_IGNORED] = "ignored",
    [NOTICE_DEGRADED] = "degraded",
    [NOTICE_REFUSED] = "refused",
};

static int name_index(const char *const *names, size_t n, const struct json *j, const char *key,
                      unsigned *out, struct err *e)
{
    const char *text = json_get_str(j, key);

    for (size_t i = 0; i < n; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (unsigned)i;
            return 0;
        }
    return err_set(e, ERR_INVALID, "%s.%s: unknown value \"%.60s\"", j->path, key, text);
}

/* ------------------------------------------------------------ out */

static void pos_store(const struct source_pos *p, struct jsonw *w)
{
    if (!p->file)
        return;
    jsonw_key(w, "pos");
    jsonw_obj(w);
    jsonw_kstr(w, "file", p->file);
    jsonw_ki64(w, "line", p->line);
    jsonw_ki64(w, "column", p->column);
    jsonw_end_obj(w);
}

static void service_store(const struct app_service *s, struct jsonw *w)
{
    jsonw_obj(w);
    jsonw_kstr(w, "name", s->name);
    jsonw_opt_str(w, "container_name", s->container_name);
    if (s->spec) {
        jsonw_key(w, "spec");
        container_spec_store(s->spec, w);
    }
    jsonw_key(w, "depends_on");
    jsonw_arr(w);
    for (size_t i = 0; i < s->n_depends; i++) {
        jsonw_obj(w);
        jsonw_kstr(w, "service", s->depends[i].service);
        jsonw_kstr(w, "condition", condition_names[s->depends[i].condition]);
        jsonw_kbool(w, "restart", s->depends[i].restart);
        jsonw_kbool(w, "required", s->depends[i].required);
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
    jsonw_key(w, "networks");
    jsonw_strv(w, &s->networks);
    jsonw_opt_str(w, "pull_policy", s->pull_policy);
    jsonw_ki64(w, "stop_grace_s", s->stop_grace_s);
    jsonw_opt_str(w, "hash_a", s->hash_a);
    jsonw_opt_str(w, "hash_d", s->hash_d);
    pos_store(&s->pos, w);
    jsonw_end_obj(w);
}

static void notice_store(const struct app_notice *n, struct jsonw *w)
{
    jsonw_obj(w);
    jsonw_kstr(w, "level", level_names[n->level]);
    jsonw_opt_str(w, "service", n->service);
    jsonw_kstr(w, "key", n->key);
    jsonw_kstr(w, "text", n->text);
    pos_store(&n->pos, w);
    jsonw_end_obj(w);
}

static void networks_store(const struct app *a, struct jsonw *w)
{
    jsonw_key(w, "networks");
    jsonw_arr(w);
    for (size_t i = 0; i < a->n_networks; i++) {
        const struct app_network *n = &a->networks[i];

        jsonw_obj(w);
        jsonw_kstr(w, "key", n->key);
        jsonw_kbool(w, "external", n->external);
        if (n->net) {
            jsonw_kstr(w, "name", n->net->name);
            jsonw_key(w, "network");
            network_store(n->net, w);
        }
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
}

static void volumes_store(const struct app *a, struct jsonw *w)
{
    jsonw_key(w, "volumes");
    jsonw_arr(w);
    for (size_t i = 0; i < a->n_volumes; i++) {
        const struct app_volume *v = &a->volumes[i];

        jsonw_obj(w);
        jsonw_kstr(w, "key", v->key);
        jsonw_kbool(w, "external", v->external);
        if (v->vol) {
            jsonw_key(w, "volume");
            volume_store(v->vol, w);
        }
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
}

void app_store(const struct app *a, struct jsonw *w)
{
    jsonw_obj(w);
    jsonw_ki64(w, "version", APP_HASH_VERSION);
    jsonw_kstr(w, "name", a->name);
    jsonw_kstr(w, "source", a->source);
    jsonw_kstr(w, "project_dir", a->project_dir);
    jsonw_key(w, "files");
    jsonw_strv(w, &a->files);
    jsonw_key(w, "services");
    jsonw_arr(w);
    for (size_t i = 0; i < a->n_services; i++)
        service_store(&a->services[i], w);
    jsonw_end_arr(w);
    networks_store(a, w);
    volumes_store(a, w);
    jsonw_key(w, "notices");
    jsonw_arr(w);
    for (size_t i = 0; i < a->n_notices; i++)
        notice_store(&a->notices[i], w);
    jsonw_end_arr(w);
    jsonw_kstr(w, "revision", a->revision);
    jsonw_kbool(w, "prune", a->prune);
    jsonw_end_obj(w);
}

/* ------------------------------------------------------------ in */

static int pos_load(const struct json *j, struct source_pos *p, struct err *e)
{
    struct json pos = json_get(j, "pos");

    if (!json_exists(&pos))
        return 0;
    p->line = (unsigned)json_get_i64(&pos, "line");
    p->column = (unsigned)json_get_i64(&pos, "column");
    return get_str(&pos, "file", &p->file, e);
}

static int depends_load(const struct json *list, struct app_service *s, struct err *e)
{
    for (size_t i = 0; i < json_len(list); i++) {
        struct json item = json_at(list, i);
        struct service_dependency *d = ARRAY_ADD(s->depends, s->n_depends);
        unsigned condition;

        d->service = xstrdup("");
        if (get_str(&item, "service", &d->service, e) ||
            name_index(condition_names, ARRAY_LEN(condition_names), &item, "condition", &condition,
                       e) ||
            get_bool(&item, "restart", &d->restart, e) ||
            get_bool(&item, "required", &d->required, e))
            return -1;
        d->condition = (enum depends_condition)condition;
    }
    return 0;
}

static int service_load(const struct json *j, struct app_service *s, struct err *e)
{
    struct json spec = json_get(j, "spec"), depends = json_get(j, "depends_on");

    s->name = xstrdup("");
    s->container_name = xstrdup("");
    s->pull_policy = xstrdup("");
    s->hash_a = xstrdup("");
    s->hash_d = xstrdup("");
    s->stop_grace_s = -1;
    if (want_type(j, JSON_OBJECT, e) || get_str(j, "name", &s->name, e) ||
        get_str(j, "container_name", &s->container_name, e) || depends_load(&depends, s, e) ||
        get_strv(j, "networks", &s->networks, e) || get_str(j, "pull_policy", &s->pull_policy, e) ||
        get_i64(j, "stop_grace_s", &s->stop_grace_s, e) || get_str(j, "hash_a", &s->hash_a, e) ||
        get_str(j, "hash_d", &s->hash_d, e) || pos_load(j, &s->pos, e))
        return -1;
    if (!json_exists(&spec))
        return 0;
    s->spec = container_spec_new();
    return container_spec_load(&spec, s->spec, e);
}

static int network_item_load(const struct json *j, struct app_network *n, struct err *e)
{
    struct json net = json_get(j, "network");

    n->key = xstrdup("");
    if (get_str(j, "key", &n->key, e) || get_bool(j, "external", &n->external, e))
        return -1;
    if (!json_exists(&net))
        return 0;
    n->net = network_new();
    return get_str(j, "name", &n->net->name, e) || network_load(&net, n->net, e) ? -1 : 0;
}

static int volume_item_load(const struct json *j, struct app_volume *v, struct err *e)
{
    struct json vol = json_get(j, "volume");

    v->key = xstrdup("");
    if (get_str(j, "key", &v->key, e) || get_bool(j, "external", &v->external, e))
        return -1;
    if (!json_exists(&vol))
        return 0;
    v->vol = volume_new();
    return volume_load(&vol, v->vol, e);
}

static int notice_load(const struct json *j, struct app_notice *n, struct err *e)
{
    unsigned level;

    n->service = xstrdup("");
    n->key = xstrdup("");
    n->text = xstrdup("");
    if (name_index(level_names, ARRAY_LEN(level_names), j, "level", &level, e) ||
        get_str(j, "service", &n->service, e) || get_str(j, "key", &n->key, e) ||
        get_str(j, "text", &n->text, e) || pos_load(j, &n->pos, e))
        return -1;
    n->level = (enum notice_level)level;
    return 0;
}

/* One loop per list; the element type differs, so a macro it is. */
#define LOAD_LIST(j, key, v, n, load, e)                          \
    ({                                                            \
        struct json list_ = json_get(j, key);                     \
        int r_ = 0;                                               \
        for (size_t i_ = 0; i_ < json_len(&list_) && !r_; i_++) { \
            struct json item_ = json_at(&list_, i_);              \
            r_ = load(&item_, ARRAY_ADD(v, n), e);                \
        }                                                         \
        r_;                                                       \
    })

int app_load(const struct json *j, struct app *out, struct err *e)
{
    if (want_type(j, JSON_OBJECT, e) || get_str(j, "name", &out->name, e) ||
        get_str(j, "source", &out->source, e) || get_str(j, "project_dir", &out->project_dir, e) ||
        get_strv(j, "files", &out->files, e) ||
        LOAD_LIST(j, "services", out->services, out->n_services, service_load, e) ||
        LOAD_LIST(j, "networks", out->networks, out->n_networks, network_item_load, e) ||
        LOAD_LIST(j, "volumes", out->volumes, out->n_volumes, volume_item_load, e) ||
        LOAD_LIST(j, "notices", out->notices, out->n_notices, notice_load, e) ||
        get_str(j, "revision", &out->revision, e) || get_bool(j, "prune", &out->prune, e))
        return -1;
    return 0;
}
