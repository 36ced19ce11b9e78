/* config: flags and file through one table.  See config.h. */
#include "agent/config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/config_table.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "compose/yaml.h"

#define FILE_MAX     (1024 * 1024)
#define DEFAULT_FILE "/etc/ballast/agent.yaml"
#define DEFAULT_DATA "/var/lib/ballast"

void config_init(struct config *c, const char *program)
{
    *c = (struct config){
        .data_root = xstrdup(DEFAULT_DATA),
        .exec_root = xstrdup("/run/ballast"),
        .pidfile = xstrdup("/run/ballast/ballast.pid"),
        .config_file = NULL,
        .group = xstrdup("docker"),
        .log_driver = xstrdup("json-file"),
        .default_runtime = xstrdup(RUNTIME_DEFAULT),
        .log_level = xstrdup("info"),
        .log_format = xstrdup("text"),
        .plugin_sockets = xstrdup("/run/docker/plugins"),
        .ip_forward = true,
        .ip_masq = true,
        .icc = true,
        .live_restore = true,
        .mtu = 1500,
        .default_shm_size = 64 * 1024 * 1024,
        .default_stop_timeout = 10,
        .shutdown_timeout = 15,
        .max_concurrent_downloads = 3,
        .workers = 4,
    };
    if (strcmp(path_base(program), "dockerd") == 0) {
        str_set(&c->pidfile, "/var/run/docker.pid");
        str_set(&c->exec_root, "/var/run/ballast");
    }
}

static void source_release(struct source_config *s)
{
    free(s->name);
    free(s->directory);
}

void config_release(struct config *c)
{
    char *strings[] = {c->data_root,
                       c->exec_root,
                       c->pidfile,
                       c->config_file,
                       c->group,
                       c->bridge,
                       c->instance,
                       c->cgroup_parent,
                       c->log_driver,
                       c->log_level,
                       c->log_format,
                       c->shim,
                       c->storage_driver,
                       c->preload_images,
                       c->plugin_sockets,
                       c->default_ipc,
                       c->default_cgroupns,
                       c->seccomp_profile,
                       c->seccomp_text,
                       c->userns_remap};

    for (size_t i = 0; i < ARRAY_LEN(strings); i++)
        free(strings[i]);
    strv_release(&c->hosts);
    strv_release(&c->dns);
    strv_release(&c->plugin_specs);
    strv_release(&c->host_gateways);
    strv_release(&c->cdi_dirs);
    strv_release(&c->default_ulimits);
    strv_release(&c->insecure_registries);
    strv_release(&c->registry_mirrors);
    strv_release(&c->labels);
    strv_release(&c->notices);
    kvs_release(&c->log_opts);
    kvs_release(&c->host_labels);
    free(c->default_runtime);
    runtime_commands_release(&c->runtimes);
    for (size_t i = 0; i < c->n_pools; i++)
        free(c->pools[i].base);
    free(c->pools);
    for (size_t i = 0; i < c->n_sources; i++)
        source_release(&c->sources[i]);
    free(c->sources);
    *c = (struct config){0};
}

/* ------------------------------------------------------------ values */

static void *member(struct config *c, const struct setting *s)
{
    return (char *)c + s->offset;
}

static int parse_bool(const char *text, bool *out)
{
    static const struct {
        const char *text;
        bool value;
    } rows[] = {
        {"true",  true },
        {"1",     true },
        {"false", false},
        {"0",     false}
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq_nocase(text, rows[i].text)) {
            *out = rows[i].value;
            return 0;
        }
    return -1;
}

static char *absolute(const char *path)
{
    char cwd[4096];

    if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
        return path_clean(path);
    return path_join(cwd, path);
}

static void add_pool(struct config *c, const char *base, int64_t size)
{
    c->pools = xrealloc(c->pools, (c->n_pools + 1) * sizeof(*c->pools));
    c->pools[c->n_pools++] = (struct pool_config){.base = xstrdup(base), .size = size};
}

static struct source_config *add_source(struct config *c, const char *name, const char *directory)
{
    struct source_config *s;

    c->sources = xrealloc(c->sources, (c->n_sources + 1) * sizeof(*c->sources));
    s = &c->sources[c->n_sources++];
    *s = (struct source_config){.name = xstrdup(name), .directory = absolute(directory)};
    return s;
}

static int flag_pool(struct config *c, const char *text, struct err *e)
{
    cleanup_strv struct strv parts = {0};
    const char *base = NULL;
    int64_t size = 0;

    strv_split(&parts, text, ',');
    for (size_t i = 0; i < parts.n; i++) {
        if (str_starts(parts.v[i], "base="))
            base = parts.v[i] + 5;
        else if (!str_starts(parts.v[i], "size=") ||
                 parse_i64(parts.v[i] + 5, 8, 30, "size", &size, e))
            return err_set(e, ERR_INVALID, "--default-address-pool: \"%s\" is not base=CIDR,size=N",
                           text);
    }
    if (!base || !size)
        return err_set(e, ERR_INVALID, "--default-address-pool: \"%s\" is not base=CIDR,size=N",
                       text);
    add_pool(c, base, size);
    return 0;
}

/* One value as text, from a flag or from a scalar of the file. */
static int set_text(struct config *c, const struct setting *s, const char *text, struct err *e)
{
    const char *eq = strchr(text, '=');
    cleanup_free char *key = NULL;

    switch (s->type) {
    case SET_STR:
        str_set(member(c, s), text);
        return 0;
    case SET_PATH:
        free(*(char **)member(c, s));
        *(char **)member(c, s) = absolute(text);
        return 0;
    case SET_BOOL:
        return parse_bool(text, member(c, s))
                   ? err_set(e, ERR_INVALID, "\"%s\" is neither true nor false", text)
                   : 0;
    case SET_INT:
        return parse_i64(text, 0, INT32_MAX, "the number", member(c, s), e);
    case SET_SIZE:
        return parse_size(text, "the size", member(c, s), e);
    case SET_LIST:
        strv_add(member(c, s), text);
        return 0;
    case SET_PAIRS:
        if (!eq)
            return err_set(e, ERR_INVALID, "\"%s\" is not key=value", text);
        key = str_ndup(text, (size_t)(eq - text));
        kvs_set(member(c, s), key, eq + 1);
        return 0;
    case SET_POOLS:
        return flag_pool(c, text, e);
    case SET_ULIMITS:
        return config_add_ulimit(member(c, s), text, e);
    case SET_RUNTIMES:
        return config_flag_runtime(member(c, s), text, e);
    case SET_SOURCES: {
        cleanup_free char *path = absolute(text);

        add_source(c, path_base(path), path);
        return 0;
    }
    case SET_HOST:
    case SET_IGNORED:
        break;
    }
    return 0;
}

static void note_ignored(struct config *c, const struct setting *s, const char *where)
{
    strv_addf(&c->notices, "%s: %s is not applied: %s", where, s->key ? s->key : s->flag, s->help);
}

/* ------------------------------------------------------------ flags */

static const struct setting *find_flag(const char *name, size_t len, char letter)
{
    for (size_t i = 0; i < config_n_settings; i++) {
        const struct setting *s = &config_settings[i];

        if (letter ? s->letter == letter
                   : s->flag && strlen(s->flag) == len && strncmp(s->flag, name, len) == 0)
            return s;
    }
    return NULL;
}

static int take_flag(struct config *c, int argc, char *const *argv, int *i, struct strv *given,
                     struct err *e)
{
    const char *arg = argv[*i], *value = NULL, *eq = strchr(arg, '=');
    bool is_long = str_starts(arg, "--");
    const struct setting *s;

    if (arg[0] != '-' || !arg[1])
        return err_set(e, ERR_INVALID,
                       "ballastd takes no arguments, but was given \"%s\"; see --help", arg);
    if (is_long) {
        s = find_flag(arg + 2, eq ? (size_t)(eq - arg - 2) : strlen(arg + 2), 0);
        value = eq ? eq + 1 : NULL;
    } else {
        s = find_flag(NULL, 0, arg[1]);
        if (arg[2])
            value = arg[2] == '=' ? arg + 3 : arg + 2;
    }
    if (!s)
        return err_set(e, ERR_INVALID, "unknown flag: %s; see --help", arg);
    if (!value && s->type == SET_BOOL)
        value = "true";
    if (!value && s->type == SET_IGNORED && (*i + 1 >= argc || argv[*i + 1][0] == '-'))
        value = "true";
    if (!value && *i + 1 >= argc)
        return err_set(e, ERR_INVALID, "flag needs an argument: %s", arg);
    if (!value)
        value = argv[++*i];
    if (s->type == SET_IGNORED) {
        note_ignored(c, s, "flag");
        return 0;
    }
    if (s->key)
        strv_add(given, s->key);
    return set_text(c, s, value, e) ? err_wrap(e, "--%s", s->flag) : 0;
}

void config_usage(void)
{
    puts("Usage: ballastd [OPTIONS]\n\nKeeps this machine the way its files say, and serves the "
         "Docker Engine API.\n"
         "\nOptions:");
    for (size_t i = 0; i < config_n_settings; i++) {
        const struct setting *s = &config_settings[i];
        char letter[8] = "    ";

        if (!s->flag || s->type == SET_IGNORED)
            continue;
        if (s->letter)
            snprintf(letter, sizeof(letter), "-%c, ", s->letter);
        printf("  %s--%-26s %s\n", letter, s->flag, s->help);
    }
}

/* ------------------------------------------------------------ the file */

static int file_list(struct config *c, const struct setting *s, const struct yaml_node *n,
                     struct err *e)
{
    if (n->kind == YAML_SCALAR)
        return set_text(c, s, n->text, e);
    if (n->kind != YAML_SEQ)
        return yaml_error(n, e, "%s: must be a list", s->key);
    for (size_t i = 0; i < n->n; i++) {
        if (n->items[i]->kind != YAML_SCALAR)
            return yaml_error(n->items[i], e, "%s[%zu]: must be a string", s->key, i);
        if (set_text(c, s, n->items[i]->text, e))
            return -1;
    }
    return 0;
}

static int file_pairs(struct kvs *out, const char *key, const struct yaml_node *n, struct err *e)
{
    if (n->kind != YAML_MAP)
        return yaml_error(n, e, "%s: must be a map", key);
    for (size_t i = 0; i < n->n; i++) {
        if (n->pairs[i].value->kind != YAML_SCALAR)
            return yaml_error(n->pairs[i].value, e, "%s.%s: must be a string", key,
                              n->pairs[i].key);
        kvs_set(out, n->pairs[i].key, n->pairs[i].value->text);
    }
    return 0;
}

/* {"nofile": {"Name": "nofile", "Soft": 64, "Hard": 128}}, as in a daemon.json. */
static int file_ulimits(struct strv *out, const char *key, const struct yaml_node *n, struct err *e)
{
    if (n->kind != YAML_MAP)
        return yaml_error(n, e, "%s: must be a map", key);
    for (size_t i = 0; i < n->n; i++) {
        const struct yaml_node *v = n->pairs[i].value;
        const struct yaml_node *soft = v->kind == YAML_MAP ? yaml_get(v, "Soft") : NULL;
        const struct yaml_node *hard = v->kind == YAML_MAP ? yaml_get(v, "Hard") : NULL;
        cleanup_free char *text = NULL;
        struct err inner = ERR_INIT;

        if (!soft || !hard || soft->kind != YAML_SCALAR || hard->kind != YAML_SCALAR)
            return yaml_error(v, e, "%s.%s: must have Soft and Hard", key, n->pairs[i].key);
        text = str_printf("%s=%s:%s", n->pairs[i].key, soft->text, hard->text);
        if (config_add_ulimit(out, text, &inner))
            return yaml_error(v, e, "%s: %s", key, inner.msg);
    }
    return 0;
}

static int file_pools(struct config *c, const struct yaml_node *n, struct err *e)
{
    if (n->kind != YAML_SEQ)
        return yaml_error(n, e, "default-address-pools: must be a list");
    for (size_t i = 0; i < n->n; i++) {
        const struct yaml_node *base = yaml_get(n->items[i], "base"),
                               *size = yaml_get(n->items[i], "size");
        int64_t bits;

        if (!base || base->kind != YAML_SCALAR || !size || size->kind != YAML_SCALAR)
            return yaml_error(n->items[i], e, "default-address-pools[%zu]: needs base and size", i);
        if (parse_i64(size->text, 8, 30, "size", &bits, e))
            return yaml_error(size, e, "default-address-pools[%zu].size: must be 8 to 30", i);
        add_pool(c, base->text, bits);
    }
    return 0;
}

static int file_directory(struct config *c, const char *name, const struct yaml_node *dir,
                          struct err *e)
{
    struct source_config *s = NULL;
    bool allow_empty = false;

    if (dir->kind != YAML_MAP)
        return yaml_error(dir, e, "directory: must be a map with `path`");
    for (size_t i = 0; i < dir->n; i++) {
        const struct yaml_pair *p = &dir->pairs[i];
        bool scalar = p->value->kind == YAML_SCALAR;

        if (strcmp(p->key, "path") == 0 && scalar && path_is_abs(p->value->text))
            s = add_source(c, name, p->value->text);
        else if (strcmp(p->key, "path") == 0)
            return yaml_error(p->value, e, "directory.path: must be an absolute path");
        else if (strcmp(p->key, "allow_empty") == 0 && scalar) {
            if (parse_bool(p->value->text, &allow_empty))
                return yaml_error(p->value, e, "directory.allow_empty: must be true or false");
        } else
            return yaml_error(p->value, e, "directory.%s: unknown key", p->key);
    }
    if (!s)
        return yaml_error(dir, e, "directory: needs `path`");
    s->allow_empty = allow_empty;
    return 0;
}

static int file_sources(struct config *c, const struct yaml_node *n, struct err *e)
{
    if (n->kind != YAML_SEQ)
        return yaml_error(n, e, "sources: must be a list");
    for (size_t i = 0; i < n->n; i++) {
        const struct yaml_node *item = n->items[i], *name = yaml_get(item, "name"), *dir;

        if (item->kind != YAML_MAP || !name || name->kind != YAML_SCALAR)
            return yaml_error(item, e, "sources[%zu]: needs `name`", i);
        for (size_t k = 0; k < item->n; k++)
            if (strcmp(item->pairs[k].key, "name") != 0 &&
                strcmp(item->pairs[k].key, "directory") != 0)
                return yaml_error(item->pairs[k].value, e,
                                  "sources[%zu].%s: unknown key; this agent has `directory`", i,
                                  item->pairs[k].key);
        for (size_t k = 0; k < c->n_sources; k++)
            if (strcmp(c->sources[k].name, name->text) == 0)
                return yaml_error(name, e, "sources[%zu].name: \"%s\" is there twice", i,
                                  name->text);
        dir = yaml_get(item, "directory");
        if (!dir)
            return yaml_error(item, e, "sources[%zu]: needs `directory`", i);
        if (file_directory(c, name->text, dir, e))
            return -1;
    }
    return 0;
}

static int file_host(struct config *c, const struct yaml_node *n, struct err *e)
{
    if (n->kind != YAML_MAP)
        return yaml_error(n, e, "host: must be a map");
    for (size_t i = 0; i < n->n; i++) {
        if (strcmp(n->pairs[i].key, "labels") != 0)
            return yaml_error(n->pairs[i].value, e, "host.%s: unknown key", n->pairs[i].key);
        if (file_pairs(&c->host_labels, "host.labels", n->pairs[i].value, e))
            return -1;
    }
    return 0;
}

static int file_value(struct config *c, const struct setting *s, const struct yaml_node *n,
                      struct err *e)
{
    switch (s->type) {
    case SET_LIST:
        return file_list(c, s, n, e);
    case SET_PAIRS:
        return file_pairs(member(c, s), s->key, n, e);
    case SET_POOLS:
        return file_pools(c, n, e);
    case SET_ULIMITS:
        return file_ulimits(member(c, s), s->key, n, e);
    case SET_RUNTIMES:
        return config_file_runtimes(member(c, s), n, e);
    case SET_SOURCES:
        return file_sources(c, n, e);
    case SET_HOST:
        return file_host(c, n, e);
    case SET_IGNORED: {
        cleanup_free char *where = str_printf("%s:%u:%u", n->file, n->line, n->column);

        note_ignored(c, s, where);
        return 0;
    }
    case SET_STR:
    case SET_PATH:
    case SET_BOOL:
    case SET_INT:
    case SET_SIZE: {
        struct err inner = ERR_INIT;

        if (n->kind != YAML_SCALAR)
            return yaml_error(n, e, "%s: must be a single value", s->key);
        return set_text(c, s, n->text, &inner) ? yaml_error(n, e, "%s: %s", s->key, inner.msg) : 0;
    }
    }
    return 0;
}

static const struct setting *find_key(const char *key)
{
    for (size_t i = 0; i < config_n_settings; i++)
        if (config_settings[i].key && strcmp(config_settings[i].key, key) == 0)
            return &config_settings[i];
    return NULL;
}

static int take_file(struct config *c, const char *text, size_t len, const char *file,
                     const struct strv *given, struct err *e)
{
    cleanup_yaml struct yaml_doc doc = {0};

    if (yaml_parse(text, len, file, &doc, e))
        return -1;
    if (doc.root->kind == YAML_NULL)
        return 0;
    if (doc.root->kind != YAML_MAP)
        return yaml_error(doc.root, e, "must be a map of settings");
    for (size_t i = 0; i < doc.root->n; i++) {
        const struct yaml_pair *p = &doc.root->pairs[i];
        const struct setting *s = find_key(p->key);

        if (!s)
            return yaml_error(p->value, e, "%s: unknown setting", p->key);
        if (strv_has(given, p->key))
            return yaml_error(
                p->value, e,
                "the following directives are specified both as a flag and in the configuration "
                "file: %s",
                p->key);
        if (p->value->kind != YAML_NULL && file_value(c, s, p->value, e))
            return -1;
    }
    return 0;
}

int config_parse(struct config *c, const char *text, size_t len, const char *file, struct err *e)
{
    struct strv none = {0};

    return take_file(c, text, len, file, &none, e);
}

/* ------------------------------------------------------------ the whole */

/* Two agents on one host must not share names in the kernel: all but the default one are numbered.
 */
static void derive(struct config *c, const char *program)
{
    char digest[DIGEST_TEXT_MAX];

    if (str_empty(c->instance)) {
        digest_of(c->data_root, strlen(c->data_root), digest);
        free(c->instance);
        c->instance = strcmp(c->data_root, DEFAULT_DATA) == 0
                          ? xstrdup("ballast")
                          : str_printf("bl%.6s", digest_hex(digest));
    }
    if (str_empty(c->bridge)) {
        free(c->bridge);
        c->bridge = str_printf("%s0", c->instance);
    }
    if (c->plugin_specs.n == 0) {
        strv_add(&c->plugin_specs, "/etc/docker/plugins");
        strv_add(&c->plugin_specs, "/usr/lib/docker/plugins");
    }
    if (c->cdi_dirs.n == 0) {
        strv_add(&c->cdi_dirs, "/etc/cdi");
        strv_add(&c->cdi_dirs, "/var/run/cdi");
    }
    if (str_empty(c->cgroup_parent)) {
        free(c->cgroup_parent);
        c->cgroup_parent = str_printf("/%s", c->instance);
    }
    if (c->hosts.n == 0)
        strv_add(&c->hosts, strcmp(path_base(program), "dockerd") == 0
                                ? "unix:///var/run/docker.sock"
                                : "unix:///run/ballast/ballast.sock");
    if (c->n_pools == 0) {
        for (int i = 17; i < 32; i++) {
            cleanup_free char *base = str_printf("172.%d.0.0/16", i);

            add_pool(c, base, 16);
        }
        add_pool(c, "192.168.0.0/16", 20);
    }
}

static int check(const struct config *c, struct err *e)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    bool known = false;

    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        known = known || strcmp(c->log_level, levels[i]) == 0;
    if (!known)
        return err_set(e, ERR_INVALID, "log-level: \"%s\" is none of debug, info, warn, error",
                       c->log_level);
    if (strcmp(c->log_format, "text") != 0 && strcmp(c->log_format, "json") != 0)
        return err_set(e, ERR_INVALID, "log-format: \"%s\" is neither text nor json",
                       c->log_format);
    if (strlen(c->bridge) > 15)
        return err_set(e, ERR_INVALID, "bridge: \"%s\" is longer than 15 characters", c->bridge);
    if (c->n_pools > 32)
        return err_set(e, ERR_INVALID, "default-address-pools: more than 32");
    for (size_t i = 0; i < c->labels.n; i++)
        if (!strchr(c->labels.v[i], '='))
            return err_set(e, ERR_INVALID, "labels: \"%s\" is not key=value", c->labels.v[i]);
    return config_check_runtimes(c, e);
}

int config_load(struct config *c, int argc, char *const *argv, struct err *e)
{
    cleanup_strv struct strv given = {0};
    cleanup_buf struct buf text = BUF_INIT(FILE_MAX);
    bool named;

    for (int i = 1; i < argc; i++)
        if (take_flag(c, argc, argv, &i, &given, e))
            return -1;
    named = c->config_file != NULL;
    if (!named)
        c->config_file = xstrdup(DEFAULT_FILE);
    if (fs_read(c->config_file, &text, e)) {
        if (named || e->kind != ERR_NOT_FOUND)
            return err_wrap(e, "unable to configure the agent with file %s", c->config_file);
    } else if (take_file(c, text.data, text.len, c->config_file, &given, e)) {
        return err_wrap(e, "unable to configure the agent with file %s", c->config_file);
    }
    derive(c, argv[0]);
    return check(c, e) || config_security(c, e) ? -1 : 0;
}
