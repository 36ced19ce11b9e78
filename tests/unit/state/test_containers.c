#include "base/fault.h"
#include "base/id.h"
#include "tests/unit/state/state_test.h"

static struct container *sample(const char *id, const char *name)
{
    struct container *c = container_new();

    str_set(&c->id, id);
    str_set(&c->name, name);
    c->created_ns = 1234567890123456789;
    str_set(&c->image_id, "sha256:aa");
    str_set(&c->app, "shop");
    str_set(&c->service, "web");
    str_set(&c->spec_hash, "ff");
    c->goal = GOAL_RUNNING;
    c->keep = true;
    c->stop_grace_s = 5;
    c->stop_sig = 15;
    c->generation = 7;
    c->observed_generation = 6;
    strv_add(&c->spec->env, "A=ä\n\"b\"");
    kvs_set(&c->spec->labels, "k", "v");
    c->spec->memory = 1 << 30;
    c->state.status = STATUS_RUNNING;
    c->state.pid = 4711;
    c->state.started_ns = 99;
    str_set(&c->state.error, "none");
    c->state.endpoints = xcalloc(1, sizeof(*c->state.endpoints));
    c->state.n_endpoints = 1;
    c->state.endpoints[0].network_name = xstrdup("bridge");
    c->state.endpoints[0].ipv4 = xstrdup("172.17.0.2");
    c->state.endpoints[0].prefix_len = 16;
    c->state.ports = xcalloc(1, sizeof(*c->state.ports));
    c->state.n_ports = 1;
    c->state.ports[0] = (struct port_map){80, PROTO_TCP, xstrdup("0.0.0.0"), 8080};
    return c;
}

struct got {
    struct container *v[8];
    size_t n;
    struct state *st;
};

static int keep(void *arg, struct container *c, struct err *e)
{
    struct got *g = arg;

    (void)e;
    assert_true(g->n < 8);
    g->v[g->n++] = c;
    return 0;
}

static void drop(struct got *g)
{
    for (size_t i = 0; i < g->n; i++)
        container_unref(g->v[i]);
    g->n = 0;
}

static void a_container_comes_back_whole(void **arg)
{
    struct place *p = *arg;
    cleanup_container struct container *c = sample("id1", "one");
    struct got g = {0};
    const struct container *b;

    assert_ok(state_container_put(p->st, c, true, &e));
    place_reopen(p);
    assert_ok(state_container_each(p->st, keep, &g, &e));
    assert_int_equal(g.n, 1);
    b = g.v[0];
    assert_string_equal(b->id, "id1");
    assert_string_equal(b->name, "one");
    assert_int_equal(b->created_ns, c->created_ns);
    assert_string_equal(b->image_id, c->image_id);
    assert_string_equal(b->app, "shop");
    assert_string_equal(b->service, "web");
    assert_string_equal(b->spec_hash, "ff");
    assert_int_equal(b->goal, GOAL_RUNNING);
    assert_true(b->keep);
    assert_int_equal(b->stop_grace_s, 5);
    assert_int_equal(b->stop_sig, 15);
    assert_int_equal(b->generation, 7);
    assert_int_equal(b->observed_generation, 6);
    assert_string_equal(b->spec->env.v[0], "A=ä\n\"b\"");
    assert_int_equal(b->spec->memory, 1 << 30);
    assert_int_equal(b->state.status, STATUS_RUNNING);
    assert_int_equal(b->state.pid, 4711);
    assert_int_equal(b->state.started_ns, 99);
    assert_int_equal(b->state.finished_ns, TIME_ZERO);
    assert_string_equal(b->state.endpoints[0].ipv4, "172.17.0.2");
    assert_int_equal(b->state.ports[0].host_port, 8080);
    drop(&g);
}

static void putting_again_replaces(void **arg)
{
    struct place *p = *arg;
    cleanup_container struct container *c = sample("id1", "one");
    struct got g = {0};

    assert_ok(state_container_put(p->st, c, false, &e));
    str_set(&c->name, "renamed");
    c->state.status = STATUS_EXITED;
    assert_ok(state_container_put(p->st, c, false, &e));
    assert_ok(state_container_each(p->st, keep, &g, &e));
    assert_int_equal(g.n, 1);
    assert_string_equal(g.v[0]->name, "renamed");
    assert_int_equal(g.v[0]->state.status, STATUS_EXITED);
    drop(&g);
}

static void a_name_in_use_is_a_conflict_that_names_the_owner(void **arg)
{
    struct place *p = *arg;
    cleanup_container struct container *a = sample("id1", "one"), *b = sample("id2", "one");
    struct err e = ERR_INIT;

    assert_ok(state_container_put(p->st, a, false, &e));
    assert_int_equal(state_container_put(p->st, b, false, &e), -1);
    assert_int_equal(e.kind, ERR_CONFLICT);
    assert_string_equal(e.msg,
                        "Conflict. The container name \"/one\" is already in use by container "
                        "\"id1\". You have to remove (or rename) that container to be able to "
                        "reuse that name.");
    assert_ok(state_container_put(p->st, a, false, &e));
}

static void a_deleted_container_is_gone_and_its_name_is_free(void **arg)
{
    struct place *p = *arg;
    cleanup_container struct container *a = sample("id1", "one"), *b = sample("id2", "one");
    struct got g = {0};

    assert_ok(state_container_put(p->st, a, true, &e));
    assert_ok(state_container_delete(p->st, "id1", &e));
    assert_ok(state_container_delete(p->st, "id1", &e)); /* the absent is success */
    assert_ok(state_container_put(p->st, b, false, &e));
    assert_ok(state_container_delete(p->st, "id2", &e));
    assert_ok(state_container_each(p->st, keep, &g, &e));
    assert_int_equal(g.n, 0);
}

/* A reader of containers writes while it reads: the store must not hold its lock. */
static int write_back(void *arg, struct container *c, struct err *e)
{
    struct got *g = arg;
    int r = state_container_put(g->st, c, false, e) || state_meta_put(g->st, c->id, "seen", e);

    container_unref(c);
    g->n++;
    return r ? -1 : 0;
}

static void a_callback_may_write(void **arg)
{
    struct place *p = *arg;
    struct got g = {.st = p->st};

    for (int i = 0; i < 5; i++) {
        cleanup_free char *id = str_printf("id%d", i);
        cleanup_container struct container *c = sample(id, id);

        assert_ok(state_container_put(p->st, c, false, &e));
    }
    assert_ok(state_container_each(p->st, write_back, &g, &e));
    assert_int_equal(g.n, 5);
}

static int refuse(void *arg, struct container *c, struct err *e)
{
    (void)arg;
    container_unref(c);
    return err_set(e, ERR_CANCELLED, "enough");
}

static void a_callback_that_fails_ends_the_walk(void **arg)
{
    struct place *p = *arg;
    cleanup_container struct container *a = sample("id1", "one"), *b = sample("id2", "two");

    assert_ok(state_container_put(p->st, a, false, &e));
    assert_ok(state_container_put(p->st, b, false, &e));
    assert_err(state_container_each(p->st, refuse, NULL, &e), ERR_CANCELLED);
}

static void every_fault_point_leaves_the_old_row(void **arg)
{
#ifdef BALLAST_FAULTS
    struct place *p = *arg;
    cleanup_container struct container *c = sample("id1", "one");
    struct got g = {0};
    bool done = false;

    assert_ok(state_container_put(p->st, c, false, &e));
    for (unsigned n = 1; !done; n++) {
        struct err e = ERR_INIT;

        c->generation = 100 + n;
        fault_set("state.step", n, false);
        done = state_container_put(p->st, c, false, &e) == 0;
        fault_set(NULL, 0, false);
        assert_true(n < 20);
        assert_ok(state_container_each(p->st, keep, &g, &e));
        assert_int_equal(g.v[0]->generation, done ? c->generation : 7);
        drop(&g);
    }
#else
    (void)arg;
#endif
}

/* Not a benchmark: only that nothing is wrong by an order of magnitude. */
static void a_put_that_need_not_be_durable_is_fast(void **arg)
{
    struct place *p = *arg;
    cleanup_container struct container *c = sample("id1", "one");
    int64_t start = time_mono_ns(), per_put;

    for (int i = 0; i < 500; i++) {
        c->generation++;
        assert_ok(state_container_put(p->st, c, false, &e));
    }
    per_put = (time_mono_ns() - start) / 500;
    print_message("put: %lld us\n", (long long)per_put / 1000);
    assert_true(per_put < 5 * NS_PER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(a_container_comes_back_whole),
        PLACE_TEST(putting_again_replaces),
        PLACE_TEST(a_name_in_use_is_a_conflict_that_names_the_owner),
        PLACE_TEST(a_deleted_container_is_gone_and_its_name_is_free),
        PLACE_TEST(a_callback_may_write),
        PLACE_TEST(a_callback_that_fails_ends_the_walk),
        PLACE_TEST(every_fault_point_leaves_the_old_row),
        PLACE_TEST(a_put_that_need_not_be_durable_is_fast),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
