#include "base/mem.h"
#include "cli/cli.h"
#include "tests/unit/cli/commands.h"
#include "tests/unit/unit.h"

struct options {
    bool all, tty;
    char *name;
    int64_t n;
    struct strv env;
};

static const struct flag flags[] = {
    {"all",  'a', FLAG_BOOL, offsetof(struct options, all),  NULL, ""},
    {"tty",  't', FLAG_BOOL, offsetof(struct options, tty),  NULL, ""},
    {"name", 0,   FLAG_STR,  offsetof(struct options, name), "X",  ""},
    {"last", 'n', FLAG_INT,  offsetof(struct options, n),    "N",  ""},
    {"env",  'e', FLAG_LIST, offsetof(struct options, env),  "E",  ""},
};

static struct command command = {.name = "test",
                                 .usage = "WORD...",
                                 .flags = flags,
                                 .n_flags = ARRAY_LEN(flags),
                                 .options_size = sizeof(struct options),
                                 .max_args = 10};

static char *parsed(const char *line, bool stop_at_first)
{
    cleanup_strv struct strv words = {0}, args = {0};
    struct options o = {0};
    struct err e = ERR_INIT;
    bool help;

    command.stop_at_first = stop_at_first;
    strv_split(&words, line, ' ');
    int rc = flags_parse(&command, (int)words.n, words.v, &o, &args, &help, &e);
    cleanup_free char *env = str_join((const char *const *)o.env.v, o.env.n, "|");
    cleanup_free char *rest = str_join((const char *const *)args.v, args.n, "|");
    char *out = rc     ? xstrdup(e.msg)
                : help ? xstrdup("help")
                       : str_printf("a=%d t=%d name=%s n=%lld env=%s args=%s", o.all, o.tty,
                                    o.name ? o.name : "-", (long long)o.n, env, rest);

    flags_release(&command, &o);
    return out;
}

static void expect(const char *line, bool stop, const char *want)
{
    cleanup_free char *have = parsed(line, stop);

    assert_string_equal(have, want);
}

static void flags_are_written_as_docker_has_them(void **state)
{
    (void)state;
    expect("-at x", false, "a=1 t=1 name=- n=0 env= args=x");
    expect("x --all y", false, "a=1 t=0 name=- n=0 env= args=x|y");
    expect("--name=n --name m", false, "a=0 t=0 name=m n=0 env= args=");
    expect("-n5 -e A=1 -eB=2 --env C", false, "a=0 t=0 name=- n=5 env=A=1|B=2|C args=");
    expect("-n=5 --all=false", false, "a=0 t=0 name=- n=5 env= args=");
    expect("-an 7", false, "a=1 t=0 name=- n=7 env= args=");
    expect("-- -a --x", false, "a=0 t=0 name=- n=0 env= args=-a|--x");
    expect("- x", false, "a=0 t=0 name=- n=0 env= args=-|x");
    expect("-a --help", false, "help");
    expect("-h", false, "help");
    expect("--name=", false, "a=0 t=0 name= n=0 env= args=");
}

static void a_command_to_run_keeps_its_own_flags(void **state)
{
    (void)state;
    expect("-t image ls -a --name x", true, "a=0 t=1 name=- n=0 env= args=image|ls|-a|--name|x");
}

static void mistakes_are_named(void **state)
{
    (void)state;
    expect("--nme x", false, "unknown flag: --nme");
    expect("-ax", false, "unknown shorthand flag: 'x' in -ax");
    expect("--name", false, "flag needs an argument: --name");
    expect("-n", false, "flag needs an argument: -n");
    expect("-n x", false, "invalid last: \"x\" is not a number");
    expect("--all=maybe", false, "--all: \"maybe\" is neither true nor false");
    expect("1 2 3 4 5 6 7 8 9 10 11", false,
           "\"ballast test\" accepts at most 10 arguments; usage: ballast test WORD...");
}

static void the_tables_of_all_commands_are_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all_commands); i++) {
        const struct command *c = all_commands[i];

        assert_non_null(c->name);
        assert_non_null(c->usage);
        assert_non_null(c->summary);
        assert_non_null(c->run);
        for (size_t k = 0; k < c->n_flags; k++) {
            const struct flag *f = &c->flags[k];

            assert_non_null(f->name);
            assert_non_null(f->help);
            assert_true(f->offset < c->options_size);
            assert_true((f->kind == FLAG_BOOL) == (f->value == NULL));
            for (size_t j = 0; j < k; j++) {
                if (str_eq(c->flags[j].name, f->name) ||
                    (f->letter && c->flags[j].letter == f->letter))
                    fail_msg("%s: --%s is there twice", c->name, f->name);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_are_written_as_docker_has_them),
        cmocka_unit_test(a_command_to_run_keeps_its_own_flags),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(the_tables_of_all_commands_are_whole),
    };
    return cmocka_run_group_tests_name("cli/flags", tests, NULL, NULL);
}
