/*
 * container_steps: what a running container needs, as a table, and how it is taken down.
 *
 *     rootfs     the writable layer over the image
 *     volumes    mounted where the driver mounts, bind sources made
 *     network    namespace, addresses, links, published ports
 *     files      /etc/hosts, resolv.conf, hostname
 *     process    the shim, and in it the first process
 *
 * Nothing of the first two is visible to others, so only network and process are taken down when a
 * container ends; the rest goes with the container.
 */
#include <errno.h>
#include <string.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/log.h"
#include "reconciler/engine_internal.h"
#include "reconciler/steps.h"

struct life {
    struct engine *g;
    struct container *c; /* counted; replaced when a step writes the record */
    struct rootfs rootfs;
};

static int ensure_rootfs(void *obj, struct err *e)
{
    struct life *l = obj;
    cleanup_free char *dir = container_dir(l->g, l->c->id);

    if (fs_mkdir_p(dir, 0710, e))
        return -1;
    return images_rootfs_ensure(l->g->im, l->c->image_id, l->c->id, &l->rootfs, e);
}

static int ensure_volumes(void *obj, struct err *e)
{
    struct life *l = obj;
    const struct container_spec *s = l->c->spec;

    for (size_t i = 0; i < s->n_mounts; i++) {
        const struct mount_spec *m = &s->mounts[i];

        if (m->type == MOUNT_BIND && m->create_host_path && !fs_exists(m->source) &&
            fs_mkdir_p(m->source, 0755, e))
            return err_wrap(e, "error while creating mount source path '%s'", m->source);
    }
    return container_mount_volumes(l->g, l->c, e);
}

static int remove_volumes(void *obj, struct err *e)
{
    struct life *l = obj;

    return container_unmount_volumes(l->g, l->c, e);
}

static int ensure_network(void *obj, struct err *e)
{
    struct life *l = obj;

    if (links_ready(l->g, l->c, e) || endpoints_allocate(l->g, &l->c, e))
        return -1;
    if (FAULT("container.allocated"))
        return err_set(e, ERR_IO, "network of %s: injected", l->c->name);
    return endpoints_join(l->g, l->c, e);
}

static int remove_network(void *obj, struct err *e)
{
    struct life *l = obj;

    return endpoints_leave(l->g, l->c, e);
}

static int ensure_files(void *obj, struct err *e)
{
    struct life *l = obj;

    return net_files_write(l->g, l->c, e);
}

static void run_spec_free_p(struct run_spec **s)
{
    run_spec_free(*s);
}

static int ensure_process(void *obj, struct err *e)
{
    struct life *l = obj;
    CLEANUP(run_spec_free_p) struct run_spec *spec = NULL;

    if (run_spec_compose(l->g, l->c, &l->rootfs, &spec, e))
        return -1;
    if (FAULT("container.composed"))
        return err_set(e, ERR_IO, "start %s: injected", l->c->name);
    if (l->g->rt->ops->ensure_running(l->g->rt, l->c, spec, l->g->stop, e))
        return -1;
    return FAULT("container.started") ? err_set(e, ERR_IO, "start %s: injected", l->c->name) : 0;
}

static int remove_process(void *obj, struct err *e)
{
    struct life *l = obj;

    return l->g->rt->ops->ensure_absent(l->g->rt, l->c->id, e);
}

static const struct step steps[] = {
    {"rootfs",  ensure_rootfs,  NULL          },
    {"volumes", ensure_volumes, remove_volumes},
    {"network", ensure_network, remove_network},
    {"files",   ensure_files,   NULL          },
    {"process", ensure_process, remove_process},
};

int container_up(struct engine *g, const struct container *c, struct err *e)
{
    struct life l = {.g = g, .c = container_ref(c)};
    const char *failed = "files";
    int r = mounting_begin(g, c->id, e);

    if (r == 0) {
        r = steps_up(steps, ARRAY_LEN(steps), &l, &failed, e);
        mounting_end(g, c->id);
    }
    if (r)
        log_info("container did not start", "id=%.12s name=%s step=%s error=%s", c->id, c->name,
                 failed, log_quote(e->msg));
    rootfs_release(&l.rootfs);
    container_unref(l.c);
    return r;
}

int container_down(struct engine *g, const struct container *c, struct err *e)
{
    struct life l = {.g = g, .c = container_ref(c)};
    const char *failed = "";
    int r = steps_down(steps, ARRAY_LEN(steps), &l, &failed, e);

    if (r)
        err_wrap(e, "take down %s of container %s", failed, c->name);
    container_unref(l.c);
    return r;
}

int container_erase(struct engine *g, const struct container *c, struct err *e)
{
    cleanup_free char *dir = container_dir(g, c->id);

    if (container_down(g, c, e))
        return err_wrap(e, "remove container %s", c->name);
    if (FAULT("container.down"))
        return err_set(e, ERR_IO, "remove container %s: injected", c->name);
    for (size_t i = 0; i < c->spec->n_mounts; i++) {
        cleanup_free char *id = image_mount_id(c->id, i);

        if (c->spec->mounts[i].type == MOUNT_IMAGE && images_rootfs_remove(g->im, id, e))
            return err_wrap(e, "remove container %s", c->name);
    }
    if (images_rootfs_remove(g->im, c->id, e) || fs_remove_all(dir, e))
        return err_wrap(e, "remove container %s", c->name);
    return 0;
}
