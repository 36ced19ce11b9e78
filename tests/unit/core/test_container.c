#include "base/mem.h"
#include "base/time.h"
#include "core/container.h"
#include "core/event.h"
#include "core/runtime.h"
#include "tests/unit/unit.h"

static struct container *sample(void)
{
    struct container *c = container_new();
    struct container_state *s = &c->state;

    str_set(&c->id, "id");
    str_set(&c->name, "web");
    s->status = STATUS_EXITED;
    s->exit_code = -1;
    s->oom_killed = true;
    str_set(&s->error, "no \"such\" file");
    s->started_ns = 5;
    s->restart_count = 3;
    s->manually_stopped = true;
    str_set(&s->health, "healthy");
    s->endpoints = xcalloc(1, sizeof(*s->endpoints));
    s->n_endpoints = 1;
    s->endpoints[0].network_id = xstrdup("n1");
    s->endpoints[0].id = xstrdup("e1");
    s->endpoints[0].mac = xstrdup("02:00:00:00:00:01");
    s->endpoints[0].prefix_len = 16;
    strv_add(&s->endpoints[0].aliases, "db");
    strv_add(&s->endpoints[0].dns_names, "web");
    s->ports = xcalloc(1, sizeof(*s->ports));
    s->n_ports = 1;
    s->ports[0] = (struct port_map){53, PROTO_UDP, xstrdup("::"), 1053};
    return c;
}

static void same_state(const struct container_state *a, const struct container_state *b)
{
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->exit_code, b->exit_code);
    assert_int_equal(a->oom_killed, b->oom_killed);
    assert_string_equal(a->error, b->error);
    assert_int_equal(a->started_ns, b->started_ns);
    assert_int_equal(a->finished_ns, b->finished_ns);
    assert_int_equal(a->restart_count, b->restart_count);
    assert_int_equal(a->manually_stopped, b->manually_stopped);
    assert_string_equal(a->health, b->health);
    assert_int_equal(a->n_endpoints, b->n_endpoints);
    assert_string_equal(a->endpoints[0].mac, b->endpoints[0].mac);
    assert_int_equal(a->endpoints[0].prefix_len, b->endpoints[0].prefix_len);
    assert_true(strv_eq(&a->endpoints[0].aliases, &b->endpoints[0].aliases));
    assert_true(strv_eq(&a->endpoints[0].dns_names, &b->endpoints[0].dns_names));
    assert_int_equal(a->n_ports, b->n_ports);
    assert_int_equal(a->ports[0].proto, b->ports[0].proto);
    assert_int_equal(a->ports[0].host_port, b->ports[0].host_port);
    assert_string_equal(a->ports[0].host_ip, b->ports[0].host_ip);
}

static void a_state_loads_as_it_was_stored(void **state)
{
    cleanup_container struct container *c = sample();
    cleanup_buf struct buf b = BUF_INIT(1 << 20);
    cleanup_json struct json_doc doc = {0};
    struct jsonw w = JSONW_INIT(&b);
    struct container_state s = {0};
    struct json root;

    (void)state;
    container_state_store(&c->state, &w);
    assert_ok(json_parse(b.data, b.len, &doc, &e));
    root = json_root(&doc);
    assert_ok(container_state_load(&root, &s, &e));
    same_state(&c->state, &s);
    assert_int_equal(s.finished_ns, TIME_ZERO);
    container_state_release(&s);
}

static void a_copy_shares_nothing(void **state)
{
    struct container *c = sample();
    cleanup_container struct container *d = container_copy(c);

    (void)state;
    same_state(&c->state, &d->state);
    str_set(&d->name, "other");
    strv_add(&d->spec->env, "A=b");
    assert_string_equal(c->name, "web");
    assert_int_equal(c->spec->env.n, 0);
    container_unref(c);
    assert_string_equal(d->state.endpoints[0].id, "e1");
}

static void the_last_reference_frees(void **state)
{
    struct container *c = sample();
    const struct container *view = container_ref(c);

    (void)state;
    container_unref(c);
    assert_string_equal(view->name, "web");
    container_unref(view);
    container_unref(NULL);
}

static void every_status_has_a_name_that_reads_back(void **state)
{
    (void)state;
    for (int i = STATUS_CREATED; i <= STATUS_DEAD; i++) {
        enum container_status s;

        assert_int_equal(container_status_parse(container_status_name(i), &s), 0);
        assert_int_equal(s, i);
    }
    assert_int_equal(container_status_parse("up", &(enum container_status){0}), -1);
}

static void argv_is_the_entrypoint_and_then_the_command(void **state)
{
    cleanup_spec struct container_spec *s = container_spec_new();
    cleanup_strv struct strv argv = {0};

    (void)state;
    strv_add(&s->entrypoint, "/entry");
    strv_add(&s->cmd, "a");
    strv_add(&s->cmd, "b");
    container_argv(s, &argv);
    assert_int_equal(argv.n, 3);
    assert_string_equal(argv.v[0], "/entry");
    assert_string_equal(argv.v[2], "b");
}

static void an_event_copies_whole(void **state)
{
    cleanup_event struct event a, b;

    (void)state;
    event_init(&a, "container", "die", "id");
    assert_true(a.time_ns > 0);
    kvs_set(&a.attributes, "exitCode", "1");
    event_copy(&b, &a);
    assert_string_equal(b.action, "die");
    assert_string_equal(kvs_get(&b.attributes, "exitCode"), "1");
}

static void a_run_spec_frees_all_that_it_holds(void **state)
{
    struct run_spec *s = run_spec_new();
    struct exec_spec x = {.id = xstrdup("x"), .cwd = xstrdup("/"), .user = xstrdup("0")};

    (void)state;
    s->spec = container_spec_new();
    strv_add(&s->argv, "x");
    s->mounts = xcalloc(1, sizeof(*s->mounts));
    s->n_mounts = 1;
    s->mounts[0].source = xstrdup("/a");
    strv_add(&s->rootfs.lower, "/l");
    kvs_set(&s->log_opts, "a", "b");
    run_spec_free(s);
    run_spec_free(NULL);
    strv_add(&x.argv, "sh");
    exec_spec_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_loads_as_it_was_stored),
        cmocka_unit_test(a_copy_shares_nothing),
        cmocka_unit_test(the_last_reference_frees),
        cmocka_unit_test(every_status_has_a_name_that_reads_back),
        cmocka_unit_test(argv_is_the_entrypoint_and_then_the_command),
        cmocka_unit_test(an_event_copies_whole),
        cmocka_unit_test(a_run_spec_frees_all_that_it_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
