/*
 * mount_json: a mount as JSON: one element of HostConfig.Mounts, in and back out as inspect prints
 * it, and our own stored form of struct mount_spec.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "core/core_internal.h"

/* ------------------------------------------------------------ HostConfig.Mounts */

static int bad(const char *type, struct err *e, const char *why)
{
    return err_set(e, ERR_INVALID, "invalid mount config for type \"%.40s\": %s", type, why);
}

static bool type_known(const char *type)
{
    for (int t = MOUNT_BIND; t <= MOUNT_IMAGE; t++)
        if (strcmp(type, mount_type_name((enum mount_type)t)) == 0)
            return true;
    return false;
}

/* Options that belong to another type are refused (API 1.42). */
static int check_options(const struct json *j, const char *type, struct err *e)
{
    static const struct {
        const char *key, *type;
    } options[] = {
        {"BindOptions",   "bind"  },
        {"VolumeOptions", "volume"},
        {"TmpfsOptions",  "tmpfs" },
    };
    struct json image = json_get(j, "ImageOptions"), cluster = json_get(j, "ClusterOptions");

    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        struct json o = json_get(j, options[i].key);

        if (!json_exists(&o))
            continue;
        if (strcmp(type, options[i].type) != 0)
            return err_set(e, ERR_INVALID, "%s must not be specified on mount type \"%.40s\"",
                           options[i].key, type);
        if (want_type(&o, JSON_OBJECT, e))
            return -1;
    }
    if (json_exists(&image) && strcmp(type, "image") != 0 && type_known(type))
        return bad(type, e, "field ImageOptions must not be specified");
    if (json_exists(&image) && want_type(&image, JSON_OBJECT, e))
        return -1;
    return json_exists(&cluster) ? want_type(&cluster, JSON_OBJECT, e) : 0;
}

static int bind_options(const struct json *j, struct mount_spec *m, struct jsonw *w, struct err *e)
{
    struct json o = json_get(j, "BindOptions");

    if (!json_exists(&o))
        return 0;
    if (get_str(&o, "Propagation", &m->propagation, e) ||
        get_bool(&o, "NonRecursive", &m->non_recursive, e) ||
        get_bool(&o, "CreateMountpoint", &m->create_host_path, e) ||
        get_bool(&o, "ReadOnlyNonRecursive", &m->no_ro_recursive, e) ||
        get_bool(&o, "ReadOnlyForceRecursive", &m->force_ro_recursive, e))
        return -1;
    if (str_empty(m->propagation))
        free(take_ptr(m->propagation));
    else if (mount_propagation_check(m->propagation, e))
        return err_wrap(e, "invalid mount config for type \"bind\"");
    jsonw_key(w, "BindOptions");
    jsonw_obj(w);
    jsonw_opt_str(w, "Propagation", m->propagation);
    jsonw_opt_bool(w, "NonRecursive", m->non_recursive);
    jsonw_opt_bool(w, "CreateMountpoint", m->create_host_path);
    jsonw_opt_bool(w, "ReadOnlyNonRecursive", m->no_ro_recursive);
    jsonw_opt_bool(w, "ReadOnlyForceRecursive", m->force_ro_recursive);
    jsonw_end_obj(w);
    return 0;
}

static void opt_map(struct jsonw *w, const char *key, const struct kvs *kvs)
{
    if (kvs->n == 0)
        return;
    jsonw_key(w, key);
    jsonw_kvs_sorted(w, kvs);
}

static int volume_options(const struct json *j, struct mount_spec *m, struct jsonw *w,
                          struct err *e)
{
    struct json o = json_get(j, "VolumeOptions"), driver = json_get(&o, "DriverConfig");

    if (!json_exists(&o))
        return 0;
    if (json_exists(&driver) && want_type(&driver, JSON_OBJECT, e))
        return -1;
    if (get_bool(&o, "NoCopy", &m->no_copy, e) || get_kvs(&o, "Labels", &m->labels, e) ||
        get_str(&o, "Subpath", &m->subpath, e) || get_str(&driver, "Name", &m->driver, e) ||
        get_kvs(&driver, "Options", &m->driver_opts, e))
        return -1;
    if (str_empty(m->subpath))
        free(take_ptr(m->subpath));
    if (str_empty(m->driver))
        free(take_ptr(m->driver));
    jsonw_key(w, "VolumeOptions");
    jsonw_obj(w);
    jsonw_opt_bool(w, "NoCopy", m->no_copy);
    opt_map(w, "Labels", &m->labels);
    if (json_exists(&driver)) {
        jsonw_key(w, "DriverConfig");
        jsonw_obj(w);
        jsonw_opt_str(w, "Name", m->driver);
        opt_map(w, "Options", &m->driver_opts);
        jsonw_end_obj(w);
    }
    jsonw_opt_str(w, "Subpath", m->subpath);
    jsonw_end_obj(w);
    return 0;
}

/* A cluster's options are swarm's: kept for inspect, and without effect. */
static int image_options(const struct json *j, struct mount_spec *m, struct jsonw *w, struct err *e)
{
    struct json o = json_get(j, "ImageOptions"), cluster = json_get(j, "ClusterOptions");

    if (json_exists(&o)) {
        if (get_str(&o, "Subpath", &m->subpath, e))
            return -1;
        if (str_empty(m->subpath))
            free(take_ptr(m->subpath));
        jsonw_key(w, "ImageOptions");
        jsonw_obj(w);
        jsonw_opt_str(w, "Subpath", m->subpath);
        jsonw_end_obj(w);
    }
    if (json_exists(&cluster)) {
        jsonw_key(w, "ClusterOptions");
        jsonw_raw(w, "{}");
    }
    return 0;
}

/* [["exec"],["noexec"]]: names that moby lets through; everything else has a member of its own. */
static int tmpfs_list(const struct json *list, struct strv *words, struct jsonw *w, struct err *e)
{
    if (!json_exists(list))
        return 0;
    if (want_type(list, JSON_ARRAY, e))
        return -1;
    if (json_len(list)) {
        jsonw_key(w, "Options");
        jsonw_arr(w);
    }
    for (size_t i = 0; i < json_len(list); i++) {
        struct json item = json_at(list, i);
        cleanup_strv struct strv pair = {0};

        if (json_strv(&item, &pair, e))
            return -1;
        if (pair.n < 1 || pair.n > 2)
            return bad("tmpfs", e, "invalid option array length");
        if (strcmp(pair.v[0], "exec") != 0 && strcmp(pair.v[0], "noexec") != 0)
            return err_set(e, ERR_INVALID,
                           "invalid mount config for type \"tmpfs\": invalid option: %.60s",
                           pair.v[0]);
        strv_add(words, pair.v[0]);
        jsonw_strv(w, &pair);
    }
    if (json_len(list))
        jsonw_end_arr(w);
    return 0;
}

static int tmpfs_options(const struct json *j, struct mount_spec *m, struct jsonw *w, struct err *e)
{
    struct json o = json_get(j, "TmpfsOptions"), list = json_get(&o, "Options");
    cleanup_strv struct strv words = {0};
    int64_t size = 0, mode = 0;

    if (!json_exists(&o))
        return 0;
    if (get_i64(&o, "SizeBytes", &size, e) || get_i64(&o, "Mode", &mode, e))
        return -1;
    if (size < 0) /* dockerd finds out when it starts the container */
        return bad("tmpfs", e, "SizeBytes must not be negative");
    if (mode < 0 || mode > UINT32_MAX) /* Go's os.FileMode, which its decoder checks */
        return err_set(e, ERR_INVALID,
                       "json: cannot unmarshal number %lld into Go struct field "
                       "TmpfsOptions.HostConfig.Mounts.TmpfsOptions.Mode of type fs.FileMode",
                       (long long)mode);
    jsonw_key(w, "TmpfsOptions");
    jsonw_obj(w);
    jsonw_opt_i64(w, "SizeBytes", size);
    jsonw_opt_i64(w, "Mode", mode);
    if (size)
        strv_addf(&words, "size=%lld", (long long)size);
    if (mode)
        strv_addf(&words, "mode=%llo", (unsigned long long)mode & 07777);
    if (tmpfs_list(&list, &words, w, e))
        return -1;
    jsonw_end_obj(w);
    m->tmpfs_options = str_join((const char *const *)words.v, words.n, ",");
    return 0;
}

static int check_source(const char *type, const struct mount_spec *m, struct err *e)
{
    bool anonymous = str_empty(m->source);

    switch (m->type) {
    case MOUNT_IMAGE:
        return anonymous ? bad(type, e, "field Source must not be empty") : 0;
    case MOUNT_BIND:
        if (anonymous)
            return bad(type, e, "field Source must not be empty");
        if (m->source[0] != '/')
            return err_set(e, ERR_INVALID,
                           "invalid mount config for type \"bind\": invalid mount path: '%.200s' "
                           "mount path must be absolute",
                           m->source);
        return 0;
    case MOUNT_TMPFS:
        return anonymous ? 0 : bad(type, e, "field Source must not be specified");
    case MOUNT_VOLUME:
        if (anonymous && m->read_only)
            return bad(type, e, "must not set ReadOnly mode when using anonymous volumes");
        if (anonymous && m->subpath)
            return bad(type, e, "must not set Subpath when using anonymous volumes");
        return 0;
    }
    return 0;
}

/* No way out of the volume: relative, and no ".." that climbs above it. */
static int check_subpath(const struct mount_spec *m, struct err *e)
{
    cleanup_strv struct strv parts = {0};
    int depth = 0;

    if (!m->subpath)
        return 0;
    strv_split(&parts, m->subpath, '/');
    for (size_t i = 0; i < parts.n && depth >= 0; i++) {
        if (strcmp(parts.v[i], "..") == 0)
            depth--;
        else if (parts.v[i][0] && strcmp(parts.v[i], ".") != 0)
            depth++;
    }
    if (m->subpath[0] == '/' || depth < 0)
        return bad(mount_type_name(m->type), e,
                   "subpath must be a relative path within the volume");
    return 0;
}

static int type_parse(const char *text, enum mount_type *out, struct err *e)
{
    for (int t = MOUNT_BIND; t <= MOUNT_IMAGE; t++)
        if (strcmp(text, mount_type_name((enum mount_type)t)) == 0) {
            *out = (enum mount_type)t;
            return 0;
        }
    return bad(text, e, "mount type unknown");
}

static int decode_common(const struct json *j, struct mount_spec *m, char **type, struct err *e)
{
    if (json_exists(j) && want_type(j, JSON_OBJECT, e))
        return -1;
    *type = xstrdup("");
    m->source = xstrdup("");
    m->target = xstrdup("");
    if (get_str(j, "Type", type, e) || get_str(j, "Source", &m->source, e) ||
        get_str(j, "Target", &m->target, e) || get_bool(j, "ReadOnly", &m->read_only, e) ||
        get_str(j, "Consistency", &m->consistency, e))
        return -1;
    return 0;
}

static void clean_in_place(char **path)
{
    char *clean = path_clean(*path);

    free(*path);
    *path = clean;
}

int mount_decode_api(const struct json *j, struct mount_spec *m, struct jsonw *canonical,
                     struct err *e)
{
    cleanup_free char *type = NULL;

    if (decode_common(j, m, &type, e) || check_options(j, type, e) ||
        mount_check_target(m->target, type, e) || type_parse(type, &m->type, e))
        return -1;
    jsonw_obj(canonical);
    jsonw_kstr(canonical, "Type", type);
    jsonw_opt_str(canonical, "Source", m->source);
    jsonw_kstr(canonical, "Target", m->target);
    jsonw_opt_bool(canonical, "ReadOnly", m->read_only);
    jsonw_opt_str(canonical, "Consistency", m->consistency);
    if (bind_options(j, m, canonical, e) || volume_options(j, m, canonical, e) ||
        image_options(j, m, canonical, e) || tmpfs_options(j, m, canonical, e) ||
        check_source(type, m, e) || check_subpath(m, e))
        return -1;
    jsonw_end_obj(canonical);
    clean_in_place(&m->target);
    if (m->type == MOUNT_BIND)
        clean_in_place(&m->source);
    m->anonymous = m->type == MOUNT_VOLUME && !*m->source;
    m->read_only = m->read_only || m->type == MOUNT_IMAGE;
    m->mode = m->type == MOUNT_VOLUME ? NULL : xstrdup("");
    return 0;
}

/* ------------------------------------------------------------ HostConfig.Mounts, kept as text */

/* Stored as a string: parsed and printed again it might be spelled otherwise than moby spells it.
 */
static int text_decode(const struct json *j, struct container_spec *s, bool stored, struct err *e)
{
    if (!stored) /* mounts_collect() makes the text */
        return 0;
    return json_str(j, &s->mounts_json, e);
}

static void text_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    if (stored)
        jsonw_str(w, s->mounts_json);
    else
        jsonw_raw(w, s->mounts_json);
}

static bool text_absent(const struct container_spec *s)
{
    return str_empty(s->mounts_json);
}

static void text_copy(struct container_spec *d, const struct container_spec *s)
{
    d->mounts_json = str_dup_or_null(s->mounts_json);
}

static void text_release(struct container_spec *s)
{
    free(take_ptr(s->mounts_json));
}

const struct spec_codec codec_mounts_json = {text_decode, text_encode, text_absent, text_copy,
                                             text_release};

/* ------------------------------------------------------------ our own: struct mount_spec */

static int mount_load(const struct json *j, struct mount_spec *m, struct err *e)
{
    cleanup_free char *type = NULL;

    if (want_type(j, JSON_OBJECT, e) || get_str(j, "Type", &type, e) ||
        type_parse(type ? type : "", &m->type, e) || get_str(j, "Source", &m->source, e) ||
        get_str(j, "Target", &m->target, e) || get_bool(j, "ReadOnly", &m->read_only, e) ||
        get_bool(j, "NoCopy", &m->no_copy, e) ||
        get_bool(j, "CreateHostPath", &m->create_host_path, e) ||
        get_bool(j, "Anonymous", &m->anonymous, e) ||
        get_bool(j, "NonRecursive", &m->non_recursive, e) ||
        get_bool(j, "NoRoRecursive", &m->no_ro_recursive, e) ||
        get_bool(j, "ForceRoRecursive", &m->force_ro_recursive, e) ||
        get_str(j, "Propagation", &m->propagation, e) || get_str(j, "Subpath", &m->subpath, e) ||
        get_str(j, "ImageId", &m->image_id, e) || get_bool(j, "Implicit", &m->implicit, e) ||
        get_str(j, "Driver", &m->driver, e) || get_kvs(j, "DriverOpts", &m->driver_opts, e) ||
        get_kvs(j, "Labels", &m->labels, e) || get_str(j, "Tmpfs", &m->tmpfs_options, e) ||
        get_str(j, "Consistency", &m->consistency, e) || get_str(j, "Mode", &m->mode, e))
        return -1;
    return 0;
}

/* NULL and "" are told apart, so that a loaded mount equals the one that was stored. */
static void str_if_set(struct jsonw *w, const char *key, const char *v)
{
    if (v)
        jsonw_kstr(w, key, v);
}

static void mount_store(const struct mount_spec *m, struct jsonw *w)
{
    jsonw_obj(w);
    jsonw_kstr(w, "Type", mount_type_name(m->type));
    str_if_set(w, "Source", m->source);
    str_if_set(w, "Target", m->target);
    jsonw_opt_bool(w, "ReadOnly", m->read_only);
    jsonw_opt_bool(w, "NoCopy", m->no_copy);
    jsonw_opt_bool(w, "CreateHostPath", m->create_host_path);
    jsonw_opt_bool(w, "Anonymous", m->anonymous);
    jsonw_opt_bool(w, "NonRecursive", m->non_recursive);
    jsonw_opt_bool(w, "NoRoRecursive", m->no_ro_recursive);
    jsonw_opt_bool(w, "ForceRoRecursive", m->force_ro_recursive);
    str_if_set(w, "Propagation", m->propagation);
    str_if_set(w, "Subpath", m->subpath);
    str_if_set(w, "ImageId", m->image_id);
    jsonw_opt_bool(w, "Implicit", m->implicit);
    str_if_set(w, "Driver", m->driver);
    jsonw_opt_kvs(w, "DriverOpts", &m->driver_opts);
    jsonw_opt_kvs(w, "Labels", &m->labels);
    str_if_set(w, "Tmpfs", m->tmpfs_options);
    str_if_set(w, "Consistency", m->consistency);
    str_if_set(w, "Mode", m->mode);
    jsonw_end_obj(w);
}

static int mounts_decode(const struct json *j, struct container_spec *s, bool stored, struct err *e)
{
    (void)stored;
    if (want_type(j, JSON_ARRAY, e))
        return -1;
    for (size_t i = 0; i < json_len(j); i++) {
        struct json item = json_at(j, i);

        if (mount_load(&item, ARRAY_ADD(s->mounts, s->n_mounts), e))
            return -1;
    }
    return 0;
}

static void mounts_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    (void)stored;
    jsonw_arr(w);
    for (size_t i = 0; i < s->n_mounts; i++)
        mount_store(&s->mounts[i], w);
    jsonw_end_arr(w);
}

static bool mounts_absent(const struct container_spec *s)
{
    return s->n_mounts == 0;
}

static void mounts_copy(struct container_spec *d, const struct container_spec *s)
{
    for (size_t i = 0; i < s->n_mounts; i++)
        mount_spec_copy(ARRAY_ADD(d->mounts, d->n_mounts), &s->mounts[i]);
}

static void mounts_release(struct container_spec *s)
{
    for (size_t i = 0; i < s->n_mounts; i++)
        mount_spec_release(&s->mounts[i]);
    free(s->mounts);
    s->mounts = NULL;
    s->n_mounts = 0;
}

const struct spec_codec codec_mounts = {mounts_decode, mounts_encode, mounts_absent, mounts_copy,
                                        mounts_release};
