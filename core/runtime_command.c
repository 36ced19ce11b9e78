/* runtime_command: see runtime_command.h. */
#include "core/runtime_command.h"

#include "base/mem.h"

static const char *const builtin_names[] = {RUNTIME_BUILTIN, "runc", "io.containerd.runc.v2"};

void runtime_commands_release(struct runtime_commands *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->v[i].name);
        free(l->v[i].path);
        strv_release(&l->v[i].args);
    }
    free(l->v);
    *l = (struct runtime_commands){0};
}

struct runtime_command *runtime_commands_add(struct runtime_commands *l, const char *name)
{
    struct runtime_command *rc = ARRAY_ADD(l->v, l->n);

    rc->name = xstrdup(name);
    return rc;
}

int runtime_command_find(const struct runtime_commands *l, const char *name,
                         const struct runtime_command **out, struct err *e)
{
    *out = NULL;
    for (size_t i = 0; l && i < l->n; i++)
        if (str_eq(l->v[i].name, name)) {
            *out = &l->v[i];
            return 0;
        }
    for (size_t i = 0; i < ARRAY_LEN(builtin_names); i++)
        if (str_empty(name) || str_eq(builtin_names[i], name)) /* "": an old record */
            return 0;
    return err_set(e, ERR_INVALID, "unknown or invalid runtime name: %.100s", name);
}
