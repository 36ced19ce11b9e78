/* CDI specs: what is read, what is refused, what a container gets of them. */
#include <string.h>

#include "base/fs.h"
#include "compose/yaml.h"
#include "core/runtime.h"
#include "reconciler/cdi.h"
#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

#define HEAD "{\"cdiVersion\":\"0.6.0\",\"kind\":\"v.example/c\",\"devices\":"

static void refused(const char *text, const char *want)
{
    struct cdi_spec s = {0};
    struct err e = ERR_INIT;

    assert_int_equal(cdi_spec_parse(text, strlen(text), "s.json", &s, &e), -1);
    if (!strstr(e.msg, want))
        fail_msg("\"%s\" does not say \"%s\"", e.msg, want);
}

static void a_spec_that_is_wrong_is_refused_with_its_place(void **state)
{
    (void)state;
    refused("[]", "s.json:1:1: must be a map");
    refused("{\"kind\":\"a/b\"}", "cdiVersion is missing");
    refused("{\"cdiVersion\":\"1\",\"kind\":\"ab\"}", "\"ab\" is not vendor/class");
    refused(HEAD "[]}", "must be a list that is not empty");
    refused(HEAD "[{}]}", "devices[0]: must have a name");
    refused(HEAD "[{\"name\":\"x\",\"containerEdits\":{\"env\":\"A=1\"}}]}", "env: wrong type");
    refused(HEAD "[{\"name\":\"x\",\"containerEdits\":{\"deviceNodes\":[{}]}}]}",
            "deviceNodes[0]: path is missing");
    refused(HEAD "[{\"name\":\"x\",\"containerEdits\":{\"magic\":[]}}]}", "magic: unknown key");
}

static struct run_spec *a_run(void)
{
    struct run_spec *rs = run_spec_new();

    rs->spec = container_spec_new();
    strv_add(&rs->env, "A=0");
    return rs;
}

static void put(const char *dir, const char *name, const char *text)
{
    cleanup_free char *path = path_join(dir, name);

    assert_ok(fs_mkdir_p(dir, 0755, &e));
    assert_ok(fs_write_atomic(path, text, strlen(text), 0644, false, &e));
}

static void the_directory_of_the_higher_rank_wins_and_equals_conflict(void **state)
{
    cleanup_tmpdir struct tmpdir tmp = tmpdir_new();
    cleanup_free char *low = path_join(tmp.path, "low"), *high = path_join(tmp.path, "high");
    cleanup_strv struct strv dirs = {0}, names = {0}, both = {0};
    struct run_spec *rs = a_run();
    struct err e = ERR_INIT;

    (void)state;
    put(low, "a.json",
        HEAD "[{\"name\":\"x\",\"containerEdits\":{\"env\":[\"A=low\"]}},{\"name\":\"y\"}]}");
    put(low, "b.json", HEAD "[{\"name\":\"y\"}]}");
    put(low, "c.json", "nonsense");
    put(high, "a.yaml",
        "cdiVersion: 0.6.0\nkind: v.example/c\ncontainerEdits: {env: [B=1]}\ndevices:\n"
        "- name: x\n  containerEdits: {env: [A=high]}\n");
    strv_add(&dirs, low);
    strv_add(&dirs, high);
    strv_add(&names, "v.example/c=x");
    assert_ok(cdi_inject(&dirs, &names, rs, &e));
    assert_int_equal(rs->env.n, 2);
    assert_string_equal(rs->env.v[0], "A=high");
    assert_string_equal(rs->env.v[1], "B=1");
    strv_add(&both, "v.example/c=y");
    strv_add(&both, "v.example/c");
    assert_int_equal(cdi_inject(&dirs, &both, rs, &e), -1);
    assert_string_equal(e.msg, "CDI device injection failed: unresolvable CDI devices "
                               "v.example/c=y, v.example/c");
    assert_int_equal(e.kind, ERR_INTERNAL);
    run_spec_free(rs);
}

static void what_cannot_be_done_is_not_left_out(void **state)
{
    static const struct {
        const char *edits, *says;
    } cases[] = {
        {"{\"hooks\":[{\"hookName\":\"x\"}]}",                                                  "wants hooks"      },
        {"{\"netDevices\":[{}]}",                                                               "wants netDevices" },
        {"{\"env\":[\"=1\"]}",                                                                  "is not NAME=VALUE"},
        {"{\"additionalGids\":[\"wheel\"]}",                                                    "is no group"      },
        {"{\"deviceNodes\":[{\"path\":\"/dev/x\",\"uid\":\"root\"}]}",                          "not a number"     },
        {"{\"mounts\":[{\"hostPath\":\"a\",\"containerPath\":\"/b\"}]}",                        "must be absolute" },
        {"{\"mounts\":[{\"hostPath\":\"/a\",\"containerPath\":\"/b\",\"options\":[\"dax\"]}]}",
         "unknown option dax"                                                                                      },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_free char *text =
            str_printf(HEAD "[{\"name\":\"x\",\"containerEdits\":%s}]}", cases[i].edits);
        struct run_spec *rs = a_run();
        struct cdi_spec s = {0};
        struct err e = ERR_INIT;

        assert_ok(cdi_spec_parse(text, strlen(text), "s.json", &s, &e));
        assert_int_equal(
            cdi_apply(yaml_get(yaml_get(s.doc.root, "devices")->items[0], "containerEdits"), rs,
                      &e),
            -1);
        if (!strstr(e.msg, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", e.msg, cases[i].says);
        cdi_spec_release(&s);
        run_spec_free(rs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spec_that_is_wrong_is_refused_with_its_place),
        cmocka_unit_test(the_directory_of_the_higher_rank_wins_and_equals_conflict),
        cmocka_unit_test(what_cannot_be_done_is_not_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
