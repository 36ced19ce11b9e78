/*
 * plugin: volumes whose driver is another process, VolumeDriver.* of the Docker plugin protocol.
 *
 * Whether it is a volume driver is asked once (Plugin.Activate) for as long as its address stays
 * the same; a plugin that restarts there is still the one we know.  The plugin keeps its volumes
 * itself: get() and list() are the truth about them, our records only add labels and options.
 */
#include "base/mem.h"
#include "base/str.h"
#include "base/sync.h"
#include "voldrivers/plugin_internal.h"

#define LONG_S              120 /* dockerd's: what may have to make or attach something */
#define SHORT_S             60
#define UNMOUNT_PATIENCE_MS 4000 /* a container that ended waits for it */
#define BODY_MAX            (1024 * 1024)

/* ------------------------------------------------------------------ the handshake */

struct known {
    char *name, *url;
    bool volumes; /* it implements VolumeDriver */
};
static struct mutex lock = MUTEX_INIT;
static struct known *known GUARDED_BY(lock);
static size_t n_known GUARDED_BY(lock);

/* -1: not asked yet */
static int recall(const struct plugin_address *a)
{
    int found = -1;

    mutex_lock(&lock);
    for (size_t i = 0; i < n_known; i++)
        if (str_eq(known[i].name, a->name) && str_eq(known[i].url, a->url))
            found = known[i].volumes;
    mutex_unlock(&lock);
    return found;
}

static void remember(const struct plugin_address *a, bool volumes)
{
    struct known *k = NULL;

    mutex_lock(&lock);
    for (size_t i = 0; i < n_known; i++)
        if (str_eq(known[i].name, a->name)) {
            k = &known[i];
            break;
        }
    if (!k) {
        k = ARRAY_ADD(known, n_known);
        k->name = xstrdup(a->name);
    }
    str_set(&k->url, a->url);
    k->volumes = volumes;
    mutex_unlock(&lock);
}

static int activate(const struct vol_env *env, const struct plugin_address *a, int64_t patience_ms,
                    struct err *e)
{
    cleanup_plugin_reply struct plugin_reply reply = {0};
    const struct plugin_call call = {
        .method = "Plugin.Activate",
        .timeout_s = SHORT_S,
        .patience_ms = patience_ms,
        .stop = env->stop,
    };
    int is = recall(a);

    if (is < 0) {
        if (plugin_call(a, &call, &reply, e))
            return err_wrap(e, "legacy plugin");
        is = strv_has(&reply.implements, "VolumeDriver");
        remember(a, is);
    }
    if (!is) /* dockerd asks for it in small letters */
        return err_set(e, ERR_INVALID,
                       "legacy plugin: Plugin does not implement the requested driver: "
                       "plugin=\"%s\", requested implementation=\"volumedriver\"",
                       a->name);
    return 0;
}

int plugin_activate(const struct vol_env *env, const char *name, bool patient, struct err *e)
{
    cleanup_plugin_address struct plugin_address a = {0};

    return plugin_find(env, name, &a, e) || activate(env, &a, patient ? PLUGIN_PATIENCE_MS : 0, e)
               ? -1
               : 0;
}

void vol_driver_plugins(const struct vol_env *env, struct strv *names)
{
    cleanup_strv struct strv all = {0};

    plugin_names(env, &all);
    for (size_t i = 0; i < all.n; i++)
        if (plugin_activate(env, all.v[i], false, ERR_IGNORE) == 0)
            strv_add(names, all.v[i]);
}

/* ------------------------------------------------------------------ calls */

struct ask {
    const char *method;
    const char *id;         /* of Mount and Unmount; NULL: none */
    const struct kvs *opts; /* of Create; NULL: none */
    int64_t timeout_s;
    int64_t patience_ms; /* 0: asked once */
};

static void write_body(const struct ask *q, const char *volume, struct jsonw *w)
{
    jsonw_obj(w);
    if (volume)
        jsonw_kstr(w, "Name", volume);
    if (q->opts) {
        jsonw_key(w, "Opts");
        if (q->opts->n)
            jsonw_kvs(w, q->opts);
        else
            jsonw_null(w);
    }
    if (q->id)
        jsonw_kstr(w, "ID", q->id);
    jsonw_end_obj(w);
}

/* A member Err is the error, in the plugin's own words. */
static int ask(const struct vol_env *env, const char *driver, const char *volume,
               const struct ask *q, struct plugin_reply *out, struct err *e)
{
    cleanup_plugin_address struct plugin_address a = {0};
    cleanup_buf struct buf body = BUF_INIT(BODY_MAX);
    const struct plugin_call call = {.method = q->method,
                                     .body = &body,
                                     .timeout_s = q->timeout_s,
                                     .patience_ms = q->patience_ms,
                                     .stop = env->stop};
    struct jsonw w = JSONW_INIT(&body);

    if (plugin_find(env, driver, &a, e) || activate(env, &a, q->patience_ms, e))
        return err_wrap(e, "error looking up volume plugin %s", driver);
    write_body(q, volume, &w);
    if (buf_check(&body, "the request to the plugin", e) || plugin_call(&a, &call, out, e))
        return -1;
    if (str_empty(out->err))
        return 0;
    err_set(e, ERR_IO, "%s", out->err);
    plugin_reply_release(out);
    return -1;
}

/* No alphabet of ours: the plugin knows what it can name.  Just nothing that breaks a line. */
static int remote_check(const struct vol_env *env, const struct volume *v, struct err *e)
{
    (void)env;
    for (const char *p = v->name; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            return err_set(e, ERR_INVALID, "a volume's name holds a control character");
    if (strlen(v->name) > 1024)
        return err_set(e, ERR_INVALID, "the volume's name is too long");
    return 0;
}

static void take_scope(const struct vol_env *env, struct volume *v)
{
    const struct ask q = {.method = "VolumeDriver.Capabilities", .timeout_s = SHORT_S};
    cleanup_plugin_reply struct plugin_reply reply = {0};

    /* Plugins older than the call have volumes of this machine only. */
    if (ask(env, v->driver, NULL, &q, &reply, ERR_IGNORE) == 0 && !str_empty(reply.scope))
        str_set(&v->scope, str_eq(reply.scope, "global") ? "global" : "local");
}

static void take_volume(struct volume *v, const struct plugin_volume *from)
{
    str_set(&v->mountpoint, from->mountpoint ? from->mountpoint : "");
    str_set(&v->status, from->status);
    v->created_ns = from->created_ns;
}

static int get(const struct vol_env *env, struct volume *v, int64_t patience_ms, struct err *e)
{
    const struct ask q = {
        .method = "VolumeDriver.Get", .timeout_s = SHORT_S, .patience_ms = patience_ms};
    cleanup_plugin_reply struct plugin_reply reply = {0};

    if (ask(env, v->driver, v->name, &q, &reply, e)) {
        /* It answered, and has none: how it says so is its own affair. */
        if (e->kind == ERR_IO)
            e->kind = ERR_NOT_FOUND;
        return -1;
    }
    if (!reply.has_volume)
        return err_set(e, ERR_NOT_FOUND, "plugin %s has no volume %s", v->driver, v->name);
    take_volume(v, &reply.volume);
    return 0;
}

static int remote_get(const struct vol_env *env, struct volume *v, struct err *e)
{
    if (get(env, v, 0, e))
        return -1;
    if (!v->scope)
        take_scope(env, v);
    return 0;
}

/* One that the plugin has already is taken as it is. */
static int remote_ensure(const struct vol_env *env, struct volume *v, struct err *e)
{
    const struct ask q = {.method = "VolumeDriver.Create",
                          .opts = &v->options,
                          .timeout_s = LONG_S,
                          .patience_ms = PLUGIN_PATIENCE_MS};
    cleanup_plugin_reply struct plugin_reply reply = {0};
    int64_t created_ns = v->created_ns;

    if (get(env, v, PLUGIN_PATIENCE_MS, ERR_IGNORE)) {
        if (ask(env, v->driver, v->name, &q, &reply, e))
            return -1;
        if (get(env, v, PLUGIN_PATIENCE_MS,
                ERR_IGNORE)) /* it need not know where before it is mounted */
            str_set(&v->mountpoint, "");
    }
    if (!v->created_ns)
        v->created_ns = created_ns;
    take_scope(env, v);
    return 0;
}

/* One that it does not have is removed: a removal that was cut short is asked for again. */
static int remote_remove(const struct vol_env *env, const struct volume *v, struct err *e)
{
    const struct ask q = {
        .method = "VolumeDriver.Remove", .timeout_s = LONG_S, .patience_ms = PLUGIN_PATIENCE_MS};
    cleanup_plugin_reply struct plugin_reply reply = {0};
    cleanup_volume struct volume *copy = NULL;
    struct err why = ERR_INIT;

    if (ask(env, v->driver, v->name, &q, &reply, e) == 0)
        return 0;
    copy = volume_copy(v);
    return e->kind == ERR_IO && get(env, copy, 0, &why) && why.kind == ERR_NOT_FOUND ? 0 : -1;
}

static int remote_mount(const struct vol_env *env, const struct volume *v, const char *user,
                        char **path, struct err *e)
{
    const struct ask mount = {.method = "VolumeDriver.Mount",
                              .id = user,
                              .timeout_s = LONG_S,
                              .patience_ms = PLUGIN_PATIENCE_MS};
    const struct ask where = {
        .method = "VolumeDriver.Path", .timeout_s = SHORT_S, .patience_ms = PLUGIN_PATIENCE_MS};
    cleanup_plugin_reply struct plugin_reply reply = {0}, second = {0};

    if (ask(env, v->driver, v->name, &mount, &reply, e))
        return -1;
    *path = take_ptr(reply.mountpoint);
    if (str_empty(*path)) {
        free(take_ptr(*path));
        if (ask(env, v->driver, v->name, &where, &second, e))
            return -1;
        *path = take_ptr(second.mountpoint);
    }
    if (*path && **path == '/')
        return 0;
    err_set(e, ERR_IO, "plugin %s gave \"%.200s\" for the path of volume %s", v->driver,
            *path ? *path : "", v->name);
    free(take_ptr(*path));
    return -1;
}

static int remote_unmount(const struct vol_env *env, const struct volume *v, const char *user,
                          bool last, struct err *e)
{
    const struct ask q = {.method = "VolumeDriver.Unmount",
                          .id = user,
                          .timeout_s = LONG_S,
                          .patience_ms = UNMOUNT_PATIENCE_MS};
    cleanup_plugin_reply struct plugin_reply reply = {0};

    (void)last; /* it counts its users itself */
    return ask(env, v->driver, v->name, &q, &reply, e);
}

static int remote_list(const struct vol_env *env, const char *driver, vol_each_fn *each, void *arg,
                       struct err *e)
{
    const struct ask q = {.method = "VolumeDriver.List", .timeout_s = SHORT_S};
    cleanup_plugin_reply struct plugin_reply reply = {0};
    cleanup_volume struct volume *first = volume_new(); /* the scope is all of them's */

    if (ask(env, driver, NULL, &q, &reply, e))
        return -1;
    str_set(&first->driver, driver);
    if (reply.n_volumes)
        take_scope(env, first);
    for (size_t i = 0; i < reply.n_volumes; i++) {
        struct volume *v;

        if (str_empty(reply.volumes[i].name))
            continue;
        v = volume_copy(first);
        str_set(&v->name, reply.volumes[i].name);
        take_volume(v, &reply.volumes[i]);
        if (each(arg, v, e))
            return -1;
    }
    return 0;
}

const struct vol_driver_ops vol_driver_plugin = {
    .remote = true,
    .check = remote_check,
    .ensure = remote_ensure,
    .remove = remote_remove,
    .ensure_mounted = remote_mount,
    .ensure_unmounted = remote_unmount,
    .get = remote_get,
    .list = remote_list,
};
