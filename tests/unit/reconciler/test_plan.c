#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "compose/compose.h"
#include "core/container.h"
#include "core/network.h"
#include "core/volume.h"
#include "reconciler/plan.h"
#include "tests/unit/unit.h"

/* -------------------------------------------------------- a world in memory */

struct world {
    struct container *cs[64];
    struct network *ns[64];
    struct volume *vs[64];
    size_t n_cs, n_ns, n_vs;
    unsigned next_id;
    struct app *previous;
    const char *image_id;
};

static struct app *model(const char *text)
{
    struct app *app = NULL;

    assert_ok(compose_load_text(text, strlen(text), "c.yaml", "shop", NULL, &app, &e));
    return app;
}

static void world_release(struct world *w)
{
    for (size_t i = 0; i < w->n_cs; i++)
        container_unref(w->cs[i]);
    for (size_t i = 0; i < w->n_ns; i++)
        network_unref(w->ns[i]);
    for (size_t i = 0; i < w->n_vs; i++)
        volume_unref(w->vs[i]);
    app_free(w->previous);
    *w = (struct world){0};
}

#define cleanup_world __attribute__((cleanup(world_release)))

static const char *image_of(void *arg, const char *ref)
{
    (void)ref;
    return ((struct world *)arg)->image_id;
}

static struct plan plan_of(const struct app *want, struct world *w)
{
    struct plan_world pw = {.containers = w->cs,
                            .n_containers = w->n_cs,
                            .networks = w->ns,
                            .n_networks = w->n_ns,
                            .volumes = w->vs,
                            .n_volumes = w->n_vs,
                            .image_id = image_of,
                            .image_arg = w,
                            .previous = w->previous};
    struct plan p;

    plan_app(want, &pw, &p);
    return p;
}

static struct container *container_named(struct world *w, const char *name)
{
    for (size_t i = 0; i < w->n_cs; i++)
        if (str_eq(w->cs[i]->name, name))
            return w->cs[i];
    return NULL;
}

static struct container *of(struct world *w, const char *service)
{
    cleanup_free char *name = str_printf("shop-%s-1", service);

    return container_named(w, name);
}

static void remove_container(struct world *w, const char *id)
{
    for (size_t i = 0; i < w->n_cs; i++) {
        if (!str_eq(w->cs[i]->id, id))
            continue;
        container_unref(w->cs[i]);
        w->cs[i] = w->cs[--w->n_cs];
        return;
    }
    fail_msg("no container %s", id);
}

static struct container *by_id(struct world *w, const char *id)
{
    for (size_t i = 0; i < w->n_cs; i++)
        if (str_eq(w->cs[i]->id, id))
            return w->cs[i];
    fail_msg("no container %s", id);
    return NULL;
}

static void create(struct world *w, const struct app *want, const struct plan_op *op)
{
    const struct app_service *s = app_find_service(want, op->service);
    struct container *c = container_new();

    assert_null(container_named(w, op->resource));
    for (size_t i = 0; i < s->networks.n; i++) {
        const char *name = app_find_network(want, s->networks.v[i])->net->name;
        bool there = false;

        for (size_t k = 0; k < w->n_ns && !there; k++)
            there = str_eq(w->ns[k]->name, name);
        if (!there)
            fail_msg("%s is made before network %s", op->resource, name);
    }
    free(c->id);
    c->id = str_printf("c%u", ++w->next_id);
    str_set(&c->name, op->resource);
    str_set(&c->app, want->name);
    str_set(&c->service, s->name);
    str_set(&c->spec_hash, s->hash_d);
    str_set(&c->image_id, w->image_id ? w->image_id : "");
    container_spec_free(c->spec);
    c->spec = container_spec_copy(s->spec);
    c->goal = GOAL_CREATED;
    c->created_ns = w->next_id;
    w->cs[w->n_cs++] = c;
}

static void remove_network(struct world *w, const char *name)
{
    for (size_t i = 0; i < w->n_cs; i++)
        for (size_t k = 0; k < w->cs[i]->spec->n_endpoints; k++)
            if (str_eq(w->cs[i]->spec->endpoints[k].network, name))
                fail_msg("%s goes while %s uses it", name, w->cs[i]->name);
    for (size_t i = 0; i < w->n_ns; i++) {
        if (!str_eq(w->ns[i]->name, name))
            continue;
        network_unref(w->ns[i]);
        w->ns[i] = w->ns[--w->n_ns];
        return;
    }
    fail_msg("no network %s", name);
}

static void create_network(struct world *w, const struct app *want, const char *name)
{
    for (size_t i = 0; i < want->n_networks; i++) {
        if (!str_eq(want->networks[i].net->name, name))
            continue;
        struct network *n = network_copy(want->networks[i].net);

        free(n->id);
        n->id = str_printf("n%u", ++w->next_id);
        w->ns[w->n_ns++] = n;
        return;
    }
    fail_msg("no network %s", name);
}

static void create_volume(struct world *w, const struct app *want, const char *name)
{
    for (size_t i = 0; i < want->n_volumes; i++) {
        if (!str_eq(want->volumes[i].vol->name, name))
            continue;
        w->vs[w->n_vs++] = volume_copy(want->volumes[i].vol);
        return;
    }
    fail_msg("no volume %s", name);
}

static void update(struct container *c, const struct app_service *s)
{
    c->spec->restart = s->spec->restart;
    c->spec->restart_max = s->spec->restart_max;
    c->spec->stop_timeout_s = s->spec->stop_timeout_s;
    str_set(&c->spec->stop_signal, s->spec->stop_signal);
    kvs_copy(&c->spec->labels, &s->spec->labels);
}

static void apply(struct world *w, const struct app *want, const struct plan_op *op)
{
    struct container *c;

    switch (op->kind) {
    case PLAN_CREATE_NETWORK:
        create_network(w, want, op->resource);
        break;
    case PLAN_REMOVE_NETWORK:
        remove_network(w, op->resource);
        break;
    case PLAN_CREATE_VOLUME:
        create_volume(w, want, op->resource);
        break;
    case PLAN_CREATE_CONTAINER:
        create(w, want, op);
        break;
    case PLAN_START_CONTAINER:
        c = by_id(w, op->object_id);
        c->goal = GOAL_RUNNING;
        c->keep = true;
        c->state.status = STATUS_RUNNING;
        c->state.started_ns = ++w->next_id;
        c->state.manually_stopped = false;
        break;
    case PLAN_STOP_CONTAINER:
        c = by_id(w, op->object_id);
        c->goal = GOAL_STOPPED;
        c->keep = true;
        c->state.status = STATUS_EXITED;
        break;
    case PLAN_REMOVE_CONTAINER:
        c = by_id(w, op->object_id);
        if (c->state.status == STATUS_RUNNING)
            fail_msg("%s is removed while it runs", c->name);
        remove_container(w, op->object_id);
        break;
    case PLAN_UPDATE_CONTAINER:
        update(by_id(w, op->object_id), app_find_service(want, op->service));
        break;
    case PLAN_BLOCKED:
        fail_msg("a blocked operation is ready");
    }
}

/* Plans and does what is ready until nothing is; the number of operations done. */
static unsigned settle(struct world *w, const struct app *want)
{
    unsigned done = 0;

    for (int round = 0; round < 100; round++) {
        struct plan p = plan_of(want, w);
        unsigned now = 0;

        for (size_t i = 0; i < p.n; i++) {
            if (!p.ops[i].ready)
                continue;
            apply(w, want, &p.ops[i]);
            now++;
        }
        plan_release(&p);
        done += now;
        if (!now)
            return done;
    }
    fail_msg("does not settle");
    return 0;
}

static char *text_of(const struct plan *p)
{
    cleanup_buf struct buf b = BUF_INIT(64 * 1024);

    for (size_t i = 0; i < p->n; i++)
        buf_addf(&b, "%s %s (%s)%s%s\n", plan_op_name(p->ops[i].kind), p->ops[i].resource,
                 p->ops[i].cause, p->ops[i].waiting_for ? " waits: " : "",
                 p->ops[i].waiting_for ? p->ops[i].waiting_for : "");
    return buf_take(&b);
}

static void expect(const struct app *want, struct world *w, const char *text)
{
    struct plan p = plan_of(want, w);
    cleanup_free char *have = text_of(&p);

    plan_release(&p);
    assert_string_equal(have, text);
}

#define SHOP                                                                     \
    "services:\n"                                                                \
    "  web: {image: w, depends_on: [db], ports: ['8080:80'], restart: always}\n" \
    "  db: {image: d, volumes: ['data:/d'], restart: always}\n"                  \
    "volumes: {data: }\n"

/* -------------------------------------------------------------------- tables */

static void nothing_there_makes_everything_in_order(void **state)
{
    cleanup_app struct app *shop = model(SHOP);
    cleanup_world struct world w = {0};

    (void)state;
    expect(shop, &w,
           "create volume shop_data (not there)\n"
           "create network shop_default (not there)\n"
           "create container shop-db-1 (not there) waits: create network shop_default\n"
           "start container shop-db-1 (not there) waits: create container shop-db-1\n"
           "create container shop-web-1 (not there) waits: create network shop_default\n"
           "start container shop-web-1 (not there) waits: create container shop-web-1\n");
    assert_int_equal(settle(&w, shop), 6);
    expect(shop, &w, "");
}

static void only_what_changed_is_made_anew(void **state)
{
    cleanup_app struct app *shop = model(SHOP);
    cleanup_app struct app *next = model("services:\n"
                                         "  web: {image: w, depends_on: [db], ports: ['8081:80'], "
                                         "restart: always}\n"
                                         "  db: {image: d, volumes: ['data:/d'], restart: always}\n"
                                         "volumes: {data: }\n");
    cleanup_world struct world w = {0};

    (void)state;
    settle(&w, shop);
    w.previous = app_copy(shop);
    expect(next, &w,
           "stop container shop-web-1 (ports: 8080:80 -> 8081:80)\n"
           "remove container shop-web-1 (ports: 8080:80 -> 8081:80) waits: stop container "
           "shop-web-1\n"
           "create container shop-web-1 (ports: 8080:80 -> 8081:80) waits: remove container "
           "shop-web-1\n"
           "start container shop-web-1 (ports: 8080:80 -> 8081:80) waits: create container "
           "shop-web-1\n");
    settle(&w, next);
    expect(next, &w, "");
}

static void a_service_that_leaves_goes_and_its_volume_stays(void **state)
{
    cleanup_app struct app *shop = model(SHOP);
    cleanup_app struct app *next =
        model("services:\n  web: {image: w, ports: ['8080:80'], restart: always}\n");
    cleanup_world struct world w = {0};

    (void)state;
    settle(&w, shop);
    w.previous = app_copy(shop);
    expect(next, &w,
           "stop container shop-db-1 (left the file)\n"
           "remove container shop-db-1 (left the file) waits: stop container shop-db-1\n"
           "update container shop-web-1 (depends_on: db -> none)\n");
    settle(&w, next);
    expect(next, &w, "");
    assert_int_equal(w.n_vs, 1);
}

static void no_model_removes_all_but_volumes(void **state)
{
    cleanup_app struct app *shop = model(SHOP);
    cleanup_world struct world w = {0};

    (void)state;
    settle(&w, shop);
    w.previous = app_copy(shop);
    expect(NULL, &w,
           "stop container shop-web-1 (the app goes)\n"
           "stop container shop-db-1 (the app goes) waits: stop container shop-web-1\n"
           "remove container shop-web-1 (the app goes) waits: stop container shop-web-1\n"
           "remove container shop-db-1 (the app goes) waits: stop container shop-db-1\n"
           "remove network shop_default (the app goes) waits: remove container shop-db-1\n");
    settle(&w, NULL);
    assert_int_equal(w.n_cs + w.n_ns, 0);
    assert_int_equal(w.n_vs, 1);
}

static void without_prune_nothing_is_removed(void **state)
{
    cleanup_app struct app *app = model("services: {a: {image: x}, b: {image: y}}");
    cleanup_app struct app *next = model("x-ballast: {prune: false}\nservices: {a: {image: x}}");
    cleanup_world struct world w = {0};

    (void)state;
    settle(&w, app);
    expect(next, &w, "");
}

static void what_is_gone_comes_back(void **state)
{
    cleanup_app struct app *shop = model(SHOP);
    cleanup_world struct world w = {0};

    (void)state;
    settle(&w, shop);
    remove_container(&w, of(&w, "db")->id);
    expect(shop, &w,
           "create container shop-db-1 (not there)\n"
           "start container shop-db-1 (not there) waits: create container shop-db-1\n");
    of(&w, "web")->goal = GOAL_ABSENT;
    of(&w, "web")->state.status = STATUS_REMOVING;
    expect(shop, &w,
           "create container shop-db-1 (not there)\n"
           "start container shop-db-1 (not there) waits: create container shop-db-1\n"
           "create container shop-web-1 () waits: shop-web-1 is being removed\n"
           "start container shop-web-1 () waits: create container shop-web-1\n");
}

static void exits_are_judged_by_policy_and_by_who_stopped(void **state)
{
    static const struct {
        const char *restart;
        int code;
        bool manual, keep;
        enum container_goal goal;
        const char *want;
    } cases[] = {
        {"always",       1,   false, true,  GOAL_RUNNING, ""                                 },
        {"always",       1,   true,  false, GOAL_STOPPED,
         "blocked shop-a-1 (stopped by hand; held until its file changes or it is started)\n"},
        {"always",       143, false, true,  GOAL_STOPPED,
         "start container shop-a-1 (was stopped for a change)\n"                             },
        {"always",       0,   false, false, GOAL_STOPPED,
         "start container shop-a-1 (exited (0), and restart is always)\n"                    },
        {"'no'",         0,   false, false, GOAL_STOPPED, ""                                 },
        {"'no'",         3,   false, false, GOAL_STOPPED,
         "blocked shop-a-1 (exited (3); restart is no, so it is not run again at this "
         "revision)\n"                                                                       },
        {"on-failure",   0,   false, false, GOAL_STOPPED, ""                                 },
        {"on-failure:2", 5,   false, false, GOAL_STOPPED,
         "blocked shop-a-1 (exited (5) and was restarted 2 times: no more attempts)\n"       },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_free char *text =
            str_printf("services: {a: {image: x, restart: %s}}", cases[i].restart);
        cleanup_app struct app *app = model(text);
        cleanup_world struct world w = {0};

        settle(&w, app);
        struct container *c = of(&w, "a");

        c->state.status = STATUS_EXITED;
        c->state.exit_code = cases[i].code;
        c->state.restart_tries = 2;
        c->state.manually_stopped = cases[i].manual;
        c->keep = cases[i].keep;
        c->goal = cases[i].goal;
        expect(app, &w, cases[i].want);
    }
}

static void a_new_revision_ends_a_hold(void **state)
{
    cleanup_app struct app *app = model("services: {a: {image: x}, b: {image: x}}");
    cleanup_app struct app *next = model("services: {a: {image: x}, b: {image: y}}");
    cleanup_world struct world w = {0};

    (void)state;
    settle(&w, app);
    w.previous = app_copy(app);
    struct container *a = of(&w, "a");

    a->state.status = STATUS_EXITED;
    a->state.manually_stopped = true;
    a->goal = GOAL_STOPPED;
    expect(app, &w,
           "blocked shop-a-1 (stopped by hand; held until its file changes or it is started)\n");
    settle(&w, next);
    assert_int_equal(of(&w, "a")->state.status, STATUS_RUNNING);
}

static void what_the_engine_alone_uses_is_changed_in_place(void **state)
{
    cleanup_app struct app *app =
        model("services: {a: {image: x, restart: always, labels: {l: 1, m: 1}}}");
    cleanup_app struct app *next = model("services: {a: {image: x, restart: unless-stopped, "
                                         "labels: {l: 2}, stop_grace_period: 3s}}");
    cleanup_world struct world w = {0};

    (void)state;
    settle(&w, app);
    w.previous = app_copy(app);
    struct plan p = plan_of(next, &w);

    assert_int_equal(p.n, 1);
    assert_int_equal(p.ops[0].kind, PLAN_UPDATE_CONTAINER);
    assert_string_equal(p.ops[0].changes.v[0], "restart: always -> unless-stopped");
    plan_release(&p);
    settle(&w, next);
    expect(next, &w, "");
    assert_int_equal(of(&w, "a")->state.started_ns, 3); /* it was not touched */
}

static void values_of_variables_are_not_shown(void **state)
{
    cleanup_app struct app *app =
        model("services: {a: {image: x, environment: {PASS: s3cret, OLD: 1}}}");
    cleanup_app struct app *next =
        model("services: {a: {image: y, environment: {PASS: t0psecret, NEW: 1}, mem_limit: 64m, "
              "read_only: true}}");
    cleanup_world struct world w = {0};
    cleanup_buf struct buf b = BUF_INIT(64 * 1024);
    struct jsonw jw = JSONW_INIT(&b);

    (void)state;
    settle(&w, app);
    w.previous = app_copy(app);
    struct plan p = plan_of(next, &w);

    plan_write(&p, &jw);
    plan_release(&p);
    assert_null(strstr(b.data, "secret"));
    assert_null(strstr(b.data, "s3cret"));
    assert_non_null(strstr(b.data, "\"changes\":[\"image: x -> y\",\"mem_limit: none -> 64m\","
                                   "\"environment: NEW is new\",\"environment: PASS changed\","
                                   "\"environment: OLD is gone\",\"ReadonlyRootfs is gone\"]") ||
                    strstr(b.data, "ReadonlyRootfs"));
    assert_non_null(strstr(b.data, "\"cause\":\"image, mem_limit, environment, "
                                   "ReadonlyRootfs changed\""));
}

static void conditions_hold_a_start_back(void **state)
{
    cleanup_app struct app *app =
        model("services:\n"
              "  web: {image: w, depends_on: {db: {condition: service_healthy}, job: {condition: "
              "service_completed_successfully}}}\n"
              "  db: {image: d}\n  job: {image: j}\n");
    cleanup_world struct world w = {0};

    (void)state;
    settle(&w, app);
    str_set(&of(&w, "db")->state.health, "starting");
    assert_int_equal(of(&w, "web")->state.status, STATUS_CREATED);
    expect(app, &w,
           "start container shop-web-1 (not started) waits: db is not healthy yet (starting)\n");
    str_set(&of(&w, "db")->state.health, "healthy");
    expect(app, &w, "start container shop-web-1 (not started) waits: job has not completed yet\n");
    struct container *job = of(&w, "job");

    job->state.status = STATUS_EXITED;
    job->state.exit_code = 2;
    job->goal = GOAL_STOPPED;
    job->keep = false;
    expect(app, &w,
           "blocked shop-job-1 (exited (2); restart is no, so it is not run again at this "
           "revision)\n"
           "start container shop-web-1 (not started) waits: job failed with exit code 2\n");
    job->state.exit_code = 0;
    expect(app, &w, "start container shop-web-1 (not started)\n");
}

static void a_dependent_restarts_or_is_made_anew_with_its_dependency(void **state)
{
    static const char text[] = "services:\n"
                               "  db: {image: %s, restart: always}\n"
                               "  web: {image: w, depends_on: {db: {condition: service_started, "
                               "restart: true}}}\n"
                               "  side: {image: s, network_mode: 'service:db'}\n"
                               "  other: {image: o, depends_on: [db]}\n";
    cleanup_free char *t1 = str_printf(text, "d1"), *t2 = str_printf(text, "d2");
    cleanup_app struct app *app = model(t1);
    cleanup_app struct app *next = model(t2);
    cleanup_world struct world w = {0};

    (void)state;
    settle(&w, app);
    w.previous = app_copy(app);
    cleanup_free char *web = xstrdup(of(&w, "web")->id), *side = xstrdup(of(&w, "side")->id),
                      *other = xstrdup(of(&w, "other")->id);
    int64_t web_started = of(&w, "web")->state.started_ns;
    int64_t other_started = of(&w, "other")->state.started_ns;

    settle(&w, next);
    expect(next, &w, "");
    assert_string_equal(of(&w, "web")->id, web);
    assert_true(of(&w, "web")->state.started_ns > web_started);
    assert_string_not_equal(of(&w, "side")->id, side);
    assert_string_equal(of(&w, "other")->id, other);
    assert_int_equal(of(&w, "other")->state.started_ns, other_started);
}

static void a_changed_network_takes_its_containers_along(void **state)
{
    cleanup_app struct app *app = model("services: {a: {image: x, networks: [n]}, b: {image: y, "
                                        "networks: [m]}}\nnetworks: {n: , m: }\n");
    cleanup_app struct app *next = model("services: {a: {image: x, networks: [n]}, b: {image: y, "
                                         "networks: [m]}}\nnetworks: {n: {internal: true}, m: }\n");
    cleanup_world struct world w = {0};

    (void)state;
    settle(&w, app);
    w.previous = app_copy(app);
    cleanup_free char *b = xstrdup(of(&w, "b")->id);

    expect(next, &w,
           "stop container shop-a-1 (network shop_n changed)\n"
           "remove container shop-a-1 (network shop_n changed) waits: stop container shop-a-1\n"
           "remove network shop_n (its definition changed) waits: remove container shop-a-1\n"
           "create network shop_n (its definition changed) waits: remove network shop_n\n"
           "create container shop-a-1 (network shop_n changed) waits: remove container shop-a-1\n"
           "start container shop-a-1 (network shop_n changed) waits: create container shop-a-1\n");
    settle(&w, next);
    expect(next, &w, "");
    assert_string_equal(of(&w, "b")->id, b);
}

static void volumes_are_never_made_anew(void **state)
{
    cleanup_app struct app *app =
        model("services: {a: {image: x, volumes: ['v:/v']}}\nvolumes: {v: }");
    cleanup_app struct app *next = model(
        "services: {a: {image: x, volumes: ['v:/v']}}\nvolumes: {v: {driver_opts: {type: nfs}}}");
    cleanup_world struct world w = {0};

    (void)state;
    settle(&w, app);
    expect(next, &w,
           "blocked shop_v (VolumeConfigChanged: driver, options or labels differ, and a volume is "
           "never made anew; remove it by hand, or give it another name)\n");
}

static void what_is_not_ours_is_left_alone(void **state)
{
    cleanup_app struct app *app =
        model("services: {a: {image: x, networks: [n, pub], volumes: ['v:/v']}}\nnetworks: {n: , "
              "pub: {external: true}}\nvolumes: {v: {external: true, name: theirs}}");
    cleanup_world struct world w = {0};
    struct network *n = network_new();

    (void)state;
    str_set(&n->name, "shop_n");
    str_set(&n->id, "foreign");
    w.ns[w.n_ns++] = n;
    struct plan p = plan_of(app, &w);
    cleanup_free char *text = text_of(&p);

    plan_release(&p);
    assert_string_equal(
        text, "blocked theirs (the volume is external, but there is none of this name)\n"
              "blocked shop_n (a network of this name exists and is not this app's)\n"
              "blocked pub (the network is external, but there is none of this name)\n"
              "create container shop-a-1 (not there) waits: network shop_n: a network of this name "
              "exists and is not this app's\n"
              "start container shop-a-1 (not there) waits: create container shop-a-1\n");
    kvs_set(&n->labels, "com.docker.compose.project", "shop");
    p = plan_of(app, &w);
    assert_int_equal(p.n, 4);
    plan_release(&p);
}

static void another_image_behind_the_tag_is_a_change(void **state)
{
    cleanup_app struct app *app = model("services: {a: {image: x}}");
    cleanup_world struct world w = {.image_id = "sha256:1"};

    (void)state;
    settle(&w, app);
    expect(app, &w, "");
    w.image_id = "sha256:2";
    struct plan p = plan_of(app, &w);

    assert_int_equal(p.n, 4);
    assert_string_equal(p.ops[0].cause, "x is another image now");
    plan_release(&p);
}

/* --------------------------------------------------------------- properties */

static uint64_t seed;

static unsigned roll(unsigned n)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(seed >> 33) % n;
}

/* A random app of up to five services; dependencies go backwards only. */
static struct app *random_model(void)
{
    static const char *const restarts[] = {"always", "unless-stopped", "'no'", "on-failure:2"};
    cleanup_buf struct buf b = BUF_INIT(64 * 1024);
    unsigned n = 1 + roll(5);

    buf_addf(&b, "services:\n");
    for (unsigned i = 0; i < n; i++) {
        buf_addf(&b, "  s%u:\n    image: i%u\n    restart: %s\n", i, roll(2), restarts[roll(4)]);
        buf_addf(&b, "    labels: {l: %u}\n", roll(2));
        if (i && roll(2))
            buf_addf(&b, "    depends_on: {s%u: {condition: service_started, restart: %s}}\n",
                     roll(i), roll(2) ? "true" : "false");
        if (i && roll(5) == 0)
            buf_addf(&b, "    network_mode: 'service:s%u'\n", roll(i));
        else
            buf_addf(&b, "    networks: [n%u]\n", roll(2));
        if (roll(2))
            buf_addf(&b, "    volumes: ['v%u:/v']\n", roll(2));
    }
    buf_addf(&b, "networks: {n0: {internal: %s}, n1: }\nvolumes: {v0: , v1: }\n",
             roll(2) ? "true" : "false");
    return model(b.data);
}

static void disturb(struct world *w)
{
    for (size_t i = 0; i < w->n_cs; i++) {
        struct container *c = w->cs[i];

        switch (roll(8)) {
        case 0:
            remove_container(w, c->id);
            i--;
            break;
        case 1:
            c->state.status = STATUS_EXITED;
            c->goal = GOAL_STOPPED;
            c->keep = false;
            c->state.exit_code = (int)roll(2);
            break;
        case 2:
            c->state.status = STATUS_EXITED;
            c->goal = GOAL_STOPPED;
            c->keep = true;
            break;
        case 3:
            c->state.status = STATUS_EXITED;
            c->goal = GOAL_STOPPED;
            c->state.manually_stopped = true;
            break;
        default:
            break;
        }
    }
}

static void strangers(struct world *w)
{
    struct container *c = container_new();
    struct network *n = network_new();

    str_set(&c->id, "stranger");
    str_set(&c->name, "stranger");
    str_set(&c->app, "other");
    str_set(&c->service, "s0");
    c->state.status = STATUS_RUNNING;
    w->cs[w->n_cs++] = c;
    str_set(&n->id, "strange net");
    str_set(&n->name, "other_net");
    str_set(&n->app, "other");
    w->ns[w->n_ns++] = n;
}

static void check_plan(const struct plan *p)
{
    assert_true(p->n < 60);
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_op *o = &p->ops[i];

        assert_string_not_equal(o->object_id, "stranger");
        assert_string_not_equal(o->object_id, "strange net");
        assert_true(o->ready == (o->n_after == 0 && !o->waiting_for && o->kind != PLAN_BLOCKED));
        for (size_t k = 0; k < o->n_after; k++)
            assert_true(o->after[k] < i);
    }
}

/* One random operation that is ready, then a new plan: any order that the plan allows. */
static void settle_in_random_order(struct world *w, const struct app *want)
{
    size_t volumes = w->n_vs;

    for (int round = 0; round < 400; round++) {
        struct plan p = plan_of(want, w);
        size_t ready[64], n = 0;

        check_plan(&p);
        for (size_t i = 0; i < p.n; i++)
            if (p.ops[i].ready)
                ready[n++] = i;
        if (n)
            apply(w, want, &p.ops[ready[roll((unsigned)n)]]);
        plan_release(&p);
        assert_true(w->n_vs >= volumes);
        if (!n)
            return;
    }
    fail_msg("does not settle, seed %llu", (unsigned long long)seed);
}

/* Whatever is left is only what a person or a job holds back. */
static void check_settled(struct world *w, const struct app *want)
{
    struct plan p = plan_of(want, w);

    for (size_t i = 0; i < p.n; i++) {
        const struct plan_op *o = &p.ops[i];
        bool held = o->kind == PLAN_BLOCKED ||
                    (o->waiting_for && strstr(o->waiting_for, "stopped by hand")) ||
                    (o->kind == PLAN_START_CONTAINER && !o->ready);

        if (!held) {
            cleanup_free char *text = text_of(&p);

            fail_msg("left over: %s", text);
        }
    }
    plan_release(&p);
}

static void any_world_converges_in_any_order(void **state)
{
    (void)state;
    for (unsigned run = 0; run < 150; run++) {
        cleanup_world struct world w = {0};

        seed = run * 7919 + 17;
        strangers(&w);
        for (int step = 0; step < 4; step++) {
            cleanup_app struct app *want = random_model();

            settle_in_random_order(&w, want);
            check_settled(&w, want);
            disturb(&w);
            if (w.n_cs == 0 || !container_named(&w, "stranger"))
                strangers(&w);
            settle_in_random_order(&w, want);
            check_settled(&w, want);
            app_free(w.previous);
            w.previous = app_copy(want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_there_makes_everything_in_order),
        cmocka_unit_test(only_what_changed_is_made_anew),
        cmocka_unit_test(a_service_that_leaves_goes_and_its_volume_stays),
        cmocka_unit_test(no_model_removes_all_but_volumes),
        cmocka_unit_test(without_prune_nothing_is_removed),
        cmocka_unit_test(what_is_gone_comes_back),
        cmocka_unit_test(exits_are_judged_by_policy_and_by_who_stopped),
        cmocka_unit_test(a_new_revision_ends_a_hold),
        cmocka_unit_test(what_the_engine_alone_uses_is_changed_in_place),
        cmocka_unit_test(values_of_variables_are_not_shown),
        cmocka_unit_test(conditions_hold_a_start_back),
        cmocka_unit_test(a_dependent_restarts_or_is_made_anew_with_its_dependency),
        cmocka_unit_test(a_changed_network_takes_its_containers_along),
        cmocka_unit_test(volumes_are_never_made_anew),
        cmocka_unit_test(what_is_not_ours_is_left_alone),
        cmocka_unit_test(another_image_behind_the_tag_is_a_change),
        cmocka_unit_test(any_world_converges_in_any_order),
    };
    return cmocka_run_group_tests_name("reconciler/plan", tests, NULL, NULL);
}
