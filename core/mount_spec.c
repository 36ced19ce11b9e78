/*
 * mount_spec: the one list of a container's mounts, from the four places a create body has for
 * them: HostConfig.Binds ("src:dst[:opts]"), HostConfig.Mounts, HostConfig.Tmpfs and
 * Config.Volumes.
 *
 * A target occurs once; twice is refused.  Only Config.Volumes gives way silently, because it says
 * no more than "there should be something here".
 */
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "core/core_internal.h"

#define MOUNTS_MAX 4096

static const char *const type_names[] = {
    [MOUNT_BIND] = "bind",
    [MOUNT_VOLUME] = "volume",
    [MOUNT_TMPFS] = "tmpfs",
    [MOUNT_IMAGE] = "image",
};

const char *mount_type_name(enum mount_type t)
{
    return type_names[t];
}

void mount_spec_release(struct mount_spec *m)
{
    free(m->source);
    free(m->target);
    free(m->propagation);
    free(m->subpath);
    free(m->image_id);
    free(m->driver);
    kvs_release(&m->driver_opts);
    kvs_release(&m->labels);
    free(m->tmpfs_options);
    free(m->consistency);
    free(m->mode);
    memset(m, 0, sizeof(*m));
}

void mount_spec_copy(struct mount_spec *dst, const struct mount_spec *src)
{
    *dst = *src;
    dst->source = str_dup_or_null(src->source);
    dst->target = str_dup_or_null(src->target);
    dst->propagation = str_dup_or_null(src->propagation);
    dst->subpath = str_dup_or_null(src->subpath);
    dst->image_id = str_dup_or_null(src->image_id);
    dst->driver = str_dup_or_null(src->driver);
    dst->driver_opts = dst->labels = (struct kvs){0};
    kvs_copy(&dst->driver_opts, &src->driver_opts);
    kvs_copy(&dst->labels, &src->labels);
    dst->tmpfs_options = str_dup_or_null(src->tmpfs_options);
    dst->consistency = str_dup_or_null(src->consistency);
    dst->mode = str_dup_or_null(src->mode);
}

/* ------------------------------------------------------------ the mode of a bind */

int mount_propagation_check(const char *p, struct err *e)
{
    static const char *const known[] = {"private", "rprivate", "shared",
                                        "rshared", "slave",    "rslave"};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(p, known[i]) == 0)
            return 0;
    return err_set(e, ERR_INVALID, "invalid propagation mode: %.60s", p);
}

enum mode_group { MODE_RW, MODE_LABEL, MODE_PROPAGATION, MODE_COPY, MODE_CONSISTENCY, MODE_GROUPS };
static const struct mode_word {
    const char *word;
    enum mode_group group;
} mode_words[] = {
    {"rw",         MODE_RW         },
    {"ro",         MODE_RW         },
    {"z",          MODE_LABEL      },
    {"Z",          MODE_LABEL      },
    {"private",    MODE_PROPAGATION},
    {"rprivate",   MODE_PROPAGATION},
    {"shared",     MODE_PROPAGATION},
    {"rshared",    MODE_PROPAGATION},
    {"slave",      MODE_PROPAGATION},
    {"rslave",     MODE_PROPAGATION},
    {"nocopy",     MODE_COPY       },
    {"consistent", MODE_CONSISTENCY},
    {"cached",     MODE_CONSISTENCY},
    {"delegated",  MODE_CONSISTENCY},
};

static const struct mode_word *mode_word(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(mode_words); i++)
        if (strcmp(word, mode_words[i].word) == 0)
            return &mode_words[i];
    return NULL;
}

static void mode_apply(const struct mode_word *w, struct mount_spec *m)
{
    switch (w->group) {
    case MODE_RW:
        m->read_only = strcmp(w->word, "ro") == 0;
        break;
    case MODE_PROPAGATION:
        str_set(&m->propagation, w->word);
        break;
    case MODE_COPY:
        m->no_copy = true;
        break;
    case MODE_CONSISTENCY:
        str_set(&m->consistency, w->word);
        break;
    case MODE_LABEL: /* SELinux: kept in mode, for inspect */
    case MODE_GROUPS:
        break;
    }
}

/* "ro,z,shared": at most one word of each group.  The empty text is a mode as well. */
int mount_parse_mode(const char *mode, struct mount_spec *m, struct err *e)
{
    cleanup_strv struct strv words = {0};
    bool seen[MODE_GROUPS] = {false};

    str_set(&m->mode, mode);
    if (!*mode)
        return 0;
    strv_split(&words, mode, ',');
    for (size_t i = 0; i < words.n; i++) {
        const struct mode_word *w = mode_word(words.v[i]);

        if (!w || seen[w->group])
            return err_set(e, ERR_INVALID, "invalid mode: %.200s", mode);
        seen[w->group] = true;
        mode_apply(w, m);
    }
    return 0;
}

/* Of the words only those that make sense for somebody else's mounts. */
int volumes_from_parse(const char *text, char **container, bool *read_only, struct err *e)
{
    const char *colon = strchr(text, ':');
    struct mount_spec m = {0};
    int r = 0;

    if (!*text)
        return err_set(e, ERR_INVALID, "volumes-from specification cannot be an empty string");
    if (colon)
        r = mount_parse_mode(colon + 1, &m, e);
    if (r == 0 && (m.propagation || m.no_copy))
        r = err_set(e, ERR_INVALID, "invalid mode: %.200s", colon + 1);
    *read_only = m.read_only;
    mount_spec_release(&m);
    if (r == 0)
        *container = str_ndup(text, colon ? (size_t)(colon - text) : strlen(text));
    return r;
}

/* ------------------------------------------------------------ binds */

/* The target's rules; type NULL: without the words about a mount config (Tmpfs has none). */
int mount_check_target(const char *target, const char *type, struct err *e)
{
    cleanup_free char *clean = path_clean(target);
    char *what = type ? str_printf("invalid mount config for type \"%s\": ", type) : xstrdup("");
    int r = 0;

    if (type && !*target)
        r = err_set(e, ERR_INVALID, "%sfield Target must not be empty", what);
    else if (*target != '/')
        r = err_set(e, ERR_INVALID, "%sinvalid mount path: '%.200s' mount path must be absolute",
                    what, target);
    else if (strcmp(clean, "/") == 0)
        r = err_set(e, ERR_INVALID, "%sinvalid specification: destination can't be '/'", what);
    free(what);
    return r;
}

static int bad_bind(const char *text, struct err *e)
{
    return err_set(e, ERR_INVALID, "invalid volume specification: '%.300s'", text);
}

static bool is_mode(const char *text)
{
    struct mount_spec m = {0};
    bool yes = mount_parse_mode(text, &m, ERR_IGNORE) == 0;

    mount_spec_release(&m);
    return yes;
}

static int bind_check(const char *text, struct mount_spec *m, struct err *e)
{
    const char *type = mount_type_name(m->type);

    if (mount_check_target(m->target, type, e))
        return err_wrap(e, "invalid volume specification: '%.300s'", text);
    if (m->type == MOUNT_BIND && m->no_copy)
        return err_set(e, ERR_INVALID,
                       "invalid volume specification: '%.300s': invalid mount config for type "
                       "\"bind\": field VolumeOptions must not be specified",
                       text);
    if (m->type == MOUNT_VOLUME && m->propagation)
        return err_set(e, ERR_INVALID,
                       "invalid volume specification: '%.300s': invalid mount config for type "
                       "\"volume\": field BindOptions must not be specified",
                       text);
    return 0;
}

/* "/data" | "src:dst" | "src:dst:mode"; "/foo:ro" is refused, since a volume cannot be named so. */
static int bind_split(const char *text, const struct strv *parts, struct mount_spec *m,
                      struct err *e)
{
    const char *source = parts->v[0];

    if (parts->n < 1 || parts->n > 3 || !*source)
        return bad_bind(text, e);
    if (parts->n == 1) {
        m->type = MOUNT_VOLUME;
        m->anonymous = true;
        str_set(&m->source, "");
        str_set(&m->target, source);
        return 0;
    }
    if (parts->n == 2 && is_mode(parts->v[1]))
        return bad_bind(text, e);
    m->type = *source == '/' ? MOUNT_BIND : MOUNT_VOLUME;
    m->create_host_path = m->type == MOUNT_BIND;
    if (m->type == MOUNT_BIND) {
        free(m->source);
        m->source = path_clean(source);
    } else {
        str_set(&m->source, source);
    }
    str_set(&m->target, parts->v[1]);
    return parts->n == 3 ? mount_parse_mode(parts->v[2], m, e) : 0;
}

int mount_parse_bind(const char *text, struct mount_spec *out, struct err *e)
{
    cleanup_strv struct strv parts = {0};
    char *clean;

    memset(out, 0, sizeof(*out));
    if (!*text)
        return bad_bind(text, e);
    strv_split(&parts, text, ':');
    if (bind_split(text, &parts, out, e) || bind_check(text, out, e)) {
        mount_spec_release(out);
        return -1;
    }
    clean = path_clean(out->target);
    free(out->target);
    out->target = clean;
    if (!out->mode && out->type != MOUNT_VOLUME)
        out->mode = xstrdup("");
    return 0;
}

/* ------------------------------------------------------------ the one list */

static struct mount_spec *find_target(const struct container_spec *s, const char *target)
{
    for (size_t i = 0; i < s->n_mounts; i++)
        if (strcmp(s->mounts[i].target, target) == 0)
            return &s->mounts[i];
    return NULL;
}

/* Takes *m over in any case.  given: the target as it was written. */
static int add(struct container_spec *s, struct mount_spec *m, const char *given, struct err *e)
{
    int r = 0;

    if (find_target(s, m->target))
        r = err_set(e, ERR_INVALID, "Duplicate mount point: %.300s", given);
    else if (s->n_mounts == MOUNTS_MAX)
        r = err_set(e, ERR_INVALID, "more than %d mounts", MOUNTS_MAX);
    if (r)
        mount_spec_release(m);
    else
        *ARRAY_ADD(s->mounts, s->n_mounts) = *m;
    return r;
}

/* A bind that cannot be read is the daemon's fault in dockerd's eyes: status 500, and so here. */
static int add_binds(struct container_spec *s, struct err *e)
{
    for (size_t i = 0; i < s->binds.n; i++) {
        struct mount_spec m;

        if (mount_parse_bind(s->binds.v[i], &m, e)) {
            e->kind = ERR_INTERNAL;
            return -1;
        }
        if (m.type == MOUNT_VOLUME && !str_empty(s->volume_driver))
            str_set(&m.driver, s->volume_driver);
        if (add(s, &m, m.target, e))
            return -1;
    }
    return 0;
}

static int add_api_mounts(struct container_spec *s, const struct json *mounts, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(4 << 20);
    struct jsonw w = JSONW_INIT(&text);

    if (!json_exists(mounts))
        return 0;
    if (want_type(mounts, JSON_ARRAY, e))
        return -1;
    if (json_len(mounts) > MOUNTS_MAX)
        return err_set(e, ERR_INVALID, "more than %d mounts", MOUNTS_MAX);
    jsonw_arr(&w);
    for (size_t i = 0; i < json_len(mounts); i++) {
        struct json j = json_at(mounts, i);
        struct mount_spec m = {0};

        if (mount_decode_api(&j, &m, &w, e)) {
            mount_spec_release(&m);
            return -1;
        }
        if (add(s, &m, json_get_str(&j, "Target"), e))
            return -1;
    }
    jsonw_end_arr(&w);
    if (buf_check(&text, "HostConfig.Mounts", e))
        return -1;
    free(s->mounts_json);
    s->mounts_json = json_len(mounts) ? buf_take(&text) : NULL;
    return 0;
}

/* Twice is refused for a bind; what of Mounts has the same target stays out of sight below it. */
static int add_tmpfs(struct container_spec *s, size_t n_binds, struct err *e)
{
    for (size_t i = 0; i < s->tmpfs.n; i++) {
        struct mount_spec *m;
        cleanup_free char *target = path_clean(s->tmpfs.v[i].k);

        if (mount_check_target(s->tmpfs.v[i].k, NULL, e))
            return -1;
        for (size_t k = 0; k < n_binds; k++)
            if (strcmp(s->mounts[k].target, target) == 0)
                return err_set(e, ERR_INVALID, "Duplicate mount point: %.300s", target);
        if (s->n_mounts == MOUNTS_MAX)
            return err_set(e, ERR_INVALID, "more than %d mounts", MOUNTS_MAX);
        m = ARRAY_ADD(s->mounts, s->n_mounts);
        m->type = MOUNT_TMPFS;
        m->source = xstrdup("");
        m->target = take_ptr(target);
        m->tmpfs_options = str_dup_or_null(s->tmpfs.v[i].v);
        m->mode = xstrdup("");
    }
    return 0;
}

/* A relative path counts from the root, as VOLUME of a Dockerfile has it. */
static int add_volumes(struct container_spec *s, struct err *e)
{
    for (size_t i = 0; i < s->volumes.n; i++) {
        cleanup_free char *target = path_join("/", s->volumes.v[i]);
        struct mount_spec m = {.type = MOUNT_VOLUME, .anonymous = true, .implicit = true};

        if (find_target(s, target))
            continue;
        if (mount_check_target(target, "volume", e))
            return err_wrap(e, "invalid volume specification: '%.300s'", s->volumes.v[i]);
        m.source = xstrdup("");
        m.target = take_ptr(target);
        m.mode = xstrdup("");
        if (!str_empty(s->volume_driver))
            m.driver = xstrdup(s->volume_driver);
        if (add(s, &m, s->volumes.v[i], e))
            return -1;
    }
    return 0;
}

int mounts_collect(const struct json *mounts, struct container_spec *s, struct err *e)
{
    size_t n_binds;

    if (add_binds(s, e))
        return -1;
    n_binds = s->n_mounts;
    return add_api_mounts(s, mounts, e) || add_tmpfs(s, n_binds, e) || add_volumes(s, e) ? -1 : 0;
}
