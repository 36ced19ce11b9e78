/* ballast: our own calls, which have no counterpart in Docker's API: apps and the agent itself. */
#include <string.h>

#include "api/api.h"
#include "api/conn.h"
#include "api/handlers.h"
#include "base/mem.h"
#include "reconciler/engine.h"

#define WAIT_DEFAULT_S 60

int ballast_apps(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    cleanup_strv struct strv names = {0};
    struct jsonw w = JSONW_INIT(&out);

    apps_names(rq->engine, &names);
    jsonw_arr(&w);
    for (size_t i = 0; i < names.n; i++) {
        cleanup_buf struct buf one = BUF_INIT(REPLY_MAX);
        struct jsonw ow = JSONW_INIT(&one);

        /* One that has gone since is not an error of the list. */
        if (!apps_status(rq->engine, names.v[i], &ow, ERR_IGNORE))
            jsonw_raw(&w, one.data);
    }
    jsonw_end_arr(&w);
    return res_json(rq, 200, &out, e);
}

static int reply_status(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);

    if (apps_status(rq->engine, rq->arg[0], &w, e))
        return -1;
    return res_json(rq, 200, &out, e);
}

int ballast_app(struct request *rq, struct err *e)
{
    return reply_status(rq, e);
}

int ballast_remove(struct request *rq, struct err *e)
{
    if (apps_remove(rq->engine, rq->arg[0], rq->by, e))
        return -1;
    return res_empty(rq, 204, e);
}

int ballast_explain(struct request *rq, struct err *e)
{
    cleanup_explanation struct explanation x = {0};
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);

    if (containers_explain(rq->engine, rq->arg[0], &x, e))
        return -1;
    jsonw_obj(&w);
    jsonw_kstr(&w, "state", x.state);
    jsonw_kstr(&w, "next", x.next);
    jsonw_kbool(&w, "cut", x.cut);
    jsonw_key(&w, "history");
    jsonw_arr(&w);
    for (size_t i = 0; i < x.n; i++) {
        jsonw_obj(&w);
        jsonw_key(&w, "time");
        jsonw_time(&w, x.lines[i].time_ns);
        jsonw_key(&w, "last");
        jsonw_time(&w, x.lines[i].last_ns);
        jsonw_ki64(&w, "count", x.lines[i].count);
        jsonw_kstr(&w, "text", x.lines[i].text);
        jsonw_end_obj(&w);
    }
    jsonw_end_arr(&w);
    jsonw_end_obj(&w);
    return res_json(rq, 200, &out, e);
}

/* ------------------------------------------------------------- apply, plan */

struct compose_request {
    char *name, *project_dir;
    struct strv files;
    struct kvs env;
};

static void compose_request_release(struct compose_request *c)
{
    free(c->name);
    free(c->project_dir);
    strv_release(&c->files);
    kvs_release(&c->env);
}
#define cleanup_compose CLEANUP(compose_request_release)

static int decode_compose(const struct json *body, struct compose_request *out, struct err *e)
{
    struct json name = json_get(body, "name"), dir = json_get(body, "project_dir");
    struct json files = json_get(body, "files"), env = json_get(body, "env");

    if (json_str(&name, &out->name, e) || json_str(&dir, &out->project_dir, e) ||
        json_strv(&files, &out->files, e) || json_kvs(&env, &out->env, e))
        return -1;
    if (out->files.n == 0)
        return err_set(e, ERR_INVALID, "no file was named: files is empty");
    return 0;
}

static int read_model(struct request *rq, struct app **out, struct err *e)
{
    cleanup_compose struct compose_request want = {0};
    cleanup_json struct json_doc doc = {0};
    const struct api_config *cfg = rq->cfg;
    struct json body;

    if (!cfg->compose)
        return err_set(e, ERR_UNSUPPORTED, "this agent does not read Compose files");
    if (request_json(rq, true, &doc, e))
        return -1;
    body = json_root(&doc);
    if (decode_compose(&body, &want, e) ||
        cfg->compose(cfg->compose_arg, want.name, want.project_dir, &want.files, &want.env, out, e))
        return -1;
    str_set(&(*out)->source, "cli");
    return 0;
}

int ballast_apply(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);
    cleanup_app struct app *model = NULL;

    if (read_model(rq, &model, e))
        return -1;
    jsonw_obj(&w);
    jsonw_kstr(&w, "name", model->name);
    jsonw_kstr(&w, "revision", model->revision);
    jsonw_end_obj(&w);
    if (apps_put(rq->engine, take_ptr(model), e))
        return -1;
    return res_json(rq, 200, &out, e);
}

/* plan_write() makes an object of its own; ours has more keys around its "ops". */
static int write_plan(struct jsonw *w, const struct plan *p, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(REPLY_MAX), ops = BUF_INIT(REPLY_MAX);
    struct jsonw pw = JSONW_INIT(&text);
    cleanup_json struct json_doc doc = {0};
    struct json root, list;

    plan_write(p, &pw);
    if (json_parse(text.data, text.len, &doc, e))
        return -1;
    root = json_root(&doc);
    list = json_get(&root, "ops");
    json_text(&list, &ops);
    jsonw_key(w, "ops");
    jsonw_raw(w, ops.data);
    return 0;
}

int ballast_plan(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);
    cleanup_app struct app *model = NULL;
    struct plan plan = {0};
    int rc;

    if (read_model(rq, &model, e) || apps_plan(rq->engine, model, &plan, e))
        return -1;
    jsonw_obj(&w);
    jsonw_kstr(&w, "name", model->name);
    jsonw_kstr(&w, "revision", model->revision);
    rc = write_plan(&w, &plan, e);
    plan_release(&plan);
    jsonw_key(&w, "notices");
    app_write_notices(model, &w);
    jsonw_end_obj(&w);
    return rc ? -1 : res_json(rq, 200, &out, e);
}

/* --------------------------------------------------------- suspend, resume */

static int suspend(struct request *rq, bool suspended, struct err *e)
{
    if (apps_suspend(rq->engine, rq->arg[0], suspended, rq->by, e))
        return -1;
    return res_empty(rq, 204, e);
}

int ballast_suspend(struct request *rq, struct err *e)
{
    return suspend(rq, true, e);
}

int ballast_resume(struct request *rq, struct err *e)
{
    return suspend(rq, false, e);
}

int ballast_wait(struct request *rq, struct err *e)
{
    int64_t seconds = WAIT_DEFAULT_S;

    if (query_int(rq, "timeout", &seconds, e) || request_watch(rq, e))
        return -1;
    if (apps_wait_ready(rq->engine, rq->arg[0], rq->cancel, seconds > 0 ? seconds * 1000 : -1, e)) {
        if (e->kind == ERR_TIMEOUT)
            e->kind = ERR_UNAVAILABLE; /* 503: ask again */
        return -1;
    }
    return reply_status(rq, e);
}

/* --------------------------------------------------------------- the agent */

int ballast_rescan(struct request *rq, struct err *e)
{
    if (!rq->cfg->rescan)
        return err_set(e, ERR_UNSUPPORTED, "this agent watches no directory");
    rq->cfg->rescan(rq->cfg->rescan_arg);
    return res_empty(rq, 204, e);
}

static void write_doctor_line(struct jsonw *w, const char *line)
{
    static const char *const keys[] = {"feature", "state", "off"};
    cleanup_strv struct strv fields = {0};

    strv_split(&fields, line, '\t');
    jsonw_obj(w);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        jsonw_kstr(w, keys[i], i < fields.n ? fields.v[i] : "");
    jsonw_end_obj(w);
}

int ballast_doctor(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    cleanup_strv struct strv lines = {0};
    struct jsonw w = JSONW_INIT(&out);

    if (rq->cfg->doctor)
        rq->cfg->doctor(rq->cfg->doctor_arg, &lines);
    jsonw_arr(&w);
    for (size_t i = 0; i < lines.n; i++)
        write_doctor_line(&w, lines.v[i]);
    jsonw_end_arr(&w);
    return res_json(rq, 200, &out, e);
}
