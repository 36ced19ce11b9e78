#include "base/mem.h"
#include "core/container.h"
#include "tests/unit/core/create_errors.h"
#include "tests/unit/unit.h"

static int judge(const char *body, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_spec struct container_spec *s = container_spec_new();
    struct json root;

    if (json_parse(body, strlen(body), &doc, e))
        return -1;
    root = json_root(&doc);
    return container_spec_decode(&root, s, e) || container_spec_validate(s, e) ? -1 : 0;
}

static void expect(const struct create_case *c)
{
    struct err e = ERR_INIT;

    if (judge(c->body, &e) == 0)
        fail_msg("%s was taken", c->body);
    assert_string_equal(e.msg, c->message);
    /* dockerd calls a bind or a storage option that it cannot read its own fault */
    assert_true(
        e.kind == ERR_INVALID || e.kind == ERR_UNSUPPORTED ||
        (e.kind == ERR_INTERNAL && (strstr(c->body, "Binds") || strstr(c->body, "StorageOpt"))));
}

static void what_moby_refuses_is_refused_in_its_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        expect(&refused[i]);
}

static void what_would_fail_at_the_start_is_refused_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(stricter); i++)
        expect(&stricter[i]);
}

static void what_moby_takes_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(accepted); i++) {
        struct err e = ERR_INIT;

        if (judge(accepted[i], &e))
            fail_msg("%s: %s", accepted[i], e.msg);
    }
}

static void a_wrong_type_names_the_path(void **state)
{
    static const struct create_case cases[] = {
        {"{\"Image\":\"x\",\"HostConfig\":{\"Memory\":\"x\"}}",               "HostConfig.Memory"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"Ulimits\":[{\"Soft\":\"a\"}]}}",
         "HostConfig.Ulimits[0].Soft"                                                            },
        {"{\"Image\":\"x\",\"HostConfig\":[]}",                               "HostConfig"       },
        {"{\"Image\":\"x\",\"Healthcheck\":5}",                               "Healthcheck"      },
        {"[]",                                                                "the body"         },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = ERR_INIT;

        assert_int_equal(judge(cases[i].body, &e), -1);
        assert_int_equal(e.kind, ERR_INVALID);
        assert_non_null(strstr(e.msg, cases[i].message));
    }
}

static void names_are_judged_as_moby_does(void **state)
{
    static const char *const good[] = {"ab", "a_", "0.b-c_d", "A1"};
    static const char *const bad[] = {"", "a", "_a", "-a", ".a", "a/b", "a b", "\xc3\xa4x"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(container_name_valid(good[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(container_name_valid(bad[i]));
}

static void a_hosts_file_cannot_be_written_through_a_name(void **state)
{
    static const char *const bodies[] = {
        "{\"Image\":\"x\",\"Hostname\":\"a\\n1.2.3.4 b\"}",
        "{\"Image\":\"x\",\"HostConfig\":{\"ExtraHosts\":[\"a\\nb:1.2.3.4\"]}}",
        "{\"Image\":\"x\",\"HostConfig\":{\"DnsSearch\":[\"a\\nnameserver 6.6.6.6\"]}}",
        "{\"Image\":\"x\",\"HostConfig\":{\"DnsOptions\":[\"a\\nb\"]}}",
        "{\"Image\":\"x\",\"Domainname\":\"a\\tb\"}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        assert_err(judge(bodies[i], &e), ERR_INVALID);
}

static void addresses_are_told_from_other_text(void **state)
{
    static const struct {
        const char *dns;
        bool good;
    } cases[] = {
        {"1.2.3.4",               true },
        {"255.255.255.255",       true },
        {"256.1.1.1",             false},
        {"1.2.3",                 false},
        {"01.2.3.4",              false},
        {"1.2.3.4.",              false},
        {"1.2.3.4.5",             false},
        {"::",                    true },
        {"::1",                   true },
        {"1::",                   true },
        {"1:2:3:4:5:6:7:8",       true },
        {"1:2:3:4:5:6:7",         false},
        {"1:2:3:4:5:6:7:8:9",     false},
        {"1::2::3",               false},
        {":1",                    false},
        {"1:",                    false},
        {"::ffff:1.2.3.4",        true },
        {"1:2:3:4:5:6:1.2.3.4",   true },
        {"1:2:3:4:5:6:7:1.2.3.4", false},
        {"12345::",               false},
        {"g::",                   false},
        {":::",                   false},
        {"",                      false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_free char *body =
            str_printf("{\"Image\":\"x\",\"HostConfig\":{\"Dns\":[\"%s\"]}}", cases[i].dns);
        struct err e = ERR_INIT;

        if ((judge(body, &e) == 0) != cases[i].good)
            fail_msg("%s was judged wrongly", cases[i].dns);
    }
}

static void the_apparmor_profile_is_the_one_that_moby_takes(void **state)
{
    static const struct {
        const char *opts[2];
        bool privileged;
        const char *active, *inactive;
    } rows[] = {
        {{NULL},                                   false, "ballast-default", NULL        },
        {{"seccomp=unconfined"},                   false, "ballast-default", NULL        },
        {{"apparmor=mine"},                        false, "mine",            "mine"      },
        {{"apparmor:mine"},                        false, "mine",            "mine"      },
        {{"apparmor="},                            false, "ballast-default", NULL        },
        {{"apparmor=unconfined"},                  false, "unconfined",      "unconfined"},
        {{"apparmor=unconfined", "apparmor=mine"}, false, "mine",            "mine"      },
        {{NULL},                                   true,  "unconfined",      NULL        },
        {{"apparmor=mine"},                        true,  "unconfined",      "mine"      },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_spec struct container_spec *s = container_spec_new();
        const char *inactive;

        s->privileged = rows[i].privileged;
        for (size_t k = 0; k < 2 && rows[i].opts[k]; k++)
            strv_add(&s->security_opt, rows[i].opts[k]);
        assert_string_equal(container_apparmor(s, true), rows[i].active);
        inactive = container_apparmor(s, false);
        assert_string_equal(inactive ? inactive : "", rows[i].inactive ? rows[i].inactive : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_moby_refuses_is_refused_in_its_words),
        cmocka_unit_test(what_would_fail_at_the_start_is_refused_at_once),
        cmocka_unit_test(what_moby_takes_is_taken),
        cmocka_unit_test(a_wrong_type_names_the_path),
        cmocka_unit_test(names_are_judged_as_moby_does),
        cmocka_unit_test(a_hosts_file_cannot_be_written_through_a_name),
        cmocka_unit_test(addresses_are_told_from_other_text),
        cmocka_unit_test(the_apparmor_profile_is_the_one_that_moby_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
