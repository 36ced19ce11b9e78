/* cdi: see cdi.h. */
#include "reconciler/cdi.h"

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/runtime.h"

#define SPEC_MAX  (4 * 1024 * 1024)
#define SPECS_MAX 256

void cdi_spec_release(struct cdi_spec *s)
{
    yaml_release(&s->doc);
    *s = (struct cdi_spec){0};
}
#define cleanup_cdi_spec CLEANUP(cdi_spec_release)

/* ------------------------------------------------------------ reading a spec */

static const char *text_of(const struct yaml_node *map, const char *key)
{
    const struct yaml_node *n = yaml_get(map, key);

    return n && n->kind == YAML_SCALAR ? n->text : "";
}

static bool is_kind(const struct yaml_node *n, enum yaml_kind kind)
{
    return !n || n->kind == YAML_NULL || n->kind == kind;
}

/* What edits may have, and of which kind; the rest is refused, because a device without it might
 * not work or not be safe. */
static const struct {
    const char *key;
    enum yaml_kind kind, items;
    const char *needs; /* a key of every item */
} edit_keys[] = {
    {"env",            YAML_SEQ, YAML_SCALAR, NULL           },
    {"deviceNodes",    YAML_SEQ, YAML_MAP,    "path"         },
    {"mounts",         YAML_SEQ, YAML_MAP,    "containerPath"},
    {"additionalGids", YAML_SEQ, YAML_SCALAR, NULL           },
    {"hooks",          YAML_SEQ, YAML_MAP,    "hookName"     },
    {"intelRdt",       YAML_MAP, YAML_NULL,   NULL           },
    {"netDevices",     YAML_SEQ, YAML_MAP,    NULL           },
};

static int check_edit(const struct yaml_pair *p, struct err *e)
{
    size_t row = 0;

    while (row < ARRAY_LEN(edit_keys) && !str_eq(edit_keys[row].key, p->key))
        row++;
    if (row == ARRAY_LEN(edit_keys))
        return yaml_error(p->value, e, "containerEdits.%s: unknown key", p->key);
    if (!is_kind(p->value, edit_keys[row].kind))
        return yaml_error(p->value, e, "containerEdits.%s: wrong type", p->key);
    if (p->value->kind != YAML_SEQ)
        return 0;
    for (size_t i = 0; i < p->value->n; i++) {
        const struct yaml_node *item = p->value->items[i];

        if (item->kind != edit_keys[row].items)
            return yaml_error(item, e, "containerEdits.%s[%zu]: wrong type", p->key, i);
        if (edit_keys[row].needs && !*text_of(item, edit_keys[row].needs))
            return yaml_error(item, e, "containerEdits.%s[%zu]: %s is missing", p->key, i,
                              edit_keys[row].needs);
    }
    return 0;
}

static int check_edits(const struct yaml_node *edits, struct err *e)
{
    if (!edits || edits->kind == YAML_NULL)
        return 0;
    if (edits->kind != YAML_MAP)
        return yaml_error(edits, e, "containerEdits: must be a map");
    for (size_t i = 0; i < edits->n; i++)
        if (check_edit(&edits->pairs[i], e))
            return -1;
    return 0;
}

static int check_devices(const struct yaml_node *root, struct err *e)
{
    const struct yaml_node *devices = yaml_get(root, "devices");

    if (!devices || devices->kind != YAML_SEQ || devices->n == 0)
        return yaml_error(root, e, "devices: must be a list that is not empty");
    for (size_t i = 0; i < devices->n; i++) {
        const struct yaml_node *d = devices->items[i];

        if (d->kind != YAML_MAP || !*text_of(d, "name"))
            return yaml_error(d, e, "devices[%zu]: must have a name", i);
        if (check_edits(yaml_get(d, "containerEdits"), e))
            return -1;
    }
    return check_edits(yaml_get(root, "containerEdits"), e);
}

int cdi_spec_parse(const char *text, size_t len, const char *path, struct cdi_spec *out,
                   struct err *e)
{
    cleanup_cdi_spec struct cdi_spec s = {0};
    const struct yaml_node *root;
    const char *slash;

    if (yaml_parse(text, len, path, &s.doc, e))
        return -1;
    root = s.doc.root;
    if (root->kind != YAML_MAP)
        return yaml_error(root, e, "must be a map");
    if (!*text_of(root, "cdiVersion"))
        return yaml_error(root, e, "cdiVersion is missing");
    s.kind = text_of(root, "kind");
    slash = strchr(s.kind, '/');
    if (!slash || slash == s.kind || !slash[1] || strchr(slash + 1, '/'))
        return yaml_error(root, e, "kind: \"%.200s\" is not vendor/class", s.kind);
    if (check_devices(root, e))
        return -1;
    *out = s;
    s = (struct cdi_spec){0};
    return 0;
}

/* ------------------------------------------------------------ what a container gets */

static void set_env(struct strv *env, const char *pair)
{
    size_t n = strcspn(pair, "=");

    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->v[i], pair, n) == 0 && env->v[i][n] == '=') {
            str_set(&env->v[i], pair);
            return;
        }
    strv_add(env, pair);
}

static int number(const struct yaml_node *map, const char *key, bool *there, int64_t *out,
                  struct err *e)
{
    const char *text = text_of(map, key);

    if (!*text)
        return 0;
    if (parse_i64(text, 0, UINT32_MAX, key, out, e))
        return yaml_error(map, e, "%s: not a number: %.60s", key, text);
    *there = true;
    return 0;
}

static int add_device(const struct yaml_node *n, struct run_spec *rs, struct err *e)
{
    struct container_spec *s = rs->spec;
    const char *host = text_of(n, "hostPath"), *path = text_of(n, "path");
    struct device_map *d = ARRAY_ADD(s->devices, s->n_devices);

    *d = (struct device_map){.host_path = xstrdup(*host ? host : path),
                             .container_path = xstrdup(path),
                             .permissions = xstrdup(text_of(n, "permissions"))};
    return number(n, "uid", &d->owned, &d->uid, e) || number(n, "gid", &d->owned, &d->gid, e) ||
                   number(n, "fileMode", &d->with_mode, &d->mode, e)
               ? -1
               : 0;
}

/* Options of mount(8) that a CDI mount may have; the rest is said to be unknown. */
static int mount_option(const char *word, struct run_mount *m, struct err *e)
{
    static const char *const propagations[] = {"private", "rprivate", "shared",
                                               "rshared", "slave",    "rslave"};
    static const char *const passed[] = {"nosuid",  "nodev",      "noexec",
                                         "noatime", "nodiratime", "relatime"};

    for (size_t i = 0; i < ARRAY_LEN(propagations); i++)
        if (str_eq(word, propagations[i])) {
            str_set(&m->propagation, word);
            return 0;
        }
    for (size_t i = 0; i < ARRAY_LEN(passed); i++)
        if (str_eq(word, passed[i])) {
            cleanup_free char *old = m->options;

            m->options = old ? str_printf("%s,%s", old, word) : xstrdup(word);
            return 0;
        }
    if (str_eq(word, "ro"))
        m->read_only = true;
    else if (str_eq(word, "bind"))
        m->non_recursive = true;
    else if (!str_eq(word, "rbind") && !str_eq(word, "rw"))
        return err_set(e, ERR_UNSUPPORTED, "mount of %s: unknown option %.60s", m->target, word);
    return 0;
}

static int add_mount(const struct yaml_node *n, struct run_spec *rs, struct err *e)
{
    const char *source = text_of(n, "hostPath"), *target = text_of(n, "containerPath");
    const struct yaml_node *options = yaml_get(n, "options");
    struct run_mount *m;

    if (!path_is_abs(source) || !path_is_abs(target))
        return yaml_error(n, e, "mounts: hostPath and containerPath must be absolute");
    m = ARRAY_ADD(rs->mounts, rs->n_mounts);
    *m = (struct run_mount){.type = MOUNT_BIND,
                            .source = xstrdup(source),
                            .target = path_clean(target),
                            .is_file = !fs_is_dir(source)};
    for (size_t i = 0; options && options->kind == YAML_SEQ && i < options->n; i++)
        if (options->items[i]->kind == YAML_SCALAR && mount_option(options->items[i]->text, m, e))
            return -1;
    return 0;
}

static int add_env(const struct yaml_node *n, struct run_spec *rs, struct err *e)
{
    if (!strchr(n->text, '=') || n->text[0] == '=')
        return yaml_error(n, e, "env: \"%.100s\" is not NAME=VALUE", n->text);
    set_env(&rs->env, n->text);
    return 0;
}

static int add_group(const struct yaml_node *n, struct run_spec *rs, struct err *e)
{
    int64_t gid;

    if (parse_i64(n->text, 0, INT32_MAX, "gid", &gid, e))
        return yaml_error(n, e, "additionalGids: \"%.60s\" is no group", n->text);
    if (gid > 0)
        strv_addf(&rs->spec->group_add, "%lld", (long long)gid);
    return 0;
}

int cdi_apply(const struct yaml_node *edits, struct run_spec *rs, struct err *e)
{
    static const struct {
        const char *key;
        int (*add)(const struct yaml_node *n, struct run_spec *rs, struct err *e);
    } rows[] = {
        {"env",            add_env   },
        {"deviceNodes",    add_device},
        {"mounts",         add_mount },
        {"additionalGids", add_group },
    };
    static const char *const missing[] = {"hooks", "intelRdt", "netDevices"};

    if (!edits || edits->kind != YAML_MAP)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(missing); i++) {
        const struct yaml_node *n = yaml_get(edits, missing[i]);

        if (n && n->n > 0)
            return yaml_error(n, e, "it wants %s, which this engine does not have", missing[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct yaml_node *list = yaml_get(edits, rows[i].key);

        for (size_t k = 0; list && list->kind == YAML_SEQ && k < list->n; k++)
            if (rows[i].add(list->items[k], rs, e))
                return -1;
    }
    return 0;
}

/* ------------------------------------------------------------ all specs */

struct registry {
    struct cdi_spec *v;
    bool *used; /* its own edits are applied once */
    size_t n;
};

static void registry_release(struct registry *r)
{
    for (size_t i = 0; i < r->n; i++)
        cdi_spec_release(&r->v[i]);
    free(r->v);
    free(r->used);
}

static void read_dir(struct registry *r, const char *dir, size_t rank)
{
    cleanup_strv struct strv names = {0};

    if (fs_list(dir, &names, ERR_IGNORE)) /* most machines have none */
        return;
    for (size_t i = 0; i < names.n && r->n < SPECS_MAX; i++) {
        cleanup_free char *path = path_join(dir, names.v[i]);
        cleanup_buf struct buf text = BUF_INIT(SPEC_MAX);
        struct cdi_spec s = {0};
        struct err why = ERR_INIT;

        if (!str_ends(names.v[i], ".json") && !str_ends(names.v[i], ".yaml"))
            continue;
        if (fs_read(path, &text, &why) || cdi_spec_parse(text.data, text.len, path, &s, &why)) {
            log_warn("CDI spec passed over", "file=%s error=%s", path, log_quote(why.msg));
            continue;
        }
        s.rank = rank;
        *ARRAY_ADD(r->v, r->n) = s;
    }
}

static const struct yaml_node *device_of(const struct cdi_spec *s, const char *kind,
                                         const char *name)
{
    const struct yaml_node *devices = yaml_get(s->doc.root, "devices");

    if (!str_eq(s->kind, kind))
        return NULL;
    for (size_t i = 0; i < devices->n; i++)
        if (str_eq(text_of(devices->items[i], "name"), name))
            return devices->items[i];
    return NULL;
}

/* NULL when nobody has it, or two of the same rank do. */
static const struct yaml_node *resolve(const struct registry *r, const char *name, size_t *spec)
{
    const struct yaml_node *found = NULL;
    size_t n_kind = strcspn(name, "="), rank = 0;
    cleanup_free char *kind = str_ndup(name, n_kind);

    for (size_t i = 0; name[n_kind] && i < r->n; i++) {
        const struct yaml_node *d = device_of(&r->v[i], kind, name + n_kind + 1);

        if (!d || (found && r->v[i].rank < rank))
            continue;
        if (*spec != SIZE_MAX && r->v[i].rank == rank) {
            found = NULL; /* in conflict, unless a higher one decides */
            continue;
        }
        found = d;
        rank = r->v[i].rank;
        *spec = i;
    }
    return found;
}

static int inject(struct registry *r, const struct strv *names, struct run_spec *rs, struct err *e)
{
    cleanup_strv struct strv lost = {0};

    for (size_t i = 0; i < names->n; i++) {
        size_t spec = SIZE_MAX;

        if (!resolve(r, names->v[i], &spec))
            strv_add(&lost, names->v[i]);
    }
    if (lost.n) {
        cleanup_free char *text = str_join((const char *const *)lost.v, lost.n, ", ");

        return err_set(e, ERR_INTERNAL, "unresolvable CDI devices %s", text);
    }
    r->used = xcalloc(r->n + 1, sizeof(*r->used));
    for (size_t i = 0; i < names->n; i++) {
        size_t spec = SIZE_MAX;
        const struct yaml_node *d = resolve(r, names->v[i], &spec);

        if (!d)
            continue; /* would be lost */
        if (cdi_apply(r->used[spec] ? NULL : yaml_get(r->v[spec].doc.root, "containerEdits"), rs,
                      e) ||
            cdi_apply(yaml_get(d, "containerEdits"), rs, e))
            return err_wrap(e, "%s", names->v[i]);
        r->used[spec] = true;
    }
    return 0;
}

int cdi_inject(const struct strv *dirs, const struct strv *names, struct run_spec *rs,
               struct err *e)
{
    CLEANUP(registry_release) struct registry r = {0};

    for (size_t i = 0; i < dirs->n; i++)
        read_dir(&r, dirs->v[i], i);
    if (inject(&r, names, rs, e)) {
        e->kind = ERR_INTERNAL; /* the machine's fault, as dockerd has it */
        return err_wrap(e, "CDI device injection failed");
    }
    return 0;
}
