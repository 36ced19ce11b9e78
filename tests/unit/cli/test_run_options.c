/* The create request of `run`, read back with the decoder that the agent uses. */
#include "base/json.h"
#include "base/mem.h"
#include "cli/run_options.h"
#include "core/container.h"
#include "tests/unit/unit.h"

static const struct command run = {.name = "run",
                                   .usage = "",
                                   .flags = run_flags,
                                   .n_flags = N_RUN_FLAGS,
                                   .options_size = sizeof(struct run_options),
                                   .min_args = 1,
                                   .max_args = SIZE_MAX,
                                   .stop_at_first = true};

static int body_of(const char *line, struct buf *out, struct err *e)
{
    cleanup_strv struct strv words = {0}, args = {0};
    struct run_options o = {0};
    bool help;

    strv_split(&words, line, ' ');
    int rc =
        flags_parse(&run, (int)words.n, words.v, &o, &args, &help, e) || run_body(&o, &args, out, e)
            ? -1
            : 0;

    flags_release(&run, &o);
    return rc;
}

static struct container_spec *spec_of(const char *line)
{
    cleanup_buf struct buf b = BUF_INIT(1024 * 1024);
    cleanup_json struct json_doc doc = {0};
    struct container_spec *s = container_spec_new();

    assert_ok(body_of(line, &b, &e));
    assert_ok(json_parse(b.data, b.len, &doc, &e));
    struct json root = json_root(&doc);

    assert_ok(container_spec_decode(&root, s, &e));
    assert_ok(container_spec_validate(s, &e));
    return s;
}

static void fails(const char *line, const char *message)
{
    cleanup_buf struct buf b = BUF_INIT(1024 * 1024);
    struct err e = ERR_INIT;

    if (!body_of(line, &b, &e))
        fail_msg("accepted: %s", line);
    assert_string_equal(e.msg, message);
}

static void a_plain_run(void **state)
{
    cleanup_spec struct container_spec *s = spec_of("-it --rm busybox sh -c x");

    (void)state;
    assert_string_equal(s->image, "busybox");
    assert_int_equal(s->cmd.n, 3);
    assert_true(s->tty && s->open_stdin && s->stdin_once && s->attach_stdout && s->auto_remove);
    assert_false(s->entrypoint_set);
}

static void ports(void **state)
{
    cleanup_spec struct container_spec *s =
        spec_of("-p 8080:80 -p 127.0.0.1:81:81/udp -p 9000-9001:9000-9001 -p 90 -p 8000-8010:8000 "
                "-p [::1]:5:5 -p 127.0.0.1::7 --expose 99 busybox");

    (void)state;
    assert_int_equal(s->n_ports, 8);
    assert_int_equal(s->n_exposed, 9);
    for (size_t i = 0; i < s->n_ports; i++) {
        const struct port_binding *p = &s->ports[i];

        switch (p->port) {
        case 80:
            assert_int_equal(p->host_port, 8080);
            break;
        case 81:
            assert_string_equal(p->host_ip, "127.0.0.1");
            assert_int_equal(p->proto, PROTO_UDP);
            break;
        case 9001:
            assert_int_equal(p->host_port, 9001);
            break;
        case 90:
            assert_int_equal(p->host_port, 0);
            break;
        case 8000:
            assert_int_equal(p->host_port, 8000);
            assert_int_equal(p->host_port_end, 8010);
            break;
        case 5:
            assert_string_equal(p->host_ip, "::1");
            break;
        case 7:
            assert_string_equal(p->host_ip, "127.0.0.1");
            assert_int_equal(p->host_port, 0);
            break;
        default:
            break;
        }
    }
}

static void mounts_and_limits(void **state)
{
    cleanup_spec struct container_spec *s = spec_of(
        "-v /a:/b:ro -v data:/d -v /anon --tmpfs /t:size=1m --mount type=bind,src=/x,dst=/y,ro "
        "-m 64m --cpus 0.5 --pids-limit 10 --ulimit nofile=5:6 --device /dev/null:/dev/x "
        "--restart on-failure:3 --stop-timeout 5 --shm-size 1m --sysctl net.a=1 --init busybox");

    (void)state;
    assert_int_equal(s->n_mounts, 5);
    assert_int_equal(s->memory, 64 << 20);
    assert_int_equal(s->nano_cpus, 500000000);
    assert_int_equal(s->pids_limit, 10);
    assert_int_equal(s->ulimits[0].hard, 6);
    assert_string_equal(s->devices[0].container_path, "/dev/x");
    assert_int_equal(s->restart, RESTART_ON_FAILURE);
    assert_int_equal(s->restart_max, 3);
    assert_int_equal(s->stop_timeout_s, 5);
    assert_true(s->init);
}

static void environment_and_networks(void **state)
{
    setenv("BALLAST_TEST_A", "from us", 1);
    unsetenv("BALLAST_TEST_NONE");
    cleanup_spec struct container_spec *s =
        spec_of("-e X=1 -e BALLAST_TEST_A -e BALLAST_TEST_NONE --network n1 --network n2 "
                "--network-alias al --ip 10.0.0.5 -h host -u 5 -w /w --entrypoint /e -l k=v "
                "--dns 1.1.1.1 --add-host a:1.2.3.4 --cap-drop ALL --read-only busybox");

    (void)state;
    assert_int_equal(s->env.n, 2);
    assert_string_equal(s->env.v[1], "BALLAST_TEST_A=from us");
    assert_string_equal(s->network_mode, "n1");
    assert_int_equal(s->n_endpoints, 2);
    assert_string_equal(s->endpoints[0].aliases.v[0], "al");
    assert_string_equal(s->endpoints[0].ipv4, "10.0.0.5");
    assert_string_equal(s->entrypoint.v[0], "/e");
    assert_string_equal(kvs_get(&s->labels, "k"), "v");
    assert_true(s->readonly_rootfs);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    fails("-m lots busybox", "invalid Memory: invalid size: 'lots'");
    fails("--cpus many busybox", "invalid argument \"many\" for \"--cpus\"");
    fails("-e =x busybox", "invalid environment variable: =x");
    fails("-p 1-3:5-6 busybox", "invalid ranges specified for container and host ports: 1-3:5-6");
    fails("--mount type=bind,what=x busybox",
          "invalid argument \"type=bind,what=x\" for \"--mount\": unexpected key 'what'");
    fails("--ulimit nofile busybox", "invalid ulimit argument: nofile");
    fails("-it", "\"ballast run\" requires at least 1 argument; usage: ballast run ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_run),        cmocka_unit_test(ports),
        cmocka_unit_test(mounts_and_limits),  cmocka_unit_test(environment_and_networks),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests_name("cli/run_options", tests, NULL, NULL);
}
