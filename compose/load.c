/*
 * load: the phases, in order.
 *
 *   find the files; read .env; parse every file; find the project's name; interpolate each file;
 *   lay the later ones over the first; read by the tables; normalise and check; hash.
 */
#include <ctype.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "compose/compose_internal.h"

static const char *const file_names[] = {"compose.yaml", "compose.yml", "docker-compose.yaml",
                                         "docker-compose.yml"};
static const char *const override_names[] = {"compose.override.yaml", "compose.override.yml",
                                             "docker-compose.override.yaml",
                                             "docker-compose.override.yml"};

static char *first_there(const char *dir, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        cleanup_free char *path = path_join(dir, names[i]);

        if (fs_exists(path) && !fs_is_dir(path))
            return take_ptr(path);
    }
    return NULL;
}

char *compose_find_file(const char *dir)
{
    return first_there(dir, file_names, ARRAY_LEN(file_names));
}

static int find_files(struct load *ld, struct err *e)
{
    if (ld->opts->files && ld->opts->files->n) {
        strv_copy(&ld->app->files, ld->opts->files);
        return 0;
    }
    char *file = compose_find_file(ld->project_dir);

    if (!file)
        return err_set(e, ERR_NOT_FOUND, "%s: no compose.yaml in this directory", ld->project_dir);
    strv_take(&ld->app->files, file);
    char *more = first_there(ld->project_dir, override_names, ARRAY_LEN(override_names));

    if (more)
        strv_take(&ld->app->files, more);
    return 0;
}

/* ------------------------------------------------------------------- .env */

static int read_dotenv(struct load *ld, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(1024 * 1024);
    cleanup_free char *path = path_join(ld->project_dir, ".env");
    cleanup_kvs struct kvs found = {0};

    if (!fs_exists(path) || fs_is_dir(path))
        return 0;
    if (project_read(ld, path, &text, NULL, e))
        return -1;
    if (dotenv_parse(text.data, text.len, path, false, &ld->vars, &found, e))
        return -1;
    for (size_t i = 0; i < found.n; i++)
        if (!kvs_get(&ld->vars, found.v[i].k))
            kvs_set(&ld->vars, found.v[i].k, found.v[i].v);
    return 0;
}

static void find_profiles(struct load *ld)
{
    const char *text = kvs_get(&ld->vars, "COMPOSE_PROFILES");

    if (ld->opts->profiles)
        strv_copy(&ld->profiles, ld->opts->profiles);
    if (!ld->profiles.n && !str_empty(text))
        strv_split(&ld->profiles, text, ',');
    for (size_t i = 0; i < ld->profiles.n; i++) {
        char *trimmed = xstrdup(str_trim(ld->profiles.v[i]));

        free(ld->profiles.v[i]);
        ld->profiles.v[i] = trimmed;
    }
}

/* -------------------------------------------------------------------- name */

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool project_name_valid(const char *s)
{
    if (!name_char(*s) || strlen(s) > 100)
        return false;
    while (*s && (name_char(*s) || *s == '_' || *s == '-'))
        s++;
    return !*s;
}

static const char name_rule[] =
    "a project's name is of a-z, 0-9, _ and -, and begins with a letter "
    "or digit";

/* The directory's name without what a project's name may not have. */
static char *name_from_dir(const char *dir)
{
    cleanup_free char *low = str_lower(path_base(dir));
    char *out = low;

    for (const char *s = low; *s; s++)
        if (name_char(*s) || ((*s == '_' || *s == '-') && out > low))
            *out++ = *s;
    *out = '\0';
    return take_ptr(low);
}

static int name_from_file(struct load *ld, const struct yaml_node *n, char **out, struct err *e)
{
    cleanup_buf struct buf b = BUF_INIT(1024);

    if (n->kind != YAML_SCALAR)
        return yaml_error(n, e, "name: must be a text");
    if (interpolate_text(n->text, &ld->vars, NULL, &b, e) || buf_check(&b, "name", e)) {
        cleanup_free char *why = xstrdup(e->msg);

        return yaml_error(n, e, "name: %s", why);
    }
    if (!project_name_valid(b.data))
        return yaml_error(n, e, "name: \"%.100s\" is not allowed: %s", b.data, name_rule);
    *out = buf_take(&b);
    return 0;
}

static int find_name(struct load *ld, struct err *e)
{
    const char *given = ld->opts->name;
    char *name = NULL;

    if (!given)
        given = kvs_get(&ld->vars, "COMPOSE_PROJECT_NAME");
    if (!str_empty(given)) {
        if (!project_name_valid(given))
            return err_set(e, ERR_INVALID, "project name \"%.100s\" is not allowed: %s", given,
                           name_rule);
        name = xstrdup(given);
    }
    for (size_t i = ld->n_docs; i-- > 0 && !name;) {
        const struct yaml_node *n = yaml_get(ld->docs[i].root, "name");

        if (n && n->kind != YAML_NULL && name_from_file(ld, n, &name, e))
            return -1;
    }
    if (!name && ld->opts->default_name)
        name = name_from_dir(ld->opts->default_name);
    if (!name)
        name = name_from_dir(ld->project_dir ? ld->project_dir : "");
    if (!project_name_valid(name)) {
        free(name);
        return err_set(e, ERR_INVALID,
                       "the directory's name makes no project name; give one with "
                       "`name:` at the top of the file");
    }
    free(ld->app->name);
    ld->app->name = name;
    kvs_set(&ld->vars, "COMPOSE_PROJECT_NAME", name);
    return 0;
}

/* ------------------------------------------------------------------ phases */

static int parse_file(struct load *ld, const char *path, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(YAML_MAX_BYTES + 1);

    if (ld->n_docs == COMPOSE_MAX_FILES)
        return err_set(e, ERR_INVALID, "%s: more than %d files", path, COMPOSE_MAX_FILES);
    if (fs_read(path, &text, e) || buf_check(&text, path, e) ||
        yaml_parse(text.data, text.len, path, &ld->docs[ld->n_docs], e))
        return -1;
    ld->n_docs++;
    return 0;
}

static int merge_all(struct load *ld, struct err *e)
{
    for (size_t i = 0; i < ld->n_docs; i++) {
        struct yaml_node *root = ld->docs[i].root;

        if (root->kind == YAML_NULL)
            return yaml_error(root, e, "the file is empty");
        if (root->kind != YAML_MAP)
            return yaml_error(root, e, "must be a mapping with `services:`");
        if (interpolate_tree(root, &ld->vars, e))
            return -1;
        if (i && merge_documents(ld->docs[0].root, root, e))
            return -1;
    }
    ld->root = ld->docs[0].root;
    resolve_resets(ld->root);
    return 0;
}

static int refuse(const struct field *f, void *obj, struct err *e)
{
    (void)obj;
    return field_key_error(f, e, "is not supported yet");
}

static int read_top_ballast(const struct field *f, void *obj, struct err *e)
{
    static const char later[] = "is not applied yet";
    static const struct key_def keys[] = {
        {"prune", KEY_BOOL, offsetof(struct app, prune), NULL, 0, NULL},
        KEY_NOTE("depends_on", NOTICE_DEGRADED, later),
        KEY_NOTE("approve", NOTICE_DEGRADED, later),
    };
    struct load *ld = obj;

    return read_map(f, keys, ARRAY_LEN(keys), obj, ld->app, e);
}

static int read_root(struct load *ld, struct err *e)
{
    static const struct key_def keys[] = {
        {"services",  KEY_FN,   0, read_services,     0, NULL},
        {"networks",  KEY_FN,   0, read_top_networks, 0, NULL},
        {"volumes",   KEY_FN,   0, read_top_volumes,  0, NULL},
        {"configs",   KEY_FN,   0, check_top_files,   0, NULL},
        {"secrets",   KEY_FN,   0, check_top_files,   0, NULL},
        {"x-ballast", KEY_FN,   0, read_top_ballast,  0, NULL},
        {"include",   KEY_FN,   0, refuse,            0, NULL},
        {"name",      KEY_NONE, 0, NULL,              0, NULL},
        KEY_NOTE("version", NOTICE_IGNORED, "is obsolete and has no meaning"),
        KEY_NOTE("models", NOTICE_REFUSED, "models are not run here"),
    };
    struct field f = {.ld = ld, .node = ld->root};

    if (read_map(&f, keys, ARRAY_LEN(keys), ld, ld, e))
        return -1;
    if (!ld->app->n_services)
        return yaml_error(ld->root, e, "no service is defined");
    return 0;
}

static void load_release(struct load *ld)
{
    extras_release(ld);
    for (size_t i = 0; i < ld->n_docs; i++)
        yaml_release(&ld->docs[i]);
    kvs_release(&ld->vars);
    strv_release(&ld->profiles);
    free(ld->project_dir);
    app_free(ld->app);
}

static int build(struct load *ld, struct app **out, struct err *e)
{
    if (find_name(ld, e) || merge_all(ld, e) || read_root(ld, e) || normalize(ld, e))
        return -1;
    app_hash(ld->app);
    *out = take_ptr(ld->app);
    return 0;
}

static void start(struct load *ld)
{
    ld->app = app_new();
    ld->app->prune = true;
    if (ld->opts->env)
        kvs_copy(&ld->vars, ld->opts->env);
    str_set(&ld->app->source, ld->opts->source ? ld->opts->source : "");
}

int compose_load(const struct compose_opts *o, struct app **out, struct err *e)
{
    struct load ld = {.opts = o};
    int rc;

    start(&ld);
    ld.project_dir = path_clean(o->project_dir);
    str_set(&ld.app->project_dir, ld.project_dir);
    rc = find_files(&ld, e) || read_dotenv(&ld, e) ? -1 : 0;
    find_profiles(&ld);
    for (size_t i = 0; i < ld.app->files.n && !rc; i++)
        rc = parse_file(&ld, ld.app->files.v[i], e);
    if (!rc)
        rc = build(&ld, out, e);
    load_release(&ld);
    return rc;
}

int compose_load_text(const char *text, size_t len, const char *file_name, const char *project,
                      const struct kvs *env, struct app **out, struct err *e)
{
    struct compose_opts o = {.name = project, .env = env, .source = "text"};
    struct load ld = {.opts = &o};
    int rc;

    start(&ld);
    find_profiles(&ld);
    str_set(&ld.app->project_dir, "");
    rc = yaml_parse(text, len, file_name, &ld.docs[0], e);
    ld.n_docs = rc ? 0 : 1;
    if (!rc)
        rc = build(&ld, out, e);
    load_release(&ld);
    return rc;
}
