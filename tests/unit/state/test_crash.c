/*
 * A child makes 1,000 random write transactions and tells of each that returned; it is killed with
 * SIGKILL at a random moment.  What it told of must be there afterwards; the one after it may be.
 *
 * Both sides draw the same transactions from the same seed, so a count is all that goes through the
 * pipe, and the parent knows what every row must hold.
 */
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/state/state_test.h"

#define TRANSACTIONS 1000
#define ROUNDS       40
#define OBJECTS      24

/* What each row must hold: -1 is "no such row". */
struct model {
    int64_t container[OBJECTS], network[OBJECTS], volume[OBJECTS], meta[OBJECTS], intent[OBJECTS];
    int64_t events;
};

static void model_init(struct model *m)
{
    memset(m, 0xff, sizeof(*m));
    m->events = 0;
}

struct op {
    enum {
        PUT_CONTAINER,
        DEL_CONTAINER,
        PUT_NETWORK,
        PUT_VOLUME,
        DEL_VOLUME,
        PUT_META,
        PUT_INTENT,
        DONE_INTENT,
        ADD_EVENT,
        OPS
    } kind;
    int object;
    int64_t value;
    bool durable;
};

static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static struct op draw(uint64_t *seed)
{
    uint64_t r = next(seed);

    return (struct op){.kind = r % OPS,
                       .object = (int)(r / OPS % OBJECTS),
                       .value = (int64_t)(next(seed) >> 2),
                       .durable = r % 1024 < 100};
}

/* ------------------------------------------------------------ doing one */

static int put_container(struct state *st, const struct op *op, struct err *e)
{
    cleanup_container struct container *c = container_new();

    free(c->id);
    c->id = str_printf("container-%d", op->object);
    str_set(&c->name, c->id);
    c->generation = op->value;
    for (int i = 0; i < op->value % 50; i++)
        strv_addf(&c->spec->env, "VARIABLE_%d=%lld", i, (long long)op->value);
    return state_container_put(st, c, op->durable, e);
}

static int put_network(struct state *st, const struct op *op, struct err *e)
{
    cleanup_network struct network *n = network_new();

    free(n->id);
    n->id = str_printf("network-%d", op->object);
    str_set(&n->name, n->id);
    n->generation = op->value;
    return state_network_put(st, n, op->durable, e);
}

static int put_volume(struct state *st, const struct op *op, const char *name, struct err *e)
{
    cleanup_volume struct volume *v = volume_new();

    str_set(&v->name, name);
    v->created_ns = op->value;
    return state_volume_put(st, v, op->durable, e);
}

static int add_event(struct state *st, const struct op *op, struct err *e)
{
    cleanup_event struct event ev;

    event_init(&ev, "container", "start", "id");
    kvs_setf(&ev.attributes, "value", "%lld", (long long)op->value);
    return state_event_add(st, &ev, e);
}

static int perform(struct state *st, const struct op *op, struct err *e)
{
    cleanup_free char *name =
        str_printf("%s-%d", op->kind <= DEL_CONTAINER ? "container" : "key", op->object);
    cleanup_free char *value = str_printf("%lld", (long long)op->value);

    switch (op->kind) {
    case PUT_CONTAINER:
        return put_container(st, op, e);
    case DEL_CONTAINER:
        return state_container_delete(st, name, e);
    case PUT_NETWORK:
        return put_network(st, op, e);
    case PUT_VOLUME:
        return put_volume(st, op, name, e);
    case DEL_VOLUME:
        return state_volume_delete(st, name, e);
    case PUT_META:
        return state_meta_put(st, name, value, e);
    case PUT_INTENT:
        return state_intent_put(st, name, value, e);
    case DONE_INTENT:
        return state_intent_done(st, name, e);
    case ADD_EVENT:
        return add_event(st, op, e);
    default:
        return 0;
    }
}

static void apply(struct model *m, const struct op *op)
{
    switch (op->kind) {
    case PUT_CONTAINER:
        m->container[op->object] = op->value;
        break;
    case DEL_CONTAINER:
        m->container[op->object] = -1;
        break;
    case PUT_NETWORK:
        m->network[op->object] = op->value;
        break;
    case PUT_VOLUME:
        m->volume[op->object] = op->value;
        break;
    case DEL_VOLUME:
        m->volume[op->object] = -1;
        break;
    case PUT_META:
        m->meta[op->object] = op->value;
        break;
    case PUT_INTENT:
        m->intent[op->object] = op->value;
        break;
    case DONE_INTENT:
        m->intent[op->object] = -1;
        break;
    case ADD_EVENT:
        m->events++;
        break;
    default:
        break;
    }
}

/* ------------------------------------------------------------ reading it back */

static int number_of(const char *name)
{
    return (int)strtol(strrchr(name, '-') + 1, NULL, 10);
}

static int see_container(void *arg, struct container *c, struct err *e)
{
    struct model *m = arg;

    (void)e;
    m->container[number_of(c->id)] = c->generation;
    /* the record is whole: env has as many entries as its generation says */
    assert_int_equal(c->spec->env.n, c->generation % 50);
    container_unref(c);
    return 0;
}

static int see_network(void *arg, struct network *n, struct err *e)
{
    struct model *m = arg;

    (void)e;
    m->network[number_of(n->id)] = n->generation;
    network_unref(n);
    return 0;
}

static int see_volume(void *arg, struct volume *v, struct err *e)
{
    struct model *m = arg;

    (void)e;
    m->volume[number_of(v->name)] = v->created_ns;
    volume_unref(v);
    return 0;
}

static int see_intent(void *arg, const char *key, const char *what, struct err *e)
{
    struct model *m = arg;

    (void)e;
    m->intent[number_of(key)] = strtoll(what, NULL, 10);
    return 0;
}

static int see_event(void *arg, const struct event *ev, struct err *e)
{
    struct model *m = arg;

    (void)e;
    m->events = ev->seq;
    return 0;
}

static void read_model(struct state *st, struct model *m)
{
    model_init(m);
    assert_ok(state_container_each(st, see_container, m, &e));
    assert_ok(state_network_each(st, see_network, m, &e));
    assert_ok(state_volume_each(st, see_volume, m, &e));
    assert_ok(state_intent_each(st, see_intent, m, &e));
    assert_ok(state_event_each(st, TIME_ZERO, TIME_ZERO, NULL, see_event, m, &e));
    for (int i = 0; i < OBJECTS; i++) {
        cleanup_free char *key = str_printf("key-%d", i), *value = NULL;

        assert_ok(state_meta_get(st, key, &value, &e));
        if (value)
            m->meta[i] = strtoll(value, NULL, 10);
    }
}

/* ------------------------------------------------------------ the two sides */

static void child(const char *path, uint64_t seed, int out)
{
    struct state *st = NULL;
    struct err e = ERR_INIT;

    if (state_open(path, &st, &e))
        _exit(1);
    for (int i = 0; i < TRANSACTIONS; i++) {
        struct op op = draw(&seed);

        if (perform(st, &op, &e) || write(out, "", 1) != 1)
            _exit(2);
    }
    _exit(0);
}

static int count_until_killed(pid_t pid, int in, int64_t after_ms)
{
    char told[256];
    int n = 0;
    ssize_t got;

    if (after_ms >= 0) {
        time_sleep_ms(after_ms);
        kill(pid, SIGKILL);
    }
    while ((got = read(in, told, sizeof(told))) > 0)
        n += (int)got;
    return n;
}

/* Returns how many were told of. */
static int one_round(struct place *p, struct model *m, uint64_t seed, int64_t after_ms)
{
    int fds[2], status, told;
    struct model seen, or_else;
    struct op op;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        close(fds[0]);
        child(p->path, seed, fds[1]);
    }
    close(fds[1]);
    told = count_until_killed(pid, fds[0], after_ms);
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);

    for (int i = 0; i < told; i++) {
        op = draw(&seed);
        apply(m, &op);
    }
    or_else = *m;
    if (told < TRANSACTIONS) {
        op = draw(&seed);
        apply(&or_else, &op);
    }
    assert_ok(state_open(p->path, &p->st, &e));
    assert_ok(state_check(p->st, &e));
    read_model(p->st, &seen);
    if (memcmp(&seen, m, sizeof(seen)) != 0 && memcmp(&seen, &or_else, sizeof(seen)) != 0)
        fail_msg("after %d acknowledged transactions something is missing", told);
    *m = seen;
    state_close(p->st);
    p->st = NULL;
    return told;
}

static void nothing_acknowledged_is_lost_when_the_process_is_killed(void **arg)
{
    struct place *p = *arg;
    uint64_t seed = (uint64_t)time_wall_ns() | 1;
    struct model m;
    int cut_short = 0;

    print_message("seed %llu\n", (unsigned long long)seed);
    model_init(&m);
    state_close(p->st);
    p->st = NULL;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t after_ms = (int64_t)(next(&seed) % 60);

        int told = one_round(p, &m, seed, i == 0 ? -1 : after_ms);

        cut_short += told > 0 && told < TRANSACTIONS;
    }
    print_message("%d of %d rounds were cut short\n", cut_short, ROUNDS);
    assert_ok(state_open(p->path, &p->st, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(nothing_acknowledged_is_lost_when_the_process_is_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
