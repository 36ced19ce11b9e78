#include "base/buf.h"
#include "base/mem.h"
#include "compose/compose_internal.h"
#include "tests/unit/unit.h"

static const struct kvs no_vars;

static char *parsed(const char *text, bool raw, const struct kvs *vars)
{
    cleanup_kvs struct kvs out = {0};
    cleanup_buf struct buf b = BUF_INIT(10000);

    assert_ok(dotenv_parse(text, strlen(text), ".env", raw, vars, &out, &e));
    for (size_t i = 0; i < out.n; i++)
        buf_addf(&b, "%s=[%s]\n", out.v[i].k, out.v[i].v);
    return buf_take(&b);
}

static void lines_of_every_kind(void **state)
{
    cleanup_kvs struct kvs vars = {0};

    (void)state;
    kvs_set(&vars, "HOST", "from env");
    cleanup_free char *s = parsed("# comment\n"
                                  "\n"
                                  "A=1\n"
                                  "export B = two words  # comment\n"
                                  "C: colon\r\n"
                                  "D='$A # literal\nsecond line'\n"
                                  "E=\"a\\tb \\\"q\\\" \\$A $A ${NONE:-d}\" # c\n"
                                  "F=x#y\n"
                                  "G=\n"
                                  "H=$A${F}\n"
                                  "HOST\n"
                                  "UNKNOWN\n"
                                  "A=last\n"
                                  "export=5\n"
                                  "I.j-k[0]=v",
                                  false, &vars);

    assert_string_equal(s, "A=[last]\nB=[two words]\nC=[colon]\nD=[$A # literal\nsecond line]\n"
                           "E=[a\tb \"q\" $A 1 d]\nF=[x#y]\nG=[]\nH=[1x#y]\nHOST=[from env]\n"
                           "export=[5]\nI.j-k[0]=[v]\n");
}

static void the_environment_wins_in_expansion(void **state)
{
    cleanup_kvs struct kvs vars = {0};

    (void)state;
    kvs_set(&vars, "A", "outer");
    cleanup_free char *s = parsed("A=inner\nB=$A\n", false, &vars);

    assert_string_equal(s, "A=[inner]\nB=[outer]\n");
}

static void raw_takes_values_as_they_are(void **state)
{
    (void)state;
    cleanup_free char *s = parsed("A='q' $x # y\n# c\nB=\"\\n\"\nNONE\n", true, &no_vars);

    assert_string_equal(s, "A=['q' $x # y]\nB=[\"\\n\"]\n");
}

static void errors_have_a_place(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"A=1\nB='x\n",  ".env:2:3: the quote ' is never closed"              },
        {"A=\"x\n",      ".env:1:3: the quote \" is never closed"             },
        {"A B=1\n",      ".env:1:3: unexpected character in a variable's name"},
        {"=1\n",         ".env:1:1: expected NAME=value"                      },
        {"A='x'y\n",     ".env:1:6: unexpected text after the closing quote"  },
        {"\nA=a$NONE\n",
         ".env:2:3: A: variable NONE is not set and has no default; write ${NONE:-} "
         "for an empty one"                                                   },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_kvs struct kvs out = {0};
        struct err e = ERR_INIT;

        assert_int_equal(
            dotenv_parse(cases[i].text, strlen(cases[i].text), ".env", false, &no_vars, &out, &e),
            -1);
        assert_string_equal(e.msg, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_every_kind),
        cmocka_unit_test(the_environment_wins_in_expansion),
        cmocka_unit_test(raw_takes_values_as_they_are),
        cmocka_unit_test(errors_have_a_place),
    };
    return cmocka_run_group_tests_name("compose/dotenv", tests, NULL, NULL);
}
