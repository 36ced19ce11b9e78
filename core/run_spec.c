/* run_spec: life of the structs that core/runtime.h and core/storage_driver.h declare. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/runtime.h"

void rootfs_release(struct rootfs *r)
{
    strv_release(&r->lower);
    free(r->upper);
    free(r->work);
    memset(r, 0, sizeof(*r));
}

struct run_spec *run_spec_new(void)
{
    return xcalloc(1, sizeof(struct run_spec));
}

void run_spec_free(struct run_spec *s)
{
    if (!s)
        return;
    free(s->id);
    free(s->name);
    container_spec_free(s->spec);
    strv_release(&s->argv);
    strv_release(&s->env);
    free(s->cwd);
    rootfs_release(&s->rootfs);
    for (size_t i = 0; i < s->n_mounts; i++) {
        free(s->mounts[i].source);
        free(s->mounts[i].target);
        free(s->mounts[i].propagation);
        free(s->mounts[i].tmpfs_options);
        free(s->mounts[i].options);
        free(s->mounts[i].subpath);
        strv_release(&s->mounts[i].layers);
    }
    free(s->mounts);
    free(s->hostname);
    free(s->domainname);
    free(s->netns_path);
    free(s->ipc_path);
    free(s->pid_path);
    free(s->cgroup);
    free(s->log_driver);
    free(s->log_path);
    kvs_release(&s->log_opts);
    free(s->seccomp);
    free(s->apparmor);
    free(s);
}

void exec_spec_release(struct exec_spec *s)
{
    free(s->id);
    strv_release(&s->argv);
    strv_release(&s->env);
    free(s->cwd);
    free(s->user);
    memset(s, 0, sizeof(*s));
}
