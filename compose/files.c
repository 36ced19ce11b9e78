/*
 * files: the files that a project names, and the fence around them.
 *
 * A Compose file may come from a repository that others write to, so what it names for reading
 * (env_file, label_file, configs, secrets) has to lie below the project's directory once every
 * symlink is followed.  The sources of bind mounts are not read here and are not fenced.
 */
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "compose/compose_internal.h"

#define FILE_MAX (1024 * 1024)

static bool is_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return str_starts(path, dir) && (path[n] == '/' || str_eq(dir, "/"));
}

/* The true path of a file of the project. */
static int real_below(const struct load *ld, const char *path, char **real, struct err *e)
{
    cleanup_free char *root = NULL;
    cleanup_free char *found = NULL;

    if (!ld->project_dir)
        return err_set(e, ERR_INVALID, "no file can be read here");
    if (fs_real_path(ld->project_dir, &root, e) || fs_real_path(path, &found, e))
        return -1;
    if (!is_below(found, root))
        return err_set(e, ERR_INVALID, "%s lies outside of the project's directory %s", path,
                       ld->project_dir);
    *real = take_ptr(found);
    return 0;
}

int project_read(struct load *ld, const char *path, struct buf *out, char **real, struct err *e)
{
    cleanup_free char *found = NULL;

    if (real_below(ld, path, &found, e))
        return -1;
    if (fs_is_dir(found))
        return err_set(e, ERR_INVALID, "%s is a directory", path);
    if (fs_read(found, out, e))
        return -1;
    if (real)
        *real = take_ptr(found);
    return buf_check(out, path, e);
}

static bool is_absolute(const char *p)
{
    return *p == '/' || (*p && p[1] == ':' && (p[2] == '\\' || p[2] == '/')) ||
           str_starts(p, "\\\\");
}

int project_path(const struct field *f, const char *path, char **out, struct err *e)
{
    const char *dir = f->ld->project_dir;

    if (*path == '~') {
        const char *home = kvs_get(&f->ld->vars, "HOME");

        if (!home || (path[1] && path[1] != '/'))
            return field_error(f, e, "\"%.200s\": ~ is nobody's here; write the whole path", path);
        *out = path_join(home, path + 1);
        return 0;
    }
    if (!*path)
        return field_error(f, e, "a path may not be empty");
    if (is_absolute(path)) {
        *out = *path == '/' ? path_clean(path) : xstrdup(path);
        return 0;
    }
    if (!dir)
        return field_error(f, e, "\"%.200s\" is relative, but there is no project directory", path);
    *out = path_join(dir, path);
    return 0;
}

/* ------------------------------------------------------ env_file, label_file */

struct env_file {
    char *path, *format;
    bool required;
    struct kvs *into;
};

static int at_field(const struct field *f, struct err *e)
{
    cleanup_free char *why = xstrdup(e->msg);

    return field_error(f, e, "%s", why);
}

static int read_pairs_file(const struct field *f, const struct env_file *x, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(FILE_MAX);
    cleanup_free char *path = NULL;
    cleanup_free char *real = NULL;

    if (project_path(f, x->path, &path, e))
        return -1;
    if (project_read(f->ld, path, &text, &real, e)) {
        if (e->kind == ERR_NOT_FOUND && !x->required)
            return 0;
        return at_field(f, e);
    }
    return dotenv_parse(text.data, text.len, path, str_eq(x->format, "raw"), &f->ld->vars, x->into,
                        e);
}

static int read_one_file(const struct field *f, void *obj, struct err *e)
{
    static const struct key_def keys[] = {
        {"path",     KEY_STR,  offsetof(struct env_file, path),     NULL, 0, NULL},
        {"required", KEY_BOOL, offsetof(struct env_file, required), NULL, 0, NULL},
        {"format",   KEY_STR,  offsetof(struct env_file, format),   NULL, 0, NULL},
    };
    struct env_file x = {.required = true, .into = obj};
    int rc;

    if (f->node->kind == YAML_MAP)
        rc = read_map(f, keys, ARRAY_LEN(keys), NULL, &x, e);
    else
        rc = read_str(f, &x.path, e);
    if (!rc && !x.path)
        rc = field_error(f, e, "path is missing");
    if (!rc && x.format && !str_eq(x.format, "raw"))
        rc = field_error(f, e, "unknown format \"%.60s\"; there is only raw", x.format);
    if (!rc)
        rc = read_pairs_file(f, &x, e);
    free(x.path);
    free(x.format);
    return rc;
}

static int read_files(const struct field *f, struct kvs *into, struct err *e)
{
    if (f->node->kind == YAML_MAP)
        return read_one_file(f, into, e);
    return read_each(f, read_one_file, into, e);
}

int read_env_file(const struct field *f, void *obj, struct err *e)
{
    return read_files(f, &((struct service_in *)obj)->env_files, e);
}

int read_label_file(const struct field *f, void *obj, struct err *e)
{
    return read_files(f, &((struct service_in *)obj)->label_files, e);
}

/* --------------------------------------------------------- configs, secrets */

struct file_ref {
    char *source, *target, *uid, *gid, *mode;
};

struct top_file {
    char *file, *environment, *content, *name, *template_driver, *driver;
    bool external;
};

static const struct key_def top_file_keys[] = {
    {"file",                    KEY_STR,          offsetof(struct top_file,           file),                                                       NULL,                                                                                           0,                                                                                                                                                                                                       NULL},
    {"environment",                         KEY_STR,                             offsetof(struct top_file,                                environment),                                       NULL,                                                                                          0,                                                                                                                                                                                                                                                       NULL},
    {"content",                     KEY_STR,                                     offsetof(struct top_file,                                                               content),                                                                                               NULL,                                                                                                                                 0,            NULL},
    {"name",                        KEY_STR,                                    offsetof(struct top_file,                                                                      name),                                                                                                                            NULL,                                                            0,                                                                                                                                                                                             NULL},
    {"external",                     KEY_BOOL,                                    offsetof(struct top_file,                                                                  external),  NULL,                            0,           NULL},
    {"template_driver",                KEY_STR,                            offsetof(struct top_file,template_driver),                                                  NULL,                                                                                                                     0,                                                                                                                                                                                                                                                                                                  NULL},
    {"driver", KEY_STR,offsetof(struct top_file,         driver),                  NULL,0,NULL},
    {"driver_opts",                  KEY_NONE,                                     0,                                                        NULL,                                                                                              0,                                                                                                                                                                                                    NULL                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                         },
    {"labels",             KEY_NONE,    0, NULL, 0, NULL},
};

static void top_file_release(struct top_file *t)
{
    free(t->file);
    free(t->environment);
    free(t->content);
    free(t->name);
    free(t->template_driver);
    free(t->driver);
}

/* Top level: the keys are checked; a service that uses one reads it again. */
int check_top_files(const struct field *f, void *obj, struct err *e)
{
    (void)obj;
    if (f->node->kind != YAML_MAP)
        return field_error(f, e, "must be a mapping");
    for (size_t i = 0; i < f->node->n; i++) {
        struct field one = field_of(f, &f->node->pairs[i]);
        struct top_file t = {0};
        int rc = read_map(&one, top_file_keys, ARRAY_LEN(top_file_keys), NULL, &t, e);

        top_file_release(&t);
        if (rc)
            return -1;
    }
    return 0;
}

/* A file is mounted where the service wants it; other origins need a place that we do not have. */
static int mount_file(const struct field *f, struct service_in *in, const struct top_file *t,
                      const char *target, struct err *e)
{
    cleanup_free char *path = NULL;
    cleanup_free char *real = NULL;

    if (!t->file) {
        field_notice(f, NOTICE_REFUSED,
                     "only configs and secrets with `file:` are given to the "
                     "container; this one is not");
        return 0;
    }
    if (project_path(f, t->file, &path, e))
        return -1;
    if (real_below(f->ld, path, &real, e))
        return at_field(f, e);
    struct mount_spec *m = add_mount(in, f->node);

    m->type = MOUNT_BIND;
    m->source = take_ptr(path);
    m->target = path_clean(target);
    m->read_only = true;
    return 0;
}

static int use_file(const struct field *f, struct service_in *in, const struct file_ref *r,
                    const char *section, const char *dir, struct err *e)
{
    struct field root = {.ld = f->ld, .node = f->ld->root};
    struct yaml_node *all = yaml_get(f->ld->root, section);
    struct yaml_node *def = all ? yaml_get(all, r->source) : NULL;
    const char *target = str_empty(r->target) ? r->source : r->target;
    cleanup_free char *where = *target == '/' ? xstrdup(target) : str_printf("%s/%s", dir, target);

    if (!def || def->kind != YAML_MAP)
        return field_error(f, e, "%s is not among the top-level %s", r->source, section);
    struct field up = {.ld = f->ld, .up = &root, .key = section, .node = all};
    struct field one = {.ld = f->ld, .up = &up, .key = r->source, .node = def};
    struct top_file t = {0};
    int rc = read_map(&one, top_file_keys, ARRAY_LEN(top_file_keys), NULL, &t, e);

    if (!rc && (r->uid || r->gid || r->mode))
        field_notice(f, NOTICE_IGNORED, "uid, gid and mode are those of the file on the host");
    if (!rc)
        rc = mount_file(f, in, &t, where, e);
    top_file_release(&t);
    return rc;
}

static int read_file_ref(const struct field *f, struct service_in *in, const char *section,
                         const char *dir, struct err *e)
{
    static const struct key_def keys[] = {
        {"source", KEY_STR, offsetof(struct file_ref, source), NULL, 0, NULL},
        {"target", KEY_STR, offsetof(struct file_ref, target), NULL, 0, NULL},
        {"uid",    KEY_STR, offsetof(struct file_ref, uid),    NULL, 0, NULL},
        {"gid",    KEY_STR, offsetof(struct file_ref, gid),    NULL, 0, NULL},
        {"mode",   KEY_STR, offsetof(struct file_ref, mode),   NULL, 0, NULL},
    };
    struct file_ref r = {0};
    int rc;

    if (f->node->kind == YAML_MAP)
        rc = read_map(f, keys, ARRAY_LEN(keys), NULL, &r, e);
    else
        rc = read_str(f, &r.source, e);
    if (!rc && !r.source)
        rc = field_error(f, e, "source is missing");
    if (!rc && r.source)
        rc = use_file(f, in, &r, section, dir, e);
    free(r.source);
    free(r.target);
    free(r.uid);
    free(r.gid);
    free(r.mode);
    return rc;
}

static int read_config_ref(const struct field *f, void *obj, struct err *e)
{
    return read_file_ref(f, obj, "configs", "", e);
}

static int read_secret_ref(const struct field *f, void *obj, struct err *e)
{
    return read_file_ref(f, obj, "secrets", "/run/secrets", e);
}

int read_service_configs(const struct field *f, void *obj, struct err *e)
{
    return read_each(f, read_config_ref, obj, e);
}

int read_service_secrets(const struct field *f, void *obj, struct err *e)
{
    return read_each(f, read_secret_ref, obj, e);
}
