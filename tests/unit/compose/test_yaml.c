#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "compose/yaml.h"
#include "tests/unit/unit.h"

static struct yaml_doc parse(const char *text)
{
    struct yaml_doc d;

    assert_ok(yaml_parse(text, strlen(text), "f.yaml", &d, &e));
    return d;
}

static void fails(const char *text, const char *message)
{
    struct yaml_doc d;
    struct err e = ERR_INIT;

    if (!yaml_parse(text, strlen(text), "f.yaml", &d, &e))
        fail_msg("accepted: %s", text);
    assert_string_equal(e.msg, message);
    assert_int_equal(e.kind, ERR_INVALID);
    assert_null(d.root);
}

static void nodes_know_line_and_column(void **state)
{
    cleanup_yaml struct yaml_doc d = parse("a: 1\nb:\n  - x\n  - {c: 'y'}\n");
    const struct yaml_node *b = yaml_get(d.root, "b");

    (void)state;
    assert_int_equal(b->kind, YAML_SEQ);
    assert_int_equal(b->n, 2);
    assert_int_equal(b->items[0]->line, 3);
    assert_int_equal(b->items[0]->column, 5);
    const struct yaml_node *c = yaml_get(b->items[1], "c");

    assert_string_equal(c->text, "y");
    assert_false(c->plain);
    assert_int_equal(c->line, 4);
    assert_int_equal(c->column, 9);
    assert_int_equal(d.root->pairs[1].line, 2);
    assert_int_equal(d.root->pairs[1].column, 1);
    struct err e = ERR_INIT;

    assert_int_equal(yaml_error(c, &e, "no %s", "good"), -1);
    assert_string_equal(e.msg, "f.yaml:4:9: no good");
}

static void an_empty_text_is_null(void **state)
{
    cleanup_yaml struct yaml_doc d = parse("# nothing\n");

    (void)state;
    assert_int_equal(d.root->kind, YAML_NULL);
    assert_int_equal(d.root->line, 1);
}

static void merge_keys_give_what_is_missing(void **state)
{
    cleanup_yaml struct yaml_doc d = parse("base: &b {a: 1, z: 9}\n"
                                           "more: &m {a: 2, c: 3}\n"
                                           "x: {<<: *b, a: own}\n"
                                           "y: {<<: [*m, *b], d: 4}\n"
                                           "q: {'<<': *b}\n");
    const struct yaml_node *x = yaml_get(d.root, "x"), *y = yaml_get(d.root, "y");

    (void)state;
    assert_string_equal(yaml_get(x, "a")->text, "own");
    assert_string_equal(yaml_get(x, "z")->text, "9");
    assert_string_equal(yaml_get(y, "a")->text, "2"); /* the first map of the list wins */
    assert_string_equal(yaml_get(y, "z")->text, "9");
    assert_string_equal(yaml_get(y, "d")->text, "4");
    assert_null(yaml_get(x, "<<"));
    assert_null(yaml_get(yaml_get(d.root, "q"), "a"));
}

static void an_alias_is_a_copy_of_its_own(void **state)
{
    cleanup_yaml struct yaml_doc d = parse("a: &x {k: v}\nb: *x\n");
    struct yaml_node *a = yaml_get(d.root, "a"), *b = yaml_get(d.root, "b");

    (void)state;
    str_set(&yaml_get(b, "k")->text, "changed");
    assert_string_equal(yaml_get(a, "k")->text, "v");
}

static void tags_of_compose_are_kept(void **state)
{
    cleanup_yaml struct yaml_doc d = parse("a: !reset null\nb: !override [1]\nc: !!str 5\n");

    (void)state;
    assert_int_equal(yaml_get(d.root, "a")->tag, YAML_TAG_RESET);
    assert_int_equal(yaml_get(d.root, "b")->tag, YAML_TAG_OVERRIDE);
    assert_int_equal(yaml_scalar_type(yaml_get(d.root, "c")), YAML_T_STR);
}

static void bad_yaml_is_named_with_its_place(void **state)
{
    (void)state;
    fails("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: duplicate key \"a\", first on line 1");
    fails("a: *nope\n", "f.yaml:1:4: alias *nope has no anchor before it");
    fails("a: &x [*x]\n", "f.yaml:1:8: alias *x has no anchor before it");
    fails("a: !foo 1\n", "f.yaml:1:4: unknown tag !foo");
    fails("? {a: 1}\n: x\n", "f.yaml:1:3: a key must be a text");
    fails("a: 1\n---\nb: 1\n", "f.yaml:2:1: more than one document in a file");
    fails("a: {<<: 5}\n", "f.yaml:1:9: <<: must be a mapping or a list of mappings");
    fails("a: {<<: [{b: 1}, 5]}\n", "f.yaml:1:18: <<: only mappings can be merged");
    fails("a: \"x\\0y\"\n", "f.yaml:1:4: a text may not hold a NUL character");
    fails("a:\n  - b\n c: d\n",
          "f.yaml:3:2: did not find expected key while parsing a block mapping");
    fails("a: \xff\n", "f.yaml:1:4: invalid leading UTF-8 octet");
}

static void too_much_is_refused(void **state)
{
    cleanup_buf struct buf b = BUF_INIT(1024 * 1024);
    struct yaml_doc d;
    struct err e = ERR_INIT;

    (void)state;
    buf_addf(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 10; i++)
        buf_addf(&b, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1,
                 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    assert_int_equal(yaml_parse(b.data, b.len, "bomb", &d, &e), -1);
    assert_non_null(strstr(e.msg, "nodes after the aliases are expanded"));

    buf_reset(&b);
    for (int i = 0; i < 100; i++)
        buf_add(&b, "[", 1);
    assert_int_equal(yaml_parse(b.data, b.len, "deep", &d, &e), -1);
    assert_string_equal(e.msg, "deep:1:65: more than 64 levels");

    buf_reset(&b);
    for (int i = 0; i < YAML_MAX_KEYS + 1; i++)
        buf_addf(&b, "k%d: 1\n", i);
    assert_int_equal(yaml_parse(b.data, b.len, "wide", &d, &e), -1);
    assert_non_null(strstr(e.msg, "too many keys in one mapping"));
}

static void scalars_have_the_types_of_yaml_1_2(void **state)
{
    static const struct {
        const char *text;
        enum yaml_type type;
    } cases[] = {
        {"a: ~",     YAML_T_NULL },
        {"a: null",  YAML_T_NULL },
        {"a: ",      YAML_T_NULL },
        {"a: true",  YAML_T_BOOL },
        {"a: yes",   YAML_T_STR  },
        {"a: 012",   YAML_T_INT  },
        {"a: -7",    YAML_T_INT  },
        {"a: 0x1F",  YAML_T_INT  },
        {"a: 0o17",  YAML_T_INT  },
        {"a: 1.5",   YAML_T_FLOAT},
        {"a: .5",    YAML_T_FLOAT},
        {"a: 1e3",   YAML_T_FLOAT},
        {"a: .inf",  YAML_T_FLOAT},
        {"a: 1.2.3", YAML_T_STR  },
        {"a: '5'",   YAML_T_STR  },
        {"a: 1e",    YAML_T_STR  },
        {"a: '-'",   YAML_T_STR  },
        {"a: 80:80", YAML_T_STR  },
        {"a: \"\"",  YAML_T_STR  },
        {"a: .",     YAML_T_STR  },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_yaml struct yaml_doc d = parse(cases[i].text);

        if (yaml_scalar_type(yaml_get(d.root, "a")) != cases[i].type)
            fail_msg("%s: type %d", cases[i].text, yaml_scalar_type(yaml_get(d.root, "a")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_line_and_column),
        cmocka_unit_test(an_empty_text_is_null),
        cmocka_unit_test(merge_keys_give_what_is_missing),
        cmocka_unit_test(an_alias_is_a_copy_of_its_own),
        cmocka_unit_test(tags_of_compose_are_kept),
        cmocka_unit_test(bad_yaml_is_named_with_its_place),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(scalars_have_the_types_of_yaml_1_2),
    };
    return cmocka_run_group_tests_name("compose/yaml", tests, NULL, NULL);
}
