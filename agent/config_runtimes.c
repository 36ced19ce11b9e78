/*
 * config_runtimes: OCI runtime commands, as a daemon.json names them.
 *
 *     "runtimes": {
 *         "crun": {"path": "/usr/bin/crun", "runtimeArgs": ["--debug"]},
 *         "kept": {"runtimeType": "io.containerd.runc.v2", "options": {"BinaryName": "runc"}}
 *     }
 *
 * The second form is containerd's for the same thing; its other types are programs that speak to
 * containerd, which is not here, so they are refused at the start instead of at every container's.
 */
#include <string.h>

#include "agent/config_table.h"
#include "base/mem.h"
#include "compose/yaml.h"

#define TYPE_COMMAND "io.containerd.runc.v2"

static struct runtime_command *find(struct runtime_commands *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (str_eq(l->v[i].name, name))
            return &l->v[i];
    return NULL;
}

int config_flag_runtime(struct runtime_commands *l, const char *text, struct err *e)
{
    const char *eq = strchr(text, '=');
    cleanup_free char *name = eq ? str_ndup(text, (size_t)(eq - text)) : NULL;

    if (str_empty(name) || !eq[1])
        return err_set(e, ERR_INVALID, "invalid runtime argument: %s", text);
    if (str_eq(name, RUNTIME_BUILTIN))
        return err_set(e, ERR_INVALID, "runtime name '%s' is reserved", name);
    if (find(l, name))
        return err_set(e, ERR_INVALID, "runtime '%s' was already defined", name);
    runtime_commands_add(l, name)->path = xstrdup(eq + 1);
    return 0;
}

/* ------------------------------------------------------------ the file */

/* What one entry says, before it is made sense of. */
struct entry {
    const struct yaml_node *path, *args, *type, *options;
};

static int read_entry(const struct yaml_node *n, const char *name, struct entry *out, struct err *e)
{
    const struct {
        const char *key;
        const struct yaml_node **value;
        enum yaml_kind kind;
    } keys[] = {
        {"path",        &out->path,    YAML_SCALAR},
        {"runtimeArgs", &out->args,    YAML_SEQ   },
        {"runtimeType", &out->type,    YAML_SCALAR},
        {"options",     &out->options, YAML_MAP   },
    };

    if (n->kind != YAML_MAP)
        return yaml_error(n, e, "runtimes.%s: must be a map with `path`", name);
    for (size_t i = 0; i < n->n; i++) {
        const struct yaml_pair *p = &n->pairs[i];
        size_t k = 0;

        while (k < ARRAY_LEN(keys) && !str_eq(keys[k].key, p->key))
            k++;
        if (k == ARRAY_LEN(keys))
            return yaml_error(p->value, e, "runtimes.%s.%s: unknown key", name, p->key);
        if (p->value->kind == YAML_NULL ||
            (keys[k].kind == YAML_SCALAR && p->value->kind == YAML_SCALAR && !*p->value->text))
            continue;
        if (p->value->kind != keys[k].kind)
            return yaml_error(p->value, e, "runtimes.%s.%s: has the wrong type", name, p->key);
        *keys[k].value = p->value;
    }
    return 0;
}

/* containerd's options for its runc shim; those that change nothing here may be there. */
static int read_options(const struct yaml_node *options, const char *name, const char **path,
                        struct err *e)
{
    for (size_t i = 0; options && i < options->n; i++) {
        const struct yaml_pair *p = &options->pairs[i];

        if (p->value->kind == YAML_SCALAR && str_eq(p->key, "BinaryName"))
            *path = p->value->text;
        else if (!(p->value->kind == YAML_SCALAR && str_eq(p->key, "SystemdCgroup") &&
                   str_eq(p->value->text, "false")))
            return yaml_error(p->value, e, "runtimes.%s.options.%s: is not supported", name,
                              p->key);
    }
    return 0;
}

static int check_entry(const struct yaml_node *n, const struct entry *x, const char *name,
                       struct err *e)
{
    if (str_eq(name, RUNTIME_BUILTIN))
        return yaml_error(n, e, "runtime name '%s' is reserved", name);
    if (!x->path && !x->type)
        return yaml_error(n, e, "runtime %s: either a runtimeType or a path must be configured",
                          name);
    if (x->path && x->type)
        return yaml_error(
            n, e, "runtime %s: cannot configure both path and runtimeType for the same runtime",
            name);
    if (x->path && x->options)
        return yaml_error(n, e, "runtime %s: options cannot be used with a path runtime", name);
    if (x->type && x->args)
        return yaml_error(n, e, "runtime %s: args cannot be used with a runtimeType runtime", name);
    if (x->type && !str_eq(x->type->text, TYPE_COMMAND))
        return yaml_error(x->type, e,
                          "runtime %s: the type %s needs containerd, which is not here; %s with "
                          "the option BinaryName, or `path`, names a command",
                          name, x->type->text, TYPE_COMMAND);
    return 0;
}

static int file_runtime(struct runtime_commands *l, const char *name, const struct yaml_node *n,
                        struct err *e)
{
    struct entry x = {0};
    struct runtime_command *r;
    const char *path = "runc"; /* what containerd's shim runs */

    if (read_entry(n, name, &x, e) || check_entry(n, &x, name, e) ||
        read_options(x.options, name, &path, e))
        return -1;
    r = runtime_commands_add(l, name);
    r->path = xstrdup(x.path ? x.path->text : path);
    for (size_t i = 0; x.args && i < x.args->n; i++) {
        if (x.args->items[i]->kind != YAML_SCALAR)
            return yaml_error(x.args->items[i], e, "runtimes.%s.runtimeArgs[%zu]: must be a string",
                              name, i);
        strv_add(&r->args, x.args->items[i]->text);
    }
    return 0;
}

int config_file_runtimes(struct runtime_commands *l, const struct yaml_node *n, struct err *e)
{
    if (n->kind != YAML_MAP)
        return yaml_error(n, e, "runtimes: must be a map");
    for (size_t i = 0; i < n->n; i++) {
        if (!*n->pairs[i].key)
            return yaml_error(n->pairs[i].value, e, "runtimes: a name is empty");
        if (file_runtime(l, n->pairs[i].key, n->pairs[i].value, e))
            return -1;
    }
    return 0;
}

/* After flags and file, as either may name what the other has. */
int config_check_runtimes(const struct config *c, struct err *e)
{
    const struct runtime_command *command;

    if (runtime_command_find(&c->runtimes, c->default_runtime, &command, ERR_IGNORE))
        return err_set(e, ERR_INVALID, "specified default runtime '%s' does not exist",
                       c->default_runtime);
    return 0;
}
