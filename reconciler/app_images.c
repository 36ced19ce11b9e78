/*
 * app_images: getting the images that an app's services are made from.
 *
 * A pull may take long, so it is a key of its own ("pull/<app>/<service>") and never part of an
 * app's pass: the other services, and the app's end, do not wait for it.  When it is over the app
 * is queued again.  A pull that failed is tried again with growing pauses, as everything of an app.
 */
#include <string.h>

#include "base/log.h"
#include "reconciler/engine_internal.h"

#define COMING 'c' /* a pull is under way, or queued */
#define THERE  't' /* it was pulled for this use: "always" is not asked again */

/* What is noted for the service, if it is about this very image. */
static char note_of(struct engine *g, const char *app, const struct app_service *s)
{
    struct app_live *a;
    const char *note;
    char what = 0;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, app);
    note = a ? map_get(&a->fetched, s->name) : NULL;
    if (note && strcmp(note + 1, s->spec->image) == 0)
        what = note[0];
    mutex_unlock(&g->lock);
    return what;
}

static void note(struct engine *g, const char *app, const struct app_service *s, char what)
{
    struct app_live *a;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, app);
    if (a)
        map_put(&a->fetched, s->name, str_printf("%c%s", what, s->spec->image));
    mutex_unlock(&g->lock);
}

void app_image_used(struct engine *g, const char *app, const char *service)
{
    struct app_live *a;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, app);
    if (a)
        map_del(&a->fetched, service);
    mutex_unlock(&g->lock);
}

static char *retry_of(const char *service)
{
    return str_printf("image of %s", service);
}

enum app_image app_image_ensure(struct engine *g, const char *app, const struct app_service *s,
                                int64_t *wait_ms, struct err *e)
{
    cleanup_free char *retry = retry_of(s->name);
    cleanup_image struct image *img = NULL;
    struct err missing = ERR_INIT;
    char noted = note_of(g, app, s);

    if (images_find(g->im, s->spec->image, &img, &missing) == 0 &&
        (strcmp(s->pull_policy, "always") != 0 || noted == THERE))
        return APP_IMAGE_THERE;
    if (noted == COMING || app_held(g, app, retry, wait_ms))
        return APP_IMAGE_LATER;
    if (strcmp(s->pull_policy, "never") == 0) {
        app_failed(g, app, retry, wait_ms);
        *e = missing;
        return APP_IMAGE_FAILED;
    }
    note(g, app, s, COMING);
    queue_pull(g, app, s->name);
    return APP_IMAGE_LATER;
}

static int quiet_progress(void *arg, const struct progress *pr, struct err *e)
{
    (void)arg;
    (void)pr;
    (void)e;
    return 0;
}

static void pull(struct engine *g, const char *app, const struct app_service *s)
{
    cleanup_free char *retry = retry_of(s->name);
    struct pull_request rq = {.ref = s->spec->image};
    struct err e = ERR_INIT;
    int64_t wait_ms = 0;
    bool changed;

    log_info("pulling", "app=%s image=%s", app, s->spec->image);
    if (images_pull(g->im, &rq, quiet_progress, NULL, g->stop, NULL, &changed, &e) == 0) {
        app_went_well(g, app, retry);
        note(g, app, s, THERE);
        return;
    }
    if (cancel_fired(g->stop))
        return;
    err_wrap(&e, "service %s: pull %s", s->name, s->spec->image);
    app_image_used(g, app, s->name);
    app_failed(g, app, retry, &wait_ms);
    app_note_error(g, app, &e);
}

int app_image_pull(struct engine *g, const char *name, int64_t *again_ms, struct err *e)
{
    const char *slash = strchr(name, '/');
    cleanup_free char *app = str_ndup(name, slash ? (size_t)(slash - name) : strlen(name));
    struct app_model *m = app_model_ref(g, app);
    const struct app_service *s = m && slash ? app_find_service(m->app, slash + 1) : NULL;

    (void)again_ms;
    (void)e;
    if (s)
        pull(g, app, s);
    app_model_unref(g, m);
    queue_app(g, app, 0);
    return 0; /* a failure is the app's, with a pause of its own */
}
