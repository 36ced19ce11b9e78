/*
 * images_transfer: pull, import, load, save: bytes and progress.
 *
 * Progress is a stream of JSON objects, each ending in CR LF and flushed by itself.  The head goes
 * out with the first of them: an error before that is an HTTP error, after it a message.
 */
#include <string.h>

#include "api/handlers.h"
#include "base/mem.h"
#include "images/reference.h"
#include "reconciler/engine.h"

struct progress_reply {
    struct request *rq;
    bool quiet;
    bool said_status; /* the closing "Status: ..." line */
};

static int send_message(struct request *rq, struct buf *out, struct err *e)
{
    buf_add(out, "\r\n", 2);
    if (buf_check(out, "progress message", e))
        return -1;
    if (!rq->res.sent && res_stream(rq, 200, "application/json", e))
        return -1;
    return res_write(rq, out->data, out->len, e);
}

/* Layers report progressDetail even while there is none; lines about the whole do not. */
static bool is_of_layer(const struct progress *p)
{
    return p->id && p->status && !str_starts(p->status, "Pulling from");
}

static int send_progress(void *arg, const struct progress *p, struct err *e)
{
    struct progress_reply *r = arg;
    cleanup_buf struct buf out = BUF_INIT(1 << 20);
    struct jsonw w = JSONW_INIT(&out);

    if (p->status && str_starts(p->status, "Status: "))
        r->said_status = true;
    if (r->quiet && !p->stream)
        return 0;
    jsonw_obj(&w);
    if (p->stream)
        jsonw_kstr(&w, "stream", p->stream);
    if (p->status)
        jsonw_kstr(&w, "status", p->status);
    if (p->total >= 0 && p->current >= 0 && p->status) {
        jsonw_key(&w, "progressDetail");
        jsonw_obj(&w);
        if (p->current > 0 || p->total > 0) {
            jsonw_ki64(&w, "current", p->current);
            if (p->total > 0)
                jsonw_ki64(&w, "total", p->total);
        }
        jsonw_end_obj(&w);
    } else if (is_of_layer(p)) {
        jsonw_key(&w, "progressDetail");
        jsonw_raw(&w, "{}");
    }
    if (p->id)
        jsonw_kstr(&w, "id", p->id);
    if (p->aux_json) {
        jsonw_key(&w, "aux");
        jsonw_raw(&w, p->aux_json);
    }
    jsonw_end_obj(&w);
    return send_message(r->rq, &out, e);
}

/* 0 when the client was told in the stream, -1 when there is no stream yet. */
static int end_with_error(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(16 * ERR_MSG_MAX);
    struct jsonw w = JSONW_INIT(&out);

    if (!rq->res.sent)
        return -1;
    jsonw_obj(&w);
    jsonw_key(&w, "errorDetail");
    jsonw_obj(&w);
    jsonw_kstr(&w, "message", e->msg);
    jsonw_end_obj(&w);
    jsonw_kstr(&w, "error", e->msg);
    jsonw_end_obj(&w);
    return send_message(rq, &out, ERR_IGNORE);
}

static int say(struct request *rq, const char *status, struct err *e)
{
    struct progress_reply r = {.rq = rq};

    return send_progress(&r, &(struct progress){.status = status, .current = -1, .total = -1}, e);
}

/* -------------------------------------------------------------------- pull */

/* The tag may be a digest.  Without any tag it is latest. */
static int pull_reference(const struct request *rq, struct reference *out, struct err *e)
{
    const char *from = query_str(rq, "fromImage"), *tag = query_str(rq, "tag");
    cleanup_free char *text = NULL;
    size_t n = strlen(from);

    if (n > 0 && from[n - 1] == ':')
        n--;
    text = *tag ? str_printf("%.*s%s%s", (int)n, from, strchr(tag, ':') ? "@" : ":", tag)
                : str_ndup(from, n);
    if (reference_parse(text, out, e))
        return -1;
    if (str_eq(out->domain, "docker.io") && str_eq(out->path, "library/scratch")) {
        reference_release(out);
        return err_set(e, ERR_DENIED, "'scratch' is a reserved name");
    }
    reference_default_tag(out);
    return 0;
}

static int pull(struct request *rq, const char *ref, const char *name, struct err *e)
{
    const char *platform = query_str(rq, "platform");
    struct progress_reply r = {.rq = rq};
    struct pull_request want = {
        .ref = ref,
        .platform = *platform ? platform : NULL,
        .auth = http_header(rq->head, "X-Registry-Auth"),
    };
    cleanup_free char *status = NULL;
    bool changed = false;

    if (request_watch(rq, e))
        return -1;
    if (images_pull(engine_images(rq->engine), &want, send_progress, &r, rq->cancel, NULL, &changed,
                    e))
        return end_with_error(rq, e);
    image_event(rq, "pull", ref, name);
    status = str_printf("Status: %s for %s",
                        changed ? "Downloaded newer image" : "Image is up to date", ref);
    return r.said_status ? 0 : say(rq, status, e);
}

/* -------------------------------------------------------------- body as tar */

static int read_body(void *arg, void *buf, size_t n, size_t *got, struct err *e)
{
    return http_body_read(arg, buf, n, got, e);
}

static int import(struct request *rq, struct err *e)
{
    const char *repo = query_str(rq, "repo"), *tag = query_str(rq, "tag");
    const char *platform = query_str(rq, "platform");
    cleanup_strv struct strv changes = {0};
    cleanup_image struct image *image = NULL;
    struct import_request want = {
        .repo = *repo ? repo : NULL,
        .tag = *tag ? tag : NULL,
        .message = query_get(rq, "message"),
        .changes = &changes,
        .platform = *platform ? platform : NULL,
    };

    if (!str_eq(query_str(rq, "fromSrc"), "-"))
        return err_set(e, ERR_UNSUPPORTED,
                       "importing from a URL is not supported: send the archive as the body");
    query_all(rq, "changes", &changes);
    if (images_import(engine_images(rq->engine), &want, read_body, &rq->body, rq->cancel, &image,
                      e)) {
        return -1;
    }
    image_event(rq, "import", image->id, image->id);
    return say(rq, image->id, e);
}

int image_create(struct request *rq, struct err *e)
{
    cleanup_reference struct reference r = {0};
    cleanup_free char *ref = NULL, *name = NULL;

    if (*query_str(rq, "fromSrc"))
        return import(rq, e);
    if (!*query_str(rq, "fromImage"))
        return err_set(e, ERR_INVALID, "invalid reference format");
    if (pull_reference(rq, &r, e))
        return -1;
    ref = reference_familiar(&r);
    name = reference_familiar_name(&r);
    return pull(rq, ref, name, e);
}

int image_load(struct request *rq, struct err *e)
{
    struct progress_reply r = {.rq = rq, .quiet = query_bool(rq, "quiet", false)};
    cleanup_strv struct strv loaded = {0};

    if (images_load(engine_images(rq->engine), read_body, &rq->body, send_progress, &r, rq->cancel,
                    &loaded, e))
        return end_with_error(rq, e);
    for (size_t i = 0; i < loaded.n; i++) {
        cleanup_image struct image *image = NULL;

        if (images_find(engine_images(rq->engine), loaded.v[i], &image, ERR_IGNORE))
            continue;
        image_event(rq, "load", image->id, loaded.v[i]);
    }
    return 0;
}

/* -------------------------------------------------------------------- save */

static int write_tar(void *arg, const void *bytes, size_t n, struct err *e)
{
    return res_write(arg, bytes, n, e);
}

static int save(struct request *rq, const struct strv *refs, struct err *e)
{
    struct images *im = engine_images(rq->engine);

    /* All of them exist, or none is sent. */
    for (size_t i = 0; i < refs->n; i++) {
        cleanup_image struct image *image = NULL;

        if (images_find(im, refs->v[i], &image, e))
            return -1;
        image_event(rq, "save", image->id, image->id);
    }
    if (res_stream(rq, 200, "application/x-tar", e) || request_watch(rq, e))
        return -1;
    return images_save(im, refs, write_tar, rq, rq->cancel, e);
}

int image_save(struct request *rq, struct err *e)
{
    cleanup_strv struct strv refs = {0};

    strv_add(&refs, rq->arg[0]);
    return save(rq, &refs, e);
}

int image_save_many(struct request *rq, struct err *e)
{
    cleanup_strv struct strv refs = {0};

    query_all(rq, "names", &refs);
    if (refs.n == 0)
        return err_set(e, ERR_INVALID, "no image was named: names is empty");
    return save(rq, &refs, e);
}
