#include "base/buf.h"
#include "base/mem.h"
#include "compose/compose_internal.h"
#include "tests/unit/unit.h"

static struct kvs vars;

static int setup(void **state)
{
    (void)state;
    kvs_set(&vars, "A", "one");
    kvs_set(&vars, "B_2", "two");
    kvs_set(&vars, "EMPTY", "");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kvs_release(&vars);
    return 0;
}

static void all_forms_of_variables(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"plain",                   "plain"    },
        {"$A",                      "one"      },
        {"${A}",                    "one"      },
        {"x$A-${B_2}y",             "xone-twoy"},
        {"$$A $$$$",                "$A $$"    },
        {"${NONE:-d}",              "d"        },
        {"${NONE-d}",               "d"        },
        {"${EMPTY:-d}",             "d"        },
        {"${EMPTY-d}",              ""         },
        {"${A:-d}",                 "one"      },
        {"${NONE:-}",               ""         },
        {"${NONE:-${B_2}}",         "two"      },
        {"${NONE:-a${ALSO:-b$A}c}", "abonec"   },
        {"${NONE:-$$x}",            "$x"       },
        {"${A:+alt}",               "alt"      },
        {"${EMPTY:+alt}",           ""         },
        {"${EMPTY+alt}",            "alt"      },
        {"${NONE+alt}",             ""         },
        {"${NONE:+${MISSING}}",     ""         },
        {"${A:?gone}",              "one"      },
        {"${EMPTY?gone}",           ""         },
        {"${NONE:-a:b/c?d}",        "a:b/c?d"  },
        {"${NONE:-a}b}",            "ab}"      },
        {"$EMPTY",                  ""         },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_buf struct buf b = BUF_INIT(1000);

        assert_ok(interpolate_text(cases[i].text, &vars, NULL, &b, &e));
        assert_string_equal(b.data, cases[i].want);
    }
}

static void what_is_not_set_or_not_well_formed_is_an_error(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"$NONE",           "variable NONE is not set and has no default; write ${NONE:-} for an empty one"},
        {"${NONE}",
         "variable NONE is not set and has no default; write ${NONE:-} for an empty one"                   },
        {"${NONE:?say it}", "required variable NONE is missing a value: say it"                            },
        {"${EMPTY:?}",      "required variable EMPTY is missing a value"                                   },
        {"${NONE?$A}",      "required variable NONE is missing a value: one"                               },
        {"${A",             "invalid interpolation format in \"${A\"; write $$ for a dollar sign"          },
        {"a$",              "invalid interpolation format in \"a$\"; write $$ for a dollar sign"           },
        {"${}",             "invalid interpolation format in \"${}\"; write $$ for a dollar sign"          },
        {"$1",              "invalid interpolation format in \"$1\"; write $$ for a dollar sign"           },
        {"${A!x}",          "invalid interpolation format in \"${A!x}\"; write $$ for a dollar sign"       },
        {"${A:}",           "invalid interpolation format in \"${A:}\"; write $$ for a dollar sign"        },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_buf struct buf b = BUF_INIT(1000);
        struct err e = ERR_INIT;

        assert_int_equal(interpolate_text(cases[i].text, &vars, NULL, &b, &e), -1);
        assert_string_equal(e.msg, cases[i].message);
    }
}

static void nesting_has_an_end(void **state)
{
    cleanup_buf struct buf text = BUF_INIT(10000), out = BUF_INIT(10000);

    (void)state;
    for (int i = 0; i < 200; i++)
        buf_addf(&text, "${N:-");
    for (int i = 0; i < 200; i++)
        buf_addf(&text, "}");
    assert_err(interpolate_text(text.data, &vars, NULL, &out, &e), ERR_INVALID);
}

static void in_a_tree_the_error_has_place_and_path(void **state)
{
    static const char text[] =
        "services:\n  web:\n    image: x:$A\n    ports: [\"1\", \"$PORT:80\"]\n";
    cleanup_yaml struct yaml_doc d = {0};

    (void)state;
    assert_ok(yaml_parse(text, strlen(text), "c.yaml", &d, &e));
    struct err e = ERR_INIT;

    assert_int_equal(interpolate_tree(d.root, &vars, &e), -1);
    assert_string_equal(e.msg,
                        "c.yaml:4:18: services.web.ports[1]: variable PORT is not set and has "
                        "no default; write ${PORT:-} for an empty one");
    const struct yaml_node *web = yaml_get(yaml_get(d.root, "services"), "web");

    assert_string_equal(yaml_get(web, "image")->text, "x:one");
}

static void words(const char *text, const char *joined)
{
    cleanup_strv struct strv out = {0};

    assert_ok(shell_split(text, &out, &e));
    cleanup_free char *have = str_join((const char *const *)out.v, out.n, "|");

    assert_string_equal(have, joined);
}

/* The expected words are those that docker compose 2.40 prints. */
static void commands_are_split_as_compose_does(void **state)
{
    (void)state;
    words("echo \"a\\nb\" c\\td 'e\\nf' \"q\\\"x\" \"sp ace\"'z'",
          "echo|anb|ctd|e\\nf|q\"x|sp acez");
    words("  a\t b\n", "a|b");
    words("", "");
    words("a '' b", "a||b");
    words("sh -c \"echo hi; ls\"", "sh|-c|echo hi; ls");
    struct strv out = {0};

    assert_err(shell_split("a 'b", &out, &e), ERR_INVALID);
    strv_release(&out);

    assert_err(shell_split("a; b", &out, &e), ERR_INVALID);
    strv_release(&out);
    assert_err(shell_split("a\\", &out, &e), ERR_INVALID);
    strv_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_of_variables),
        cmocka_unit_test(what_is_not_set_or_not_well_formed_is_an_error),
        cmocka_unit_test(nesting_has_an_end),
        cmocka_unit_test(in_a_tree_the_error_has_place_and_path),
        cmocka_unit_test(commands_are_split_as_compose_does),
    };
    return cmocka_run_group_tests_name("compose/interpolate", tests, setup, teardown);
}
