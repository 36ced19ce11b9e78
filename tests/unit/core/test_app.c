#include "base/mem.h"
#include "core/app.h"
#include "tests/unit/unit.h"

static void add_service(struct app *a, const char *name)
{
    struct app_service *s;

    a->services = xrealloc(a->services, (a->n_services + 1) * sizeof(*s));
    s = &a->services[a->n_services++];
    *s = (struct app_service){
        .name = xstrdup(name),
        .container_name = xstrdup(""),
        .spec = container_spec_new(),
        .pull_policy = xstrdup("missing"),
        .stop_grace_s = -1,
        .hash_a = xstrdup(""),
        .hash_d = xstrdup(""),
        .pos = {xstrdup("/p/compose.yaml"), 3, 5}
    };
    str_set(&s->spec->image, "nginx");
    strv_add(&s->spec->env, "A=1");
    strv_add(&s->spec->env, "B=2");
    kvs_set(&s->spec->labels, "x", "1");
    kvs_set(&s->spec->labels, "y", "2");
    strv_add(&s->networks, "front");
    s->depends = xcalloc(2, sizeof(*s->depends));
    s->n_depends = 2;
    s->depends[0] = (struct service_dependency){xstrdup("db"), DEPENDS_HEALTHY, true, true};
    s->depends[1] = (struct service_dependency){xstrdup("mq"), DEPENDS_STARTED, false, true};
}

static struct app *sample(void)
{
    struct app *a = app_new();

    str_set(&a->name, "shop");
    str_set(&a->source, "directory:apps");
    str_set(&a->project_dir, "/p");
    strv_add(&a->files, "/p/compose.yaml");
    add_service(a, "web");
    add_service(a, "api");
    a->networks = xcalloc(1, sizeof(*a->networks));
    a->n_networks = 1;
    a->networks[0] = (struct app_network){xstrdup("front"), false, network_new()};
    str_set(&a->networks[0].net->name, "shop_front");
    a->volumes = xcalloc(1, sizeof(*a->volumes));
    a->n_volumes = 1;
    a->volumes[0] = (struct app_volume){xstrdup("data"), true, volume_new()};
    str_set(&a->volumes[0].vol->name, "data");
    a->notices = xcalloc(1, sizeof(*a->notices));
    a->n_notices = 1;
    a->notices[0] = (struct app_notice){
        NOTICE_DEGRADED,
        xstrdup("web"),
        xstrdup("deploy"),
        xstrdup("not applied"),
        {xstrdup("/p/c"), 9, 2}
    };
    app_hash(a);
    return a;
}

static char *text_of(const struct app *a)
{
    struct buf b = BUF_INIT(1 << 20);
    struct jsonw w = JSONW_INIT(&b);

    app_store(a, &w);
    assert_ok(buf_check(&b, "app", &e));
    return buf_take(&b);
}

static void store_load_and_copy_are_the_identity(void **state)
{
    cleanup_app struct app *a = sample(), *b = app_new(), *c = NULL;
    cleanup_free char *ta = text_of(a), *tb = NULL;
    cleanup_json struct json_doc doc = {0};
    struct json root;

    (void)state;
    assert_ok(json_parse(ta, strlen(ta), &doc, &e));
    root = json_root(&doc);
    assert_ok(app_load(&root, b, &e));
    c = app_copy(b);
    tb = text_of(c);
    assert_string_equal(ta, tb);
    assert_int_equal(c->services[0].pos.line, 3);
    assert_int_equal(c->services[0].depends[0].condition, DEPENDS_HEALTHY);
    assert_string_equal(c->networks[0].net->name, "shop_front");
    assert_true(c->volumes[0].external);
    assert_int_equal(c->notices[0].level, NOTICE_DEGRADED);
    app_hash(c);
    assert_string_equal(c->revision, a->revision);
}

static void a_service_is_found_by_its_name(void **state)
{
    cleanup_app struct app *a = sample();

    (void)state;
    assert_ptr_equal(app_find_service(a, "api"), &a->services[1]);
    assert_null(app_find_service(a, "nope"));
    assert_ptr_equal(app_find_network(a, "front"), &a->networks[0]);
    assert_ptr_equal(app_find_volume(a, "data"), &a->volumes[0]);
}

static void order_without_a_meaning_changes_no_hash(void **state)
{
    cleanup_app struct app *a = sample(), *b = sample();
    struct app_service tmp = b->services[0], *s;
    struct service_dependency dep;

    (void)state;
    b->services[0] = b->services[1];
    b->services[1] = tmp;
    s = &b->services[1];
    strv_remove_at(&s->spec->env, 0);
    strv_add(&s->spec->env, "A=1");
    kvs_del(&s->spec->labels, "x");
    kvs_set(&s->spec->labels, "x", "1");
    dep = s->depends[0];
    s->depends[0] = s->depends[1];
    s->depends[1] = dep;
    s->pos.line = 99;
    str_set(&b->project_dir, "/elsewhere");
    app_hash(b);
    assert_string_equal(a->services[0].hash_a, s->hash_a);
    assert_string_equal(a->services[0].hash_d, s->hash_d);
    assert_string_equal(a->revision, b->revision);
}

static void label(struct app_service *s)
{
    kvs_set(&s->spec->labels, "x", "9");
}
static void restart(struct app_service *s)
{
    s->spec->restart = RESTART_ALWAYS;
}
static void health(struct app_service *s)
{
    s->spec->health.set = true;
}
static void stop_signal(struct app_service *s)
{
    str_set(&s->spec->stop_signal, "INT");
}
static void stop_grace(struct app_service *s)
{
    s->stop_grace_s = 7;
}
static void depends(struct app_service *s)
{
    s->depends[0].condition = DEPENDS_STARTED;
}
static void expose(struct app_service *s)
{
    s->spec->exposed = xcalloc(1, sizeof(*s->spec->exposed));
    s->spec->exposed[0].port = 80;
    s->spec->n_exposed = 1;
}
static void pull(struct app_service *s)
{
    str_set(&s->pull_policy, "always");
}
static void env(struct app_service *s)
{
    strv_add(&s->spec->env, "C=3");
}
static void image(struct app_service *s)
{
    str_set(&s->spec->image, "nginx:2");
}
static void memory(struct app_service *s)
{
    s->spec->memory = 1 << 30;
}
static void network(struct app_service *s)
{
    strv_add(&s->networks, "back");
}
static void name(struct app_service *s)
{
    str_set(&s->container_name, "web");
}
static void command(struct app_service *s)
{
    s->spec->cmd_set = true; /* [] is not null */
}

static void a_change_shows_in_the_hash_of_what_it_costs(void **state)
{
    static const struct {
        void (*change)(struct app_service *);
        bool a, d;
    } cases[] = {
        {label,       true,  false},
        {restart,     true,  false},
        {health,      true,  false},
        {stop_signal, true,  false},
        {stop_grace,  true,  false},
        {depends,     true,  false},
        {expose,      true,  false},
        {pull,        true,  false},
        {env,         false, true },
        {image,       false, true },
        {memory,      false, true },
        {network,     false, true },
        {name,        false, true },
        {command,     false, true },
    };
    cleanup_app struct app *before = sample();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_app struct app *after = sample();
        const struct app_service *b = &before->services[0], *s = &after->services[0];

        cases[i].change(&after->services[0]);
        app_hash(after);
        assert_int_equal(strcmp(b->hash_a, s->hash_a) != 0, cases[i].a);
        assert_int_equal(strcmp(b->hash_d, s->hash_d) != 0, cases[i].d);
        assert_string_not_equal(before->revision, after->revision);
        assert_string_equal(before->services[1].hash_d, after->services[1].hash_d);
        assert_int_equal(strlen(after->revision), 64);
    }
}

static void a_changed_network_changes_its_hash_and_the_revision(void **state)
{
    cleanup_app struct app *a = sample(), *b = sample();

    (void)state;
    b->networks[0].net->internal = true;
    b->networks[0].net->created_ns = 77;
    app_hash(b);
    assert_string_not_equal(a->networks[0].net->spec_hash, b->networks[0].net->spec_hash);
    assert_string_not_equal(a->revision, b->revision);
    assert_string_equal(a->services[0].hash_d, b->services[0].hash_d);
    b->networks[0].net->internal = false;
    app_hash(b);
    assert_string_equal(a->revision, b->revision); /* when it was made is no part of it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_load_and_copy_are_the_identity),
        cmocka_unit_test(a_service_is_found_by_its_name),
        cmocka_unit_test(order_without_a_meaning_changes_no_hash),
        cmocka_unit_test(a_change_shows_in_the_hash_of_what_it_costs),
        cmocka_unit_test(a_changed_network_changes_its_hash_and_the_revision),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
