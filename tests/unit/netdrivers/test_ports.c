/* Host ports: who gets which, and that nobody gets one twice. */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/sync.h"
#include "core/net_driver.h"
#include "tests/unit/unit.h"

static int listen_on(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&at, len) < 0 || listen(fd, 1) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(at.sin_port);
    return fd;
}

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
    uint16_t port = 0;

    close(listen_on(&port));
    return port;
}

static void free_maps(struct port_map *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(v[i].host_ip);
    free(v);
}

/* One binding for `owner`; the host port, 0 when refused. */
static uint16_t reserve(const char *owner, uint16_t host_port, const char *ip, struct err *e)
{
    struct port_binding want = {.port = 80, .host_port = host_port, .host_ip = (char *)ip};
    struct port_map *out;
    size_t n;
    uint16_t got;

    if (net_ports_reserve(owner, &want, 1, &out, &n, e))
        return 0;
    assert_int_equal(n, 1);
    got = out[0].host_port;
    free_maps(out, n);
    return got;
}

static void a_second_owner_is_refused_in_dockers_words(void **state)
{
    uint16_t port = free_port();
    struct err e = ERR_INIT;
    char text[128];

    (void)state;
    assert_int_equal(reserve("a", port, "", &e), port);
    snprintf(text, sizeof(text), "Bind for 0.0.0.0:%u failed: port is already allocated", port);
    assert_int_equal(reserve("b", port, NULL, &e), 0);
    assert_string_equal(e.msg, text);
    assert_int_equal(e.kind, ERR_CONFLICT);
    snprintf(text, sizeof(text), "Bind for 127.0.0.1:%u failed: port is already allocated", port);
    assert_int_equal(reserve("b", port, "127.0.0.1", &e), 0);
    assert_string_equal(e.msg, text);
    assert_int_equal(reserve("a", port, "0.0.0.0", &e), port);
    net_ports_release("a");
    assert_int_equal(reserve("b", port, "", &e), port);
    net_ports_release("b");
    net_ports_release("b");
}

static void a_port_of_another_process_is_refused_in_dockers_words(void **state)
{
    uint16_t port = 0;
    struct err e = ERR_INIT;
    char text[128];
    int fd = listen_on(&port);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(reserve("a", port, "", &e), 0);
    snprintf(text, sizeof(text),
             "failed to bind host port for 0.0.0.0:%u:80/tcp: address already in use", port);
    assert_string_equal(e.msg, text);
    assert_int_equal(e.kind, ERR_CONFLICT);
    close(fd);
    assert_int_equal(reserve("a", port, "", &e), port);
    /* And the other way round. */
    assert_int_equal(listen_on(&port), -1);
    net_ports_release("a");
    fd = listen_on(&port);
    assert_true(fd >= 0);
    close(fd);
}

static void an_address_that_is_not_ours_is_refused(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(reserve("a", free_port(), "203.0.113.77", &e), 0);
    assert_non_null(strstr(e.msg, "cannot assign requested address"));
    assert_int_equal(reserve("a", 0, "::1", &e), 0);
    assert_int_equal(e.kind, ERR_UNSUPPORTED);
}

static void different_addresses_and_protocols_do_not_clash(void **state)
{
    uint16_t port = free_port();
    struct port_binding want[] = {
        {.port = 80,                      .proto = PROTO_TCP, .host_port = port, .host_ip = (char *)"127.0.0.1"},
        {.port = 80,                               .proto = PROTO_TCP,                                        .host_port = port,         .host_ip = (char *)"127.0.0.2"},
        {.port = 80, .proto = PROTO_UDP,                   .host_port = port                  },
    };
    struct port_map *out;
    size_t n;

    (void)state;
    assert_ok(net_ports_reserve("a", want, ARRAY_LEN(want), &out, &n, &e));
    assert_int_equal(n, 3);
    assert_string_equal(out[0].host_ip, "127.0.0.1");
    assert_string_equal(out[2].host_ip, "0.0.0.0");
    assert_int_equal(out[2].proto, PROTO_UDP);
    free_maps(out, n);
    net_ports_release("a");
}

static void reserving_again_gives_the_same_ports_and_drops_the_rest(void **state)
{
    struct port_binding want[] = {
        {.port = 80},
        {.port = 81},
        {.port = 80},
    };
    struct port_map *first, *second;
    size_t n;
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(net_ports_reserve("a", want, 3, &first, &n, &e));
    assert_int_not_equal(first[0].host_port, first[2].host_port);
    assert_ok(net_ports_reserve("a", want, 3, &second, &n, &e));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(first[i].host_port, second[i].host_port);
    free_maps(second, 3);
    assert_ok(net_ports_reserve("a", want, 1, &second, &n, &e));
    assert_int_equal(first[0].host_port, second[0].host_port);
    assert_int_equal(reserve("b", first[1].host_port, "", &e), first[1].host_port);
    free_maps(second, 1);
    free_maps(first, 3);
    net_ports_release("a");
    net_ports_release("b");
}

static void a_range_gives_its_first_free_port(void **state)
{
    struct port_binding want = {.port = 80};
    struct port_map *out;
    struct err e = ERR_INIT;
    size_t n;

    (void)state;
    /* Two free neighbours; somebody else's may be between, so look for them. */
    do
        want.host_port = free_port();
    while (want.host_port == UINT16_MAX || !reserve("x", (uint16_t)(want.host_port + 1), "", &e));
    net_ports_release("x");
    want.host_port_end = (uint16_t)(want.host_port + 1);
    assert_int_equal(reserve("a", want.host_port, "", &e), want.host_port);
    assert_ok(net_ports_reserve("b", &want, 1, &out, &n, &e));
    assert_int_equal(out[0].host_port, want.host_port + 1);
    free_maps(out, n);
    assert_err(net_ports_reserve("c", &want, 1, &out, &n, &e), ERR_CONFLICT);
    net_ports_release("a");
    net_ports_release("b");
}

static void a_failed_call_keeps_what_the_owner_had_and_nothing_new(void **state)
{
    uint16_t taken = 0, had, other = free_port();
    int fd = listen_on(&taken);
    struct err e = ERR_INIT;

    (void)state;
    had = reserve("a", 0, "", &e);
    struct port_binding want[] = {
        {.port = 80, .host_port = had  },
        {.port = 81, .host_port = other},
        {.port = 82, .host_port = taken},
    };
    struct port_map *out;
    size_t n;
    assert_err(net_ports_reserve("a", want, 3, &out, &n, &e), ERR_CONFLICT);
    assert_int_equal(reserve("b", had, "", &e), 0);
    assert_int_equal(reserve("b", other, "", &e), other);
    close(fd);
    net_ports_release("a");
    net_ports_release("b");
}

static void adopted_ports_are_taken_even_when_another_process_bound_them(void **state)
{
    uint16_t bound = 0, port = free_port();
    int fd = listen_on(&bound);
    struct port_map ports[] = {
        {.port = 80, .host_ip = (char *)"0.0.0.0", .host_port = port },
        {.port = 81, .host_ip = (char *)"0.0.0.0", .host_port = bound},
    };
    struct err e = ERR_INIT;

    (void)state;
    net_ports_adopt("a", ports, 2);
    net_ports_adopt("a", ports, 2);
    assert_int_equal(reserve("b", port, "", &e), 0);
    assert_int_equal(reserve("b", bound, "", &e), 0);
    assert_non_null(strstr(e.msg, "port is already allocated"));
    assert_int_equal(reserve("a", port, "", &e), port);
    close(fd);
    net_ports_release("a");
    assert_int_equal(reserve("b", bound, "", &e), bound);
    net_ports_release("b");
}

/* ------------------------------------------------------------------ many threads, one port each */

#define THREADS 8
#define ROUNDS  50

static struct mutex lock = MUTEX_INIT;
static int winners;
static uint16_t contested;

static void contender(void *arg)
{
    const char *owner = arg;
    struct err e = ERR_INIT;

    for (int i = 0; i < ROUNDS; i++) {
        if (!reserve(owner, contested, "", &e))
            continue;
        mutex_lock(&lock);
        int now = ++winners;
        mutex_unlock(&lock);
        assert_int_equal(now, 1);
        mutex_lock(&lock);
        winners--;
        mutex_unlock(&lock);
        net_ports_release(owner);
    }
}

static void one_of_many_threads_gets_a_port(void **state)
{
    static char names[THREADS][8];
    struct thread t[THREADS] = {0};

    (void)state;
    contested = free_port();
    for (int i = 0; i < THREADS; i++) {
        snprintf(names[i], sizeof(names[i]), "t%d", i);
        assert_ok(thread_start(&t[i], "contender", contender, names[i], &e));
    }
    for (int i = 0; i < THREADS; i++)
        thread_join(&t[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_owner_is_refused_in_dockers_words),
        cmocka_unit_test(a_port_of_another_process_is_refused_in_dockers_words),
        cmocka_unit_test(an_address_that_is_not_ours_is_refused),
        cmocka_unit_test(different_addresses_and_protocols_do_not_clash),
        cmocka_unit_test(reserving_again_gives_the_same_ports_and_drops_the_rest),
        cmocka_unit_test(a_range_gives_its_first_free_port),
        cmocka_unit_test(a_failed_call_keeps_what_the_owner_had_and_nothing_new),
        cmocka_unit_test(adopted_ports_are_taken_even_when_another_process_bound_them),
        cmocka_unit_test(one_of_many_threads_gets_a_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
