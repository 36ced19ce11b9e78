/* volume: the snapshot, POST /volumes/create, and the stored form. */
#include "core/volume.h"

#include <stdlib.h>
#include <string.h>

#include "core/core_internal.h"

struct volume *volume_new(void)
{
    struct volume *v = xcalloc(1, sizeof(*v));

    v->refs = 1;
    v->name = xstrdup("");
    v->driver = xstrdup("local");
    v->mountpoint = xstrdup("");
    v->app = xstrdup("");
    v->key = xstrdup("");
    v->spec_hash = xstrdup("");
    return v;
}

struct volume *volume_copy(const struct volume *v)
{
    struct volume *d = xcalloc(1, sizeof(*d));

    d->refs = 1;
    d->name = str_dup_or_null(v->name);
    d->driver = str_dup_or_null(v->driver);
    kvs_copy(&d->options, &v->options);
    kvs_copy(&d->labels, &v->labels);
    d->labels_set = v->labels_set;
    d->options_set = v->options_set;
    d->mountpoint = str_dup_or_null(v->mountpoint);
    d->created_ns = v->created_ns;
    d->anonymous = v->anonymous;
    d->app = str_dup_or_null(v->app);
    d->key = str_dup_or_null(v->key);
    d->spec_hash = str_dup_or_null(v->spec_hash);
    d->scope = str_dup_or_null(v->scope);
    d->status = str_dup_or_null(v->status);
    return d;
}

struct volume *volume_ref(const struct volume *v)
{
    struct volume *m = (struct volume *)(uintptr_t)v;

    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void volume_unref(const struct volume *v)
{
    struct volume *m = (struct volume *)(uintptr_t)v;

    if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(m->name);
    free(m->driver);
    kvs_release(&m->options);
    kvs_release(&m->labels);
    free(m->mountpoint);
    free(m->app);
    free(m->key);
    free(m->spec_hash);
    free(m->scope);
    free(m->status);
    free(m);
}

/* Same alphabet and length as a container's name: [a-zA-Z0-9][a-zA-Z0-9_.-]+ */
bool volume_name_valid(const char *name)
{
    return container_name_valid(name) && strlen(name) <= 255;
}

int volume_name_check(const char *name, struct err *e)
{
    if (volume_name_valid(name))
        return 0;
    if (strlen(name) == 1)
        return err_set(e, ERR_INVALID,
                       "create %s: volume name is too short, names should be at least two "
                       "alphanumeric characters",
                       name);
    if (strlen(name) > 255)
        return err_set(e, ERR_INVALID, "create %.40s...: volume name is too long", name);
    return err_set(e, ERR_INVALID,
                   "create %s: \"%s\" includes invalid characters for a local volume name, only "
                   "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host "
                   "directory, use absolute path",
                   name, name);
}

int volume_decode(const struct json *body, struct volume *out, struct err *e)
{
    struct json options = json_get(body, "DriverOpts"), labels = json_get(body, "Labels");
    struct json cluster = json_get(body, "ClusterVolumeSpec");

    if (json_exists(body) && want_type(body, JSON_OBJECT, e))
        return -1;
    if (json_exists(&cluster))
        return err_set(e, ERR_UNAVAILABLE,
                       "This node is not a swarm manager. Use \"docker swarm init\" or \"docker "
                       "swarm join\" to connect this node to swarm and try again.");
    str_set(&out->driver, "");
    if (get_str(body, "Name", &out->name, e) || get_str(body, "Driver", &out->driver, e) ||
        json_kvs(&options, &out->options, e) || json_kvs(&labels, &out->labels, e))
        return -1;
    out->options_set = json_exists(&options);
    out->labels_set = json_exists(&labels);
    out->anonymous = str_empty(out->name); /* the creator makes a name up */
    return 0;
}

void volume_store(const struct volume *v, struct jsonw *w)
{
    jsonw_obj(w);
    jsonw_opt_str(w, "Name", v->name);
    jsonw_opt_str(w, "Driver", v->driver);
    if (v->options_set || v->options.n) {
        jsonw_key(w, "Options");
        jsonw_kvs(w, &v->options);
    }
    if (v->labels_set || v->labels.n) {
        jsonw_key(w, "Labels");
        jsonw_kvs(w, &v->labels);
    }
    jsonw_opt_str(w, "Mountpoint", v->mountpoint);
    jsonw_opt_i64(w, "CreatedNs", v->created_ns);
    jsonw_opt_bool(w, "Anonymous", v->anonymous);
    jsonw_opt_str(w, "App", v->app);
    jsonw_opt_str(w, "Key", v->key);
    jsonw_opt_str(w, "SpecHash", v->spec_hash);
    jsonw_opt_str(w, "Scope", v->scope);
    jsonw_end_obj(w);
}

int volume_load(const struct json *j, struct volume *out, struct err *e)
{
    struct json options = json_get(j, "Options"), labels = json_get(j, "Labels");

    if (want_type(j, JSON_OBJECT, e) || get_str(j, "Name", &out->name, e) ||
        get_str(j, "Driver", &out->driver, e) || json_kvs(&options, &out->options, e) ||
        json_kvs(&labels, &out->labels, e) || get_str(j, "Mountpoint", &out->mountpoint, e) ||
        get_i64(j, "CreatedNs", &out->created_ns, e) ||
        get_bool(j, "Anonymous", &out->anonymous, e) || get_str(j, "App", &out->app, e) ||
        get_str(j, "Key", &out->key, e) || get_str(j, "SpecHash", &out->spec_hash, e) ||
        get_str(j, "Scope", &out->scope, e))
        return -1;
    out->options_set = json_exists(&options);
    out->labels_set = json_exists(&labels);
    return 0;
}
