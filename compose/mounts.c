/*
 * mounts: `volumes` and `tmpfs` of a service.
 *
 * Short: [SOURCE:]TARGET[:MODE].  A source that looks like a path (. / ~ or a drive) is a bind
 * mount, made when it is missing; any other is a named volume; none is an anonymous one.
 */
#include <ctype.h>

#include "base/fs.h"
#include "base/mem.h"
#include "compose/compose_internal.h"
#include "core/container.h"

struct mount_spec *add_mount(struct service_in *in, struct yaml_node *at)
{
    struct container_spec *s = in->spec;

    s->mounts = xrealloc(s->mounts, (s->n_mounts + 1) * sizeof *s->mounts);
    in->x->mount_at = xrealloc(in->x->mount_at, (s->n_mounts + 1) * sizeof *in->x->mount_at);
    in->x->mount_at[s->n_mounts] = at;
    s->mounts[s->n_mounts] = (struct mount_spec){0};
    return &s->mounts[s->n_mounts++];
}

static void drop_mount(struct service_in *in, size_t i)
{
    struct container_spec *s = in->spec;

    mount_spec_release(&s->mounts[i]);
    memmove(&s->mounts[i], &s->mounts[i + 1], (s->n_mounts - i - 1) * sizeof *s->mounts);
    memmove(&in->x->mount_at[i], &in->x->mount_at[i + 1],
            (s->n_mounts - i - 1) * sizeof *in->x->mount_at);
    s->n_mounts--;
}

static bool is_drive(const char *s)
{
    return isalpha((unsigned char)s[0]) && s[1] == ':' && (s[2] == '\\' || s[2] == '/');
}

static bool is_path(const char *s)
{
    return *s == '.' || *s == '/' || *s == '~' || is_drive(s) || str_starts(s, "\\\\");
}

/* The last mount of the service has just been read: its target must be a path, and its own.  An
 * override file replaces what the former said for the same target. */
static int settle_target(const struct field *f, struct service_in *in, struct err *e)
{
    struct container_spec *s = in->spec;
    struct mount_spec *m = &s->mounts[s->n_mounts - 1];

    if (str_empty(m->target))
        return field_error(f, e, "the path in the container (target) is missing");
    if (*m->target != '/' && !is_drive(m->target))
        return field_error(f, e, "the target \"%.200s\" is not an absolute path", m->target);
    if (*m->target == '/') {
        char *clean = path_clean(m->target);

        free(m->target);
        m->target = clean;
    }
    if (str_eq(m->target, "/"))
        return field_error(f, e, "the target may not be /");
    for (size_t i = 0; i + 1 < s->n_mounts; i++) {
        if (!str_eq(s->mounts[i].target, m->target))
            continue;
        if (in->x->mount_at[i]->file == f->node->file)
            return field_error(f, e, "the target %s is used twice, first on line %u", m->target,
                               in->x->mount_at[i]->line);
        drop_mount(in, i);
        return 0;
    }
    return 0;
}

static int set_source(const struct field *f, struct mount_spec *m, const char *source,
                      struct err *e)
{
    if (is_path(source)) {
        m->type = MOUNT_BIND;
        return project_path(f, source, &m->source, e);
    }
    m->type = MOUNT_VOLUME;
    m->source = xstrdup(source);
    return 0;
}

static int set_mode(const struct field *f, struct mount_spec *m, const char *mode, struct err *e)
{
    static const char *const propagation[] = {"shared",  "slave",  "private",
                                              "rshared", "rslave", "rprivate"};
    static const char *const consistency[] = {"consistent", "cached", "delegated"};

    if (str_eq(mode, "rw"))
        return 0;
    if (str_eq(mode, "ro")) {
        m->read_only = true;
        return 0;
    }
    if (str_eq(mode, "nocopy") || str_eq(mode, "volume-nocopy")) {
        m->no_copy = true;
        return 0;
    }
    if (str_eq(mode, "z") || str_eq(mode, "Z")) {
        field_notice(f, NOTICE_DEGRADED, "the files are not relabelled for SELinux");
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(propagation); i++) {
        if (str_eq(mode, propagation[i])) {
            str_set(&m->propagation, mode);
            return 0;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(consistency); i++)
        if (str_eq(mode, consistency[i]))
            return 0;
    return field_error(f, e, "unknown mode \"%.60s\" of a volume", mode);
}

/*
 * Like strchr(':'), but a drive's colon does not count.  "c:/x:/y" begins with a drive, "v:/y" and
 * "v:/y:ro" with a volume of one letter.
 */
static char *next_colon(char *s)
{
    char *further = is_drive(s) ? strchr(s + 2, ':') : NULL;

    if (is_drive(s) && (s[2] == '\\' || (further && (further[1] == '/' || is_drive(further + 1)))))
        return further;
    return strchr(s, ':');
}

static int short_form(const struct field *f, struct service_in *in, struct err *e)
{
    cleanup_free char *text = NULL;
    struct mount_spec *m = add_mount(in, f->node);

    if (read_str(f, &text, e))
        return -1;
    char *target = next_colon(text);

    if (!target) {
        m->type = MOUNT_VOLUME;
        m->source = xstrdup("");
        m->anonymous = true;
        m->target = xstrdup(text);
        return settle_target(f, in, e);
    }
    *target++ = '\0';
    char *modes = next_colon(target);

    if (modes)
        *modes++ = '\0';
    if (!*text)
        return field_error(f, e, "the source in \"%.200s\" is empty", f->node->text);
    if (set_source(f, m, text, e))
        return -1;
    m->target = xstrdup(target);
    m->create_host_path = m->type == MOUNT_BIND;
    cleanup_strv struct strv words = {0};

    if (modes)
        strv_split(&words, modes, ',');
    for (size_t i = 0; i < words.n; i++)
        if (set_mode(f, m, words.v[i], e))
            return -1;
    return settle_target(f, in, e);
}

/* --------------------------------------------------------------- long form */

struct mount_in {
    char *type, *source, *propagation, *recursive, *selinux, *mode;
    int64_t size;
    bool create_host_path;
};

static int read_bind_part(const struct field *f, void *obj, struct err *e)
{
    static const struct key_def keys[] = {
        {"propagation",      KEY_STR,  offsetof(struct mount_in, propagation),      NULL, 0, NULL},
        {"create_host_path", KEY_BOOL, offsetof(struct mount_in, create_host_path), NULL, 0, NULL},
        {"recursive",        KEY_STR,  offsetof(struct mount_in, recursive),        NULL, 0, NULL},
        KEY_NOTE("selinux", NOTICE_DEGRADED, "the files are not relabelled for SELinux"),
    };

    return read_map(f, keys, ARRAY_LEN(keys), NULL, obj, e);
}

static int read_tmpfs_part(const struct field *f, void *obj, struct err *e)
{
    static const struct key_def keys[] = {
        {"size", KEY_SIZE, offsetof(struct mount_in, size), NULL, 0, NULL},
        {"mode", KEY_STR,  offsetof(struct mount_in, mode), NULL, 0, NULL},
    };

    return read_map(f, keys, ARRAY_LEN(keys), NULL, obj, e);
}

struct long_form {
    struct mount_spec *m;
    struct mount_in in;
};

static int on_bind(const struct field *f, void *obj, struct err *e)
{
    return read_bind_part(f, &((struct long_form *)obj)->in, e);
}

static int on_tmpfs(const struct field *f, void *obj, struct err *e)
{
    return read_tmpfs_part(f, &((struct long_form *)obj)->in, e);
}

static int on_volume(const struct field *f, void *obj, struct err *e)
{
    static const struct key_def keys[] = {
        {"nocopy",  KEY_BOOL,  offsetof(struct mount_spec, no_copy), NULL, 0, NULL},
        {"subpath", KEY_STR,   offsetof(struct mount_spec, subpath), NULL, 0, NULL},
        {"labels",  KEY_PAIRS, offsetof(struct mount_spec, labels),  NULL, 0, NULL},
    };

    return read_map(f, keys, ARRAY_LEN(keys), NULL, ((struct long_form *)obj)->m, e);
}

static int on_image(const struct field *f, void *obj, struct err *e)
{
    static const struct key_def keys[] = {
        {"subpath", KEY_STR, offsetof(struct mount_spec, subpath), NULL, 0, NULL},
    };

    return read_map(f, keys, ARRAY_LEN(keys), NULL, ((struct long_form *)obj)->m, e);
}

static int on_type(const struct field *f, void *obj, struct err *e)
{
    return read_str(f, &((struct long_form *)obj)->in.type, e);
}

static int on_source(const struct field *f, void *obj, struct err *e)
{
    return read_str(f, &((struct long_form *)obj)->in.source, e);
}

static int apply_recursive(const struct field *f, struct mount_spec *m, const char *word,
                           struct err *e)
{
    m->non_recursive = str_eq(word, "disabled");
    m->no_ro_recursive = str_eq(word, "writable");
    m->force_ro_recursive = str_eq(word, "readonly");
    if (m->non_recursive || m->no_ro_recursive || m->force_ro_recursive || str_eq(word, "enabled"))
        return 0;
    return field_error(
        f, e, "bind.recursive \"%.60s\" is none of enabled, disabled, writable, readonly", word);
}

static int apply_bind(const struct field *f, struct long_form *l, struct err *e)
{
    const char *recursive = l->in.recursive;

    if (str_empty(l->in.source))
        return field_error(f, e, "the source of a bind mount is missing");
    l->m->type = MOUNT_BIND;
    l->m->create_host_path = l->in.create_host_path;
    l->m->propagation = str_dup_or_null(l->in.propagation);
    if (recursive && apply_recursive(f, l->m, recursive, e))
        return -1;
    return project_path(f, l->in.source, &l->m->source, e);
}

static int apply_volume(struct long_form *l)
{
    l->m->type = MOUNT_VOLUME;
    l->m->source = xstrdup(l->in.source ? l->in.source : "");
    l->m->anonymous = str_empty(l->in.source);
    return 0;
}

static int apply_image(const struct field *f, struct long_form *l, struct err *e)
{
    if (str_empty(l->in.source))
        return field_error(f, e, "the source of a mount of an image, its name, is missing");
    l->m->type = MOUNT_IMAGE;
    l->m->source = xstrdup(l->in.source);
    l->m->read_only = true;
    return 0;
}

static int apply_tmpfs(const struct field *f, struct long_form *l, struct err *e)
{
    cleanup_strv struct strv options = {0};

    if (!str_empty(l->in.source))
        return field_error(f, e, "a tmpfs has no source");
    l->m->type = MOUNT_TMPFS;
    if (l->in.size)
        strv_addf(&options, "size=%lld", (long long)l->in.size);
    if (l->in.mode)
        strv_addf(&options, "mode=%s", l->in.mode);
    if (options.n)
        l->m->tmpfs_options = str_join((const char *const *)options.v, options.n, ",");
    return 0;
}

static int apply_type(const struct field *f, struct long_form *l, struct err *e)
{
    const char *type = l->in.type;

    if (!type)
        return field_error(f, e, "type is missing");
    if (str_eq(type, "bind"))
        return apply_bind(f, l, e);
    if (str_eq(type, "volume"))
        return apply_volume(l);
    if (str_eq(type, "tmpfs"))
        return apply_tmpfs(f, l, e);
    if (str_eq(type, "image"))
        return apply_image(f, l, e);
    return field_error(f, e,
                       "mounts of type \"%.60s\" cannot be made here; there are bind, volume, "
                       "tmpfs and image",
                       type);
}

static int read_long(const struct field *f, struct service_in *in, struct err *e)
{
    static const struct key_def keys[] = {
        {"type",   KEY_FN,  0,                          on_type,         0,                         NULL                                                                                   },
        {"source", KEY_FN,  0,                          on_source,       0,                         NULL                                                                                   },
        {"target", KEY_STR, offsetof(struct mount_spec, target),         NULL,                      0,                                                                                       NULL},
        {"read_only",        KEY_BOOL,     offsetof(struct mount_spec,                read_only), NULL, 0,                                                                                    NULL},
        {"consistency",    KEY_STR,           offsetof(struct mount_spec,                         consistency),                              NULL,                   0,NULL},
        {"bind",       KEY_FN,          0,                                    on_bind,                                              0,                                         NULL                                                                                                                                   },
        {"volume",       KEY_FN,          0,                                    on_volume,0,NULL},
        {"tmpfs",       KEY_FN,          0,                                    on_tmpfs,                                               0,                                                                                         NULL                                                                                                                                                                                                                                                        },
        {"image",       KEY_FN,          0,                                    on_image,0,NULL},
    };
    struct long_form l = {.m = add_mount(in, f->node)};
    int rc = read_map(f, keys, ARRAY_LEN(keys), &l, l.m, e);

    if (!rc)
        rc = apply_type(f, &l, e);
    free(l.in.type);
    free(l.in.source);
    free(l.in.propagation);
    free(l.in.recursive);
    free(l.in.selinux);
    free(l.in.mode);
    return rc ? -1 : settle_target(f, in, e);
}

static int read_volume(const struct field *f, void *obj, struct err *e)
{
    return f->node->kind == YAML_MAP ? read_long(f, obj, e) : short_form(f, obj, e);
}

int read_volumes(const struct field *f, void *obj, struct err *e)
{
    if (f->node->kind != YAML_SEQ)
        return field_error(f, e, "must be a list");
    return read_each(f, read_volume, obj, e);
}

/* "/run" or "/run:size=64m,mode=1777" */
static int read_one_tmpfs(const struct field *f, void *obj, struct err *e)
{
    struct service_in *in = obj;
    cleanup_free char *text = NULL;

    if (read_str(f, &text, e))
        return -1;
    char *options = strchr(text, ':');
    struct mount_spec *m = add_mount(in, f->node);

    if (options)
        *options++ = '\0';
    m->type = MOUNT_TMPFS;
    m->source = xstrdup("");
    m->target = xstrdup(text);
    m->tmpfs_options = str_empty(options) ? NULL : xstrdup(options);
    return settle_target(f, in, e);
}

int read_tmpfs(const struct field *f, void *obj, struct err *e)
{
    return read_each(f, read_one_tmpfs, obj, e);
}
