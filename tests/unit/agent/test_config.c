/* The agent's settings: flags, file, and what is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#include "agent/config.h"
#include "agent/config_table.h"

static int parse(struct config *c, const char *text, struct err *e)
{
    return config_parse(c, text, strlen(text), "agent.yaml", e);
}

static void refused(const char *text, const char *want)
{
    struct err e = ERR_INIT;
    struct config c;

    config_init(&c, "ballastd");
    assert_int_equal(parse(&c, text, &e), -1);
    assert_string_equal(e.msg, want);
    config_release(&c);
}

static void a_daemon_json_is_a_settings_file(void **state)
{
    struct config c;

    (void)state;
    config_init(&c, "ballastd");
    assert_ok(parse(
        &c,
        "{\"hosts\":[\"unix:///x.sock\"],\"log-opts\":{\"max-size\":\"10m\"},\"debug\":true,"
        "\"default-address-pools\":[{\"base\":\"10.0.0.0/8\",\"size\":24}],\"containerd\":\"/c\"}",
        &e));
    assert_string_equal(c.hosts.v[0], "unix:///x.sock");
    assert_string_equal(kvs_get(&c.log_opts, "max-size"), "10m");
    assert_true(c.debug);
    assert_int_equal(c.n_pools, 1);
    assert_int_equal(c.notices.n, 1);
    assert_non_null(strstr(c.notices.v[0], "containerd is not applied"));
    config_release(&c);
}

static void runtimes_are_commands_in_either_form_of_daemon_json(void **state)
{
    const struct runtime_command *r = NULL;
    struct config c;

    (void)state;
    config_init(&c, "ballastd");
    assert_ok(parse(&c,
                    "{\"runtimes\":{\"crun\":{\"path\":\"/usr/bin/crun\",\"runtimeArgs\":"
                    "[\"--debug\"]},\"kept\":{\"runtimeType\":\"io.containerd.runc.v2\","
                    "\"options\":{\"BinaryName\":\"/b\",\"SystemdCgroup\":false}}}}",
                    &e));
    assert_ok(runtime_command_find(&c.runtimes, "crun", &r, &e));
    assert_string_equal(r->path, "/usr/bin/crun");
    assert_string_equal(r->args.v[0], "--debug");
    assert_ok(runtime_command_find(&c.runtimes, "kept", &r, &e));
    assert_string_equal(r->path, "/b");
    assert_ok(runtime_command_find(&c.runtimes, "runc", &r, &e));
    assert_null(r); /* built in */
    assert_err(runtime_command_find(&c.runtimes, "gone", &r, &e), ERR_INVALID);
    config_release(&c);
    refused("{\"runtimes\":{\"k\":{\"runtimeType\":\"io.containerd.kata.v2\"}}}",
            "agent.yaml:1:33: runtime k: the type io.containerd.kata.v2 needs containerd, which is "
            "not here; io.containerd.runc.v2 with the option BinaryName, or `path`, names a "
            "command");
}

static void default_ulimits_are_read_as_daemon_json_and_flags_have_them(void **state)
{
    struct config c;

    (void)state;
    config_init(&c, "ballastd");
    assert_ok(
        parse(&c,
              "{\"default-ulimits\":{\"nofile\":{\"Name\":\"nofile\",\"Soft\":64,\"Hard\":128},"
              "\"core\":{\"Soft\":-1,\"Hard\":-1}}}",
              &e));
    assert_int_equal(c.default_ulimits.n, 2);
    assert_string_equal(c.default_ulimits.v[0], "nofile=64:128");
    assert_string_equal(c.default_ulimits.v[1], "core=-1:-1");
    config_release(&c);
    refused("default-ulimits: {nofile: {Soft: 64}}",
            "agent.yaml:1:27: default-ulimits.nofile: must have Soft and Hard");
    refused(
        "default-ulimits: {nofile: {Soft: 64, Hard: 32}}",
        "agent.yaml:1:27: default-ulimits: ulimit soft limit must be less than or equal to hard "
        "limit: 64 > 32");
}

static void modes_and_ids_that_cannot_be_are_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"default-ipc-mode: host",     "IPC mode \"host\" is not supported as default value; use "
                                   "\"private\" or \"shareable\" mode"},
        {"default-cgroupns-mode: foo", "default cgroup namespace mode (foo) is invalid"                 },
        {"userns-remap: a:b:c",        "invalid user/group specification in --userns-remap: \"a:b:c\""  },
        {"userns-remap: no-such-user",
         "userns-remap: there is no user \"no-such-user\" in /etc/passwd"                               },
        {"seccomp-profile: /no/such",  "opening seccomp profile (/no/such) failed: "                    },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = ERR_INIT;
        struct config c;

        config_init(&c, "ballastd");
        assert_ok(parse(&c, cases[i].text, &e));
        assert_int_equal(config_security(&c, &e), -1);
        if (strncmp(e.msg, cases[i].says, strlen(cases[i].says)) != 0)
            fail_msg("%s: \"%s\"", cases[i].text, e.msg);
        config_release(&c);
    }
}

static void sources_are_read(void **state)
{
    struct config c;

    (void)state;
    config_init(&c, "ballastd");
    assert_ok(
        parse(&c,
              "sources:\n  - name: local\n    directory: {path: /etc/apps.d, allow_empty: true}\n"
              "host: {labels: {site: fra1}}\n",
              &e));
    assert_int_equal(c.n_sources, 1);
    assert_string_equal(c.sources[0].directory, "/etc/apps.d");
    assert_true(c.sources[0].allow_empty);
    assert_string_equal(kvs_get(&c.host_labels, "site"), "fra1");
    config_release(&c);
}

static void what_is_wrong_is_named_with_its_place(void **state)
{
    (void)state;
    refused("hosst: [a]\n", "agent.yaml:1:8: hosst: unknown setting");
    refused("debug: maybe\n", "agent.yaml:1:8: debug: \"maybe\" is neither true nor false");
    refused("mtu: [1]\n", "agent.yaml:1:6: mtu: must be a single value");
    refused("sources: [{name: a}]\n", "agent.yaml:1:11: sources[0]: needs `directory`");
    refused("sources: [{name: a, directory: {path: rel}}]\n",
            "agent.yaml:1:39: directory.path: must be an absolute path");
}

static void flags_and_file_must_not_both_say_it(void **state)
{
    char path[] = "/tmp/ballast-config-XXXXXX";
    int fd = mkstemp(path);
    char *argv[] = {"ballastd", "--config-file", path, "--debug", NULL};
    struct err e = ERR_INIT;
    struct config c;

    (void)state;
    assert_int_equal(write(fd, "debug: true\n", 12), 12);
    close(fd);
    config_init(&c, "ballastd");
    assert_int_equal(config_load(&c, 4, argv, &e), -1);
    assert_non_null(strstr(e.msg, "specified both as a flag and in the configuration file: debug"));
    config_release(&c);
    unlink(path);
}

static void a_file_that_was_named_must_be_there(void **state)
{
    char *argv[] = {"ballastd", "--config-file", "/nowhere/agent.yaml", NULL};
    struct config c;

    (void)state;
    config_init(&c, "ballastd");
    assert_err(config_load(&c, 3, argv, &e), ERR_NOT_FOUND);
    config_release(&c);
}

static void an_agent_beside_the_default_one_gets_names_of_its_own(void **state)
{
    char *argv[] = {"ballastd", "--config-file=/dev/null", "--data-root=/srv/b",
                    "-H",       "tcp://127.0.0.1:0",       "-D",
                    NULL};
    struct config c;

    (void)state;
    config_init(&c, "ballastd");
    assert_ok(config_load(&c, 6, argv, &e));
    assert_string_not_equal(c.instance, "ballast");
    assert_true(str_starts(c.bridge, c.instance));
    assert_true(c.debug);
    assert_string_equal(c.hosts.v[0], "tcp://127.0.0.1:0");
    config_release(&c);
}

static void an_unknown_flag_is_refused(void **state)
{
    char *argv[] = {"ballastd", "--frobnicate", NULL};
    struct config c;

    (void)state;
    config_init(&c, "ballastd");
    assert_err(config_load(&c, 2, argv, &e), ERR_INVALID);
    config_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_daemon_json_is_a_settings_file),
        cmocka_unit_test(runtimes_are_commands_in_either_form_of_daemon_json),
        cmocka_unit_test(default_ulimits_are_read_as_daemon_json_and_flags_have_them),
        cmocka_unit_test(modes_and_ids_that_cannot_be_are_refused),
        cmocka_unit_test(sources_are_read),
        cmocka_unit_test(what_is_wrong_is_named_with_its_place),
        cmocka_unit_test(flags_and_file_must_not_both_say_it),
        cmocka_unit_test(a_file_that_was_named_must_be_there),
        cmocka_unit_test(an_agent_beside_the_default_one_gets_names_of_its_own),
        cmocka_unit_test(an_unknown_flag_is_refused),
    };
    return cmocka_run_group_tests_name("agent/config", tests, NULL, NULL);
}
