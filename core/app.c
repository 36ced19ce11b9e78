/* app: life of the desired model, and look-ups in it. */
#include "core/app.h"

#include <stdlib.h>
#include <string.h>

#include "core/core_internal.h"

struct app *app_new(void)
{
    struct app *a = xcalloc(1, sizeof(*a));

    a->name = xstrdup("");
    a->source = xstrdup("");
    a->project_dir = xstrdup("");
    a->revision = xstrdup("");
    a->prune = true;
    return a;
}

static void service_release(struct app_service *s)
{
    free(s->name);
    free(s->container_name);
    container_spec_free(s->spec);
    for (size_t i = 0; i < s->n_depends; i++)
        free(s->depends[i].service);
    free(s->depends);
    strv_release(&s->networks);
    free(s->pull_policy);
    free(s->hash_a);
    free(s->hash_d);
    free(s->pos.file);
}

void app_free(struct app *a)
{
    if (!a)
        return;
    free(a->name);
    free(a->source);
    free(a->project_dir);
    strv_release(&a->files);
    for (size_t i = 0; i < a->n_services; i++)
        service_release(&a->services[i]);
    for (size_t i = 0; i < a->n_networks; i++) {
        free(a->networks[i].key);
        network_unref(a->networks[i].net);
    }
    for (size_t i = 0; i < a->n_volumes; i++) {
        free(a->volumes[i].key);
        volume_unref(a->volumes[i].vol);
    }
    for (size_t i = 0; i < a->n_notices; i++) {
        free(a->notices[i].service);
        free(a->notices[i].key);
        free(a->notices[i].text);
        free(a->notices[i].pos.file);
    }
    free(a->services);
    free(a->networks);
    free(a->volumes);
    free(a->notices);
    free(a->revision);
    free(a);
}

static void pos_copy(struct source_pos *dst, const struct source_pos *src)
{
    dst->file = str_dup_or_null(src->file);
    dst->line = src->line;
    dst->column = src->column;
}

static void service_copy(struct app_service *d, const struct app_service *s)
{
    d->name = str_dup_or_null(s->name);
    d->container_name = str_dup_or_null(s->container_name);
    d->spec = s->spec ? container_spec_copy(s->spec) : NULL;
    for (size_t i = 0; i < s->n_depends; i++) {
        struct service_dependency *dep = ARRAY_ADD(d->depends, d->n_depends);

        *dep = s->depends[i];
        dep->service = str_dup_or_null(s->depends[i].service);
    }
    strv_copy(&d->networks, &s->networks);
    d->pull_policy = str_dup_or_null(s->pull_policy);
    d->stop_grace_s = s->stop_grace_s;
    d->hash_a = str_dup_or_null(s->hash_a);
    d->hash_d = str_dup_or_null(s->hash_d);
    pos_copy(&d->pos, &s->pos);
}

struct app *app_copy(const struct app *a)
{
    struct app *d = xcalloc(1, sizeof(*d));

    d->name = str_dup_or_null(a->name);
    d->source = str_dup_or_null(a->source);
    d->project_dir = str_dup_or_null(a->project_dir);
    strv_copy(&d->files, &a->files);
    for (size_t i = 0; i < a->n_services; i++)
        service_copy(ARRAY_ADD(d->services, d->n_services), &a->services[i]);
    for (size_t i = 0; i < a->n_networks; i++) {
        struct app_network *n = ARRAY_ADD(d->networks, d->n_networks);

        n->key = str_dup_or_null(a->networks[i].key);
        n->external = a->networks[i].external;
        n->net = a->networks[i].net ? network_copy(a->networks[i].net) : NULL;
    }
    for (size_t i = 0; i < a->n_volumes; i++) {
        struct app_volume *v = ARRAY_ADD(d->volumes, d->n_volumes);

        v->key = str_dup_or_null(a->volumes[i].key);
        v->external = a->volumes[i].external;
        v->vol = a->volumes[i].vol ? volume_copy(a->volumes[i].vol) : NULL;
    }
    for (size_t i = 0; i < a->n_notices; i++) {
        struct app_notice *n = ARRAY_ADD(d->notices, d->n_notices);

        n->level = a->notices[i].level;
        n->service = str_dup_or_null(a->notices[i].service);
        n->key = str_dup_or_null(a->notices[i].key);
        n->text = str_dup_or_null(a->notices[i].text);
        pos_copy(&n->pos, &a->notices[i].pos);
    }
    d->revision = str_dup_or_null(a->revision);
    d->prune = a->prune;
    return d;
}

const struct app_service *app_find_service(const struct app *a, const char *name)
{
    for (size_t i = 0; i < a->n_services; i++)
        if (str_eq(a->services[i].name, name))
            return &a->services[i];
    return NULL;
}

const struct app_network *app_find_network(const struct app *a, const char *key)
{
    for (size_t i = 0; i < a->n_networks; i++)
        if (str_eq(a->networks[i].key, key))
            return &a->networks[i];
    return NULL;
}

const struct app_volume *app_find_volume(const struct app *a, const char *key)
{
    for (size_t i = 0; i < a->n_volumes; i++)
        if (str_eq(a->volumes[i].key, key))
            return &a->volumes[i];
    return NULL;
}

void app_write_notices(const struct app *a, struct jsonw *w)
{
    static const char *const levels[] = {
        [NOTICE_IGNORED] = "ignored",
        [NOTICE_DEGRADED] = "degraded",
        [NOTICE_REFUSED] = "refused",
    };

    jsonw_arr(w);
    for (size_t i = 0; i < a->n_notices; i++) {
        const struct app_notice *n = &a->notices[i];

        jsonw_obj(w);
        jsonw_kstr(w, "level", levels[n->level]);
        jsonw_kstr(w, "service", n->service);
        jsonw_kstr(w, "key", n->key);
        jsonw_kstr(w, "text", n->text);
        jsonw_kstr(w, "file", n->pos.file);
        jsonw_ki64(w, "line", n->pos.line);
        jsonw_ki64(w, "column", n->pos.column);
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
}
