/* holds: pins and claims.  See images_internal.h for what they are for. */
#include "base/cancel.h"
#include "base/mem.h"
#include "base/time.h"
#include "images/images_internal.h"

#define CANCEL_POLL_MS 100

struct hold {
    unsigned pins;
    bool removing, claimed;
};

static struct hold *hold_of(struct images *im, const char *key)
{
    struct hold *h = map_get(&im->holds, key);

    if (!h) {
        h = xcalloc(1, sizeof(*h));
        map_put(&im->holds, key, h);
    }
    return h;
}

/* A hold that says nothing is forgotten, so that the map stays as small as the work in flight. */
static void drop_idle(struct images *im, const char *key)
{
    struct hold *h = map_get(&im->holds, key);

    if (h && !h->pins && !h->removing && !h->claimed)
        map_del(&im->holds, key);
}

static void pin(struct images *im, struct pins *p, char *key)
{
    mutex_lock(&im->lock);
    while (hold_of(im, key)->removing)
        cond_wait(&im->changed, &im->lock);
    hold_of(im, key)->pins++;
    mutex_unlock(&im->lock);
    strv_take(&p->keys, key);
}

void pin_layer(struct images *im, struct pins *p, const char *chain_id)
{
    pin(im, p, str_printf("layer:%s", chain_id));
}

void pin_blob(struct images *im, struct pins *p, const char *digest)
{
    pin(im, p, str_printf("blob:%s", digest));
}

void pins_release(struct images *im, struct pins *p)
{
    mutex_lock(&im->lock);
    for (size_t i = 0; i < p->keys.n; i++) {
        hold_of(im, p->keys.v[i])->pins--;
        drop_idle(im, p->keys.v[i]);
    }
    mutex_unlock(&im->lock);
    gc_collect(im, &p->keys);
    strv_release(&p->keys);
}

void claim(struct images *im, const char *key)
{
    mutex_lock(&im->lock);
    while (hold_of(im, key)->claimed)
        cond_wait(&im->changed, &im->lock);
    hold_of(im, key)->claimed = true;
    mutex_unlock(&im->lock);
}

int claim_or_cancel(struct images *im, const char *key, struct cancel *c, struct err *e)
{
    bool mine;

    mutex_lock(&im->lock);
    while (hold_of(im, key)->claimed && !cancel_fired(c))
        (void)cond_wait_until(&im->changed, &im->lock, time_mono_ms() + CANCEL_POLL_MS);
    mine = !hold_of(im, key)->claimed;
    if (mine)
        hold_of(im, key)->claimed = true;
    mutex_unlock(&im->lock);
    return mine ? 0 : err_set(e, ERR_CANCELLED, "context canceled");
}

void unclaim(struct images *im, const char *key)
{
    mutex_lock(&im->lock);
    hold_of(im, key)->claimed = false;
    drop_idle(im, key);
    cond_broadcast(&im->changed);
    mutex_unlock(&im->lock);
}

bool hold_removing_locked(struct images *im, const char *key)
{
    struct hold *h = hold_of(im, key);

    if (h->pins || h->removing)
        return false;
    h->removing = true;
    return true;
}

void hold_removed(struct images *im, const char *key)
{
    mutex_lock(&im->lock);
    hold_of(im, key)->removing = false;
    drop_idle(im, key);
    cond_broadcast(&im->changed);
    mutex_unlock(&im->lock);
}
