/* codec_exec: one exec, as inspect has it.  ExitCode is null until there is one. */
#include "api/codec.h"
#include "reconciler/engine.h"

static void write_process(struct jsonw *w, const struct exec_spec *s)
{
    jsonw_key(w, "ProcessConfig");
    jsonw_obj(w);
    jsonw_kbool(w, "tty", s->tty);
    jsonw_kstr(w, "entrypoint", s->argv.n ? s->argv.v[0] : "");
    jsonw_key(w, "arguments");
    jsonw_arr(w);
    for (size_t i = 1; i < s->argv.n; i++)
        jsonw_str(w, s->argv.v[i]);
    jsonw_end_arr(w);
    jsonw_kbool(w, "privileged", s->privileged);
    if (!str_empty(s->user))
        jsonw_kstr(w, "user", s->user);
    jsonw_end_obj(w);
}

void exec_write(struct jsonw *w, const char *id, const struct exec_info *x)
{
    jsonw_obj(w);
    jsonw_kstr(w, "ID", id);
    jsonw_kbool(w, "Running", x->running);
    jsonw_key(w, "ExitCode");
    if (x->exited)
        jsonw_i64(w, x->exit_code);
    else
        jsonw_null(w);
    write_process(w, &x->spec);
    jsonw_kbool(w, "OpenStdin", x->spec.attach_stdin);
    jsonw_kbool(w, "OpenStderr", x->spec.attach_stderr);
    jsonw_kbool(w, "OpenStdout", x->spec.attach_stdout);
    jsonw_kbool(w, "CanRemove", false);
    jsonw_kstr(w, "ContainerID", x->container_id);
    jsonw_kstr(w, "DetachKeys", x->detach_keys);
    jsonw_ki64(w, "Pid", x->pid);
    jsonw_end_obj(w);
}
