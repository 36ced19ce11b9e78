/* Which drivers there are, what they refuse in whose words, and what options add to a record. */
#include "tests/unit/unit.h"

#include <string.h>

#include "core/log_driver.h"
#include "logdrivers/log_attrs.h"

static struct err check(const char *driver, const char *key, const char *value)
{
    struct kvs opts = {0};
    struct err e = ERR_INIT;

    kvs_set(&opts, key, value);
    if (log_driver_find(driver)->check(&opts, &e) == 0)
        e.kind = ERR_OK;
    kvs_release(&opts);
    return e;
}

static void a_driver_is_found_by_its_name(void **state)
{
    (void)state;
    assert_true(log_driver_find("json-file")->readable);
    assert_true(log_driver_find("local")->readable);
    assert_false(log_driver_find("none")->readable);
    assert_null(log_driver_find("gcplogs"));
    assert_null(log_driver_find(NULL));
}

static void an_unknown_option_is_refused_in_dockers_words(void **state)
{
    (void)state;
    assert_string_equal(check("json-file", "x", "1").msg,
                        "unknown log opt 'x' for json-file log driver");
    assert_string_equal(check("json-file", LOG_OPT_ATTRS, "{}").msg,
                        "unknown log opt 'ballast.attrs' for json-file log driver");
    assert_string_equal(check("none", "max-size", "1").msg,
                        "unknown log opt 'max-size' for none log driver");
}

static void a_value_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    assert_int_equal(check("json-file", "max-size", "10m").kind, ERR_OK);
    assert_int_equal(check("json-file", "max-size", "1.5g").kind, ERR_OK);
    assert_string_equal(check("json-file", "max-size", "0").msg,
                        "max-size must be a positive number");
    assert_string_equal(check("json-file", "max-size", "ten").msg, "invalid size: 'ten'");
    assert_int_equal(check("json-file", "max-size", "-1").kind, ERR_OK); /* as documented */
    assert_string_equal(check("json-file", "max-size", "-2").msg, "invalid size: '-2'");
    assert_string_equal(check("json-file", "max-size", "1x").msg, "invalid size: '1x'");
    assert_string_equal(check("json-file", "max-file", "0").msg, "max-file cannot be less than 1");
    assert_int_equal(check("json-file", "max-file", "three").kind, ERR_INVALID);
    assert_int_equal(check("json-file", "mode", "non-blocking").kind, ERR_OK);
    assert_string_equal(check("json-file", "mode", "x").msg,
                        "logger: logging mode not supported: x");
    assert_int_equal(check("json-file", "compress", "false").kind, ERR_OK);
    assert_string_equal(
        check("json-file", "compress", "true").msg,
        "compress cannot be true when max-file is less than 2 or max-size is not set");
    assert_string_equal(check("json-file", "compress", "maybe").msg,
                        "strconv.ParseBool: parsing \"maybe\": invalid syntax");
    assert_int_equal(check("json-file", "tag", "{{.Name}}/{{ .ID }}").kind, ERR_OK);
    assert_int_equal(check("json-file", "tag", "{{.Nope}}").kind, ERR_INVALID);
    assert_int_equal(check("json-file", "tag", "{{.Name").kind, ERR_INVALID);
    assert_int_equal(check("json-file", "env-regex", "(").kind, ERR_INVALID);
}

static void local_refuses_in_dockers_words(void **state)
{
    static const struct {
        const char *key, *value, *msg;
    } cases[] = {
        {"x",        "1",     "unknown log opt 'x' for log driver local"              },
        {"labels",   "a",     "unknown log opt 'labels' for log driver local"         },
        {"max-size", "-1",    "invalid value for max-size: -1: invalid size: '-1'"    },
        {"max-size", "abc",   "invalid value for max-size: abc: invalid size: 'abc'"  },
        {"max-file", "x",
         "invalid value for max-file: x: strconv.Atoi: parsing \"x\": invalid syntax" },
        {"max-file", "1",     "compression cannot be enabled when max file count is 1"},
        {"compress", "maybe",
         "error reading compress log option: strconv.ParseBool: parsing \"maybe\": invalid "
         "syntax"                                                                     },
        {"mode",     "foo",   "logger: logging mode not supported: foo"               },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(check("local", cases[i].key, cases[i].value).msg, cases[i].msg);
    assert_int_equal(check("local", "max-size", "10k").kind, ERR_OK);
    assert_int_equal(check("local", "compress", "false").kind, ERR_OK);
}

static void reading_from_none_says_what_docker_says(void **state)
{
    struct log_read_opts o = {.tail = -1};
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(log_driver_find("none")->read("/x", &o, NULL, NULL, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_UNSUPPORTED);
    assert_string_equal(e.msg, "configured logging driver does not support reading");
}

static void labels_env_and_tag_become_attributes(void **state)
{
    struct kvs opts = {0}, labels = {0};
    struct strv env = {0};
    struct buf out = BUF_INIT(4096);
    const struct log_attrs_source src = {.id = "0123456789abcdef",
                                         .name = "web",
                                         .image = "nginx:1",
                                         .image_id = "sha256:fedcba9876543210",
                                         .labels = &labels,
                                         .env = &env};

    (void)state;
    kvs_set(&labels, "com.a", "1");
    kvs_set(&labels, "com.b", "2");
    kvs_set(&labels, "other", "3");
    strv_add(&env, "PATH=/bin");
    strv_add(&env, "TIER=front=end");
    assert_ok(log_attrs_build(&opts, &src, &out, &e));
    assert_int_equal(out.len, 0);
    kvs_set(&opts, "labels", "other,missing");
    kvs_set(&opts, "labels-regex", "^com\\.");
    kvs_set(&opts, "env", "TIER");
    kvs_set(&opts, "tag", "{{.ImageName}}/{{.Name}}/{{.ID}}/{{.ImageID}}");
    assert_ok(log_attrs_build(&opts, &src, &out, &e));
    assert_string_equal(out.data, "{\"TIER\":\"front=end\",\"com.a\":\"1\",\"com.b\":\"2\","
                                  "\"other\":\"3\","
                                  "\"tag\":\"nginx:1/web/0123456789ab/sha256:fedcb\"}");
    buf_release(&out);
    kvs_release(&opts);
    kvs_release(&labels);
    strv_release(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_driver_is_found_by_its_name),
        cmocka_unit_test(an_unknown_option_is_refused_in_dockers_words),
        cmocka_unit_test(a_value_that_makes_no_sense_is_refused),
        cmocka_unit_test(local_refuses_in_dockers_words),
        cmocka_unit_test(reading_from_none_says_what_docker_says),
        cmocka_unit_test(labels_env_and_tag_become_attributes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
