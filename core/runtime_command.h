/*
 * runtime_command: the runtimes that containers may ask for by name.
 *
 * One is built in.  It answers to "ballast", and to the names that Docker's clients know, "runc"
 * and "io.containerd.runc.v2", unless the agent's settings give one of these to a command.  Every
 * other name is an OCI runtime command from the settings ("runtimes" of a daemon.json).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define RUNTIME_BUILTIN "ballast"
#define RUNTIME_DEFAULT "runc" /* what inspect shows unless something else was asked for */

struct runtime_command {
    char *name, *path; /* path: as execvp() takes it */
    struct strv args;  /* before the runtime's own */
};

struct runtime_commands {
    struct runtime_command *v;
    size_t n;
};
void runtime_commands_release(struct runtime_commands *l);
/* An empty one at the end of the list, called `name`. */
struct runtime_command *runtime_commands_add(struct runtime_commands *l, const char *name);

/* NULL in *out: the built-in one.  l may be NULL: no commands.  "unknown or invalid runtime name"
 */
int runtime_command_find(const struct runtime_commands *l, const char *name,
                         const struct runtime_command **out, struct err *e) MUST_USE;
