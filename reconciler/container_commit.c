/*
 * container_commit: what a container has changed, and an image made of that.
 *
 * A running container is paused meanwhile.  That is written down first: an agent that is killed in
 * between lets the container go on when it comes back.
 */
#include <string.h>

#include "base/log.h"
#include "images/changes.h"
#include "images/reference.h"
#include "reconciler/container_files.h"
#include "reconciler/engine_internal.h"

int containers_changes(struct engine *g, const char *ref, struct tree_changes *out,
                       struct cancel *c, struct err *e)
{
    cleanup_container struct container *ct = NULL;

    if (containers_find(g, ref, &ct, e))
        return -1;
    return images_changes(g->im, ct->image_id, ct->id, container_id_base(g, ct), out, c, e);
}

/* ------------------------------------------------------------ pause */

static char *intent_key(const char *id)
{
    return str_printf("commit/%s", id);
}

/* A client that leaves does not cut this short: it would stay paused.  The engine's end does, and
 * then the intent stays, too. */
static bool pause_for(struct engine *g, const struct container *c, const char *by)
{
    cleanup_free char *key = intent_key(c->id);
    struct err e = ERR_INIT;

    if (c->state.status != STATUS_RUNNING)
        return false;
    if (state_intent_put(g->st, key, "commit", &e) ||
        containers_pause(g, c->id, true, by, g->stop, &e)) {
        log_info("a container is committed without a pause", "id=%.12s reason=%s", c->id,
                 log_quote(e.msg));
        if (e.kind != ERR_CANCELLED)
            (void)!state_intent_done(g->st, key, ERR_IGNORE);
        return false;
    }
    return true;
}

static void go_on(struct engine *g, const char *id, const char *by)
{
    cleanup_free char *key = intent_key(id);
    struct err e = ERR_INIT;

    /* Its end, its removal and another's unpause are fine. */
    if (containers_pause(g, id, false, by, g->stop, &e))
        log_debug("a container was not paused any more", "id=%.12s reason=%s", id,
                  log_quote(e.msg));
    if (e.kind != ERR_CANCELLED)
        (void)!state_intent_done(g->st, key, ERR_IGNORE);
}

int commits_finish(struct engine *g, bool fresh_boot, struct err *e)
{
    cleanup_strv struct strv keys = {0};

    if (state_intents_of(g->st, "commit/", &keys, e))
        return -1;
    for (size_t i = 0; i < keys.n; i++) {
        cleanup_container struct container *c = object_container(g, keys.v[i] + strlen("commit/"));
        struct goal_request rq = {.goal = GOAL_RUNNING, .by = "a commit that was cut short"};

        if (c && c->goal == GOAL_PAUSED && !fresh_boot) { /* after a boot its policy decides */
            rq.keep = c->spec->restart != RESTART_NO;
            if (container_set_goal(g, c->id, &rq, NULL, NULL, e))
                return -1;
        }
        if (state_intent_done(g->st, keys.v[i], e))
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------ commit */

static int refuse(const struct container *c, struct err *e)
{
    if (c->state.status == STATUS_DEAD)
        return err_set(e, ERR_CONFLICT, "You cannot commit container %s which is Dead", c->id);
    if (c->state.status == STATUS_REMOVING)
        return err_set(e, ERR_CONFLICT, "You cannot commit container %s which is being removed",
                       c->id);
    return 0;
}

/* The given config or the container's, changed, and what is missing then from the container's. */
static int make_config(const struct container *c, const struct container_commit *rq,
                       struct container_spec **out, struct err *e)
{
    cleanup_spec struct container_spec *s = container_spec_copy(rq->config ? rq->config : c->spec);
    const struct image like = {.config = c->spec};

    if ((rq->changes && changes_apply(s, rq->changes, e)) || spec_merge_image(s, &like, e))
        return -1;
    *out = take_ptr(s);
    return 0;
}

static void emit_image(struct engine *g, const char *action, const struct image *img,
                       const char *name, const char *by)
{
    struct event ev;

    event_init(&ev, "image", action, img->id);
    kvs_copy(&ev.attributes, &img->config->labels);
    kvs_set(&ev.attributes, "name", name);
    if (by)
        kvs_set(&ev.attributes, "by", by);
    engine_event(g, &ev);
}

static void emit(struct engine *g, const struct container *c, const struct image *img,
                 const char *ref, const struct container_commit *rq)
{
    struct event ev;

    emit_image(g, "create", img, img->id, rq->by);
    if (*ref)
        emit_image(g, "tag", img, ref, rq->by);
    event_for_container(&ev, "commit", c, rq->by);
    kvs_set(&ev.attributes, "comment", rq->comment ? rq->comment : "");
    kvs_set(&ev.attributes, "imageID", img->id);
    kvs_set(&ev.attributes, "imageRef", ref);
    engine_event(g, &ev);
}

static char *familiar(const char *canonical)
{
    cleanup_reference struct reference r = {0};

    if (!canonical || reference_parse(canonical, &r, ERR_IGNORE))
        return xstrdup("");
    return reference_familiar(&r);
}

static int commit(struct engine *g, const struct container *c, const struct container_commit *rq,
                  const struct container_spec *config, struct cancel *cn, struct image **out,
                  struct err *e)
{
    cleanup_free char *command = str_join((const char *const *)c->spec->cmd.v, c->spec->cmd.n, " ");
    const struct image_commit ic = {
        .container_id = c->id,
        .image_id = c->image_id,
        .repo = rq->repo,
        .tag = rq->tag,
        .comment = rq->comment,
        .author = rq->author,
        .created_by = command,
        .config = config,
        .container_config = c->spec,
        .id_base = container_id_base(g, c),
    };

    return images_commit(g->im, &ic, cn, out, e);
}

int containers_commit(struct engine *g, const struct container_commit *rq, struct cancel *cn,
                      char **id, struct err *e)
{
    cleanup_container struct container *c = NULL;
    cleanup_spec struct container_spec *config = NULL;
    cleanup_image struct image *img = NULL;
    cleanup_free char *canonical = NULL, *ref = NULL;
    bool paused;
    int r;

    /* What the request gets wrong is said before anything is paused. */
    if (images_commit_name(rq->repo, rq->tag, &canonical, e) ||
        containers_find(g, rq->container, &c, e) || refuse(c, e) || make_config(c, rq, &config, e))
        return -1;
    ref = familiar(canonical);
    paused = rq->pause && pause_for(g, c, rq->by);
    r = commit(g, c, rq, config, cn, &img, e);
    if (r == 0)
        emit(g, c, img, ref, rq);
    if (paused)
        go_on(g, c->id, rq->by);
    if (r == 0)
        *id = xstrdup(img->id);
    return r;
}
