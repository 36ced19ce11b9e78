#include "images/reference.h"

#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/unit.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void names_have_a_canonical_and_a_familiar_form(void **state)
{
    static const struct {
        const char *text, *canonical, *familiar;
    } rows[] = {
        {"busybox",                           "docker.io/library/busybox:latest",    "busybox:latest"           },
        {"busybox:1",                         "docker.io/library/busybox:1",         "busybox:1"                },
        {"library/busybox",                   "docker.io/library/busybox:latest",    "busybox:latest"           },
        {"docker.io/busybox",                 "docker.io/library/busybox:latest",    "busybox:latest"           },
        {"index.docker.io/library/busybox:2", "docker.io/library/busybox:2",         "busybox:2"                },
        {"foo/bar",                           "docker.io/foo/bar:latest",            "foo/bar:latest"           },
        {"library/foo/bar",                   "docker.io/library/foo/bar:latest",    "library/foo/bar:latest"   },
        {"localhost/x",                       "localhost/x:latest",                  "localhost/x:latest"       },
        {"localhost:5000/x:1",                "localhost:5000/x:1",                  "localhost:5000/x:1"       },
        {"127.0.0.1:5000/a/b",                "127.0.0.1:5000/a/b:latest",           "127.0.0.1:5000/a/b:latest"},
        {"[::1]:5000/x",                      "[::1]:5000/x:latest",                 "[::1]:5000/x:latest"      },
        {"docker.io/my.org/x",                "docker.io/my.org/x:latest",           "docker.io/my.org/x:latest"},
        {"Foo/bar",                           "Foo/bar:latest",                      "Foo/bar:latest"           },
        {"a.b-c__d---e/f_g",                  "a.b-c__d---e/f_g:latest",             NULL                       },
        {"x@sha256:" HEX64,                   "docker.io/library/x@sha256:" HEX64,   "x@sha256:" HEX64          },
        {"x:1@sha256:" HEX64,                 "docker.io/library/x:1@sha256:" HEX64, "x:1@sha256:" HEX64        },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reference r = {0};

        if (!rows[i].familiar) { /* the host part may not have underscores */
            assert_err(reference_parse(rows[i].text, &r, &e), ERR_INVALID);
            continue;
        }
        assert_ok(reference_parse(rows[i].text, &r, &e));
        reference_default_tag(&r);
        cleanup_free char *canonical = reference_canonical(&r), *familiar = reference_familiar(&r);
        assert_string_equal(canonical, rows[i].canonical);
        assert_string_equal(familiar, rows[i].familiar);
        reference_release(&r);
    }
}

static void bad_names_are_refused_in_dockers_words(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"",                    "invalid reference format"                                                       },
        {":x",                  "invalid reference format"                                                       },
        {"a:",                  "invalid reference format"                                                       },
        {"a@",                  "invalid reference format"                                                       },
        {"a b",                 "invalid reference format"                                                       },
        {"-a",                  "invalid reference format"                                                       },
        {"a--",                 "invalid reference format"                                                       },
        {"a___b",               "invalid reference format"                                                       },
        {"a..b",                "invalid reference format"                                                       },
        {"a/",                  "invalid reference format"                                                       },
        {"a//b",                "invalid reference format"                                                       },
        {"a:-x",                "invalid reference format"                                                       },
        {"x:1:2",               "invalid reference format"                                                       },
        {"h:port/x",            "invalid reference format"                                                       },
        {"a.b-/x",              "invalid reference format"                                                       },
        {"x@sha256:" HEX64 "0", "invalid checksum digest length"                                                 },
        {"x@sha256:12",         "invalid reference format"                                                       },
        {"x@md5:" HEX64,        "unsupported digest algorithm"                                                   },
        {"foo/Bar",             "invalid reference format: repository name (foo/Bar) must be lowercase"          },
        {"Foo",                 "invalid reference format: repository name (library/Foo) must be lowercase"      },
        {HEX64,                 "invalid repository name (" HEX64 "), cannot specify 64-byte hexadecimal strings"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reference r = {0};
        struct err e = ERR_INIT;

        if (!reference_parse(rows[i].text, &r, &e))
            fail_msg("\"%s\" was taken", rows[i].text);
        assert_int_equal(e.kind, ERR_INVALID);
        assert_string_equal(e.msg, rows[i].error);
    }
}

static void names_and_tags_have_a_longest_length(void **state)
{
    char name[300], tag[200];
    struct reference r = {0};

    (void)state;
    memset(name, 'a', sizeof(name));
    name[237] = '\0'; /* "docker.io/library/" takes 18 of 255 */
    assert_ok(reference_parse(name, &r, &e));
    reference_release(&r);
    name[237] = 'a';
    name[238] = '\0';
    assert_err(reference_parse(name, &r, &e), ERR_INVALID);
    memset(tag, 't', sizeof(tag));
    memcpy(tag, "x:", 2);
    tag[130] = '\0';
    assert_ok(reference_parse(tag, &r, &e));
    reference_release(&r);
    tag[130] = 't';
    tag[131] = '\0';
    assert_err(reference_parse(tag, &r, &e), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_a_canonical_and_a_familiar_form),
        cmocka_unit_test(bad_names_are_refused_in_dockers_words),
        cmocka_unit_test(names_and_tags_have_a_longest_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
