/* The route table: complete, and matched as Docker's router matches. */
#include "api/route.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "tests/unit/unit.h"

/* Rows that answer 501.  This number may only fall. */
#define NOT_IMPLEMENTED 25

static const struct route *row_of(const char *method, const char *pattern)
{
    for (size_t i = 0; i < n_routes; i++)
        if (str_eq(routes[i].method, method) && str_eq(routes[i].pattern, pattern))
            return &routes[i];
    return NULL;
}

static void every_operation_of_the_reference_has_one_row(void **state)
{
    FILE *f = fopen(TEST_DATA "/endpoints.txt", "r");
    char method[16], pattern[128];
    size_t n = 0, ours = 0;

    (void)state;
    assert_non_null(f);
    while (fscanf(f, "%15s %127s", method, pattern) == 2) {
        if (!row_of(method, pattern))
            fail_msg("%s %s has no row", method, pattern);
        n++;
    }
    fclose(f);
    assert_int_equal(n, 122);
    for (size_t i = 0; i < n_routes; i++) {
        ours += str_starts(routes[i].pattern, "/ballast/");
        assert_ptr_equal(row_of(routes[i].method, routes[i].pattern), &routes[i]);
    }
    assert_int_equal(n_routes - ours, 122);
}

static void rows_without_a_handler_only_become_fewer(void **state)
{
    size_t missing = 0;

    (void)state;
    for (size_t i = 0; i < n_routes; i++)
        missing += !routes[i].handle;
    if (missing != NOT_IMPLEMENTED)
        fail_msg("%zu rows have no handler, not %d: lower the number", missing, NOT_IMPLEMENTED);
}

static const struct {
    const char *method, *path, *pattern, *arg0, *arg1;
} found[] = {
    {"GET",     "/containers/json",                              "/containers/json",                          NULL,                NULL},
    {"GET",     "/containers/abc/json",                          "/containers/{id}/json",                     "abc",               NULL},
    {"GET",     "/containers/a/b/json",                          "/containers/{id}/json",                     "a/b",               NULL},
    {"GET",     "/images/json",                                  "/images/json",                              NULL,                NULL},
    {"GET",     "/images/a/json",                                "/images/{name}/json",                       "a",                 NULL},
    {"GET",     "/images/json/json",                             "/images/{name}/json",                       "json",              NULL},
    {"GET",     "/images/docker.io/library/busybox:latest/json", "/images/{name}/json",
     "docker.io/library/busybox:latest",                                                                                           NULL},
    {"DELETE",  "/images/localhost:5000/a/b@sha256:1",           "/images/{name}",
     "localhost:5000/a/b@sha256:1",                                                                                                NULL},
    {"GET",     "/images/get",                                   "/images/get",                               NULL,                NULL},
    {"GET",     "/images/get/get",                               "/images/{name}/get",                        "get",               NULL},
    {"POST",    "/images/create",                                "/images/create",                            NULL,                NULL},
    {"DELETE",  "/containers/a",                                 "/containers/{id}",                          "a",                 NULL},
    {"DELETE",  "/containers/a/checkpoints/b",                   "/containers/{id}/checkpoints/{checkpoint}", "a",
     "b"                                                                                                                               },
    {"DELETE",  "/containers/a/checkpoints/b/checkpoints/c",
     "/containers/{id}/checkpoints/{checkpoint}",                                                             "a/checkpoints/b",   "c" },
    {"GET",     "/networks",                                     "/networks",                                 NULL,                NULL},
    {"GET",     "/networks/",                                    "/networks/",                                NULL,                NULL},
    {"GET",     "/networks/n1",                                  "/networks/{id}",                            "n1",                NULL},
    {"GET",     "/debug/pprof/heap",                             "/debug/pprof/{name}",                       "heap",              NULL},
    {"GET",     "/debug/pprof/trace",                            "/debug/pprof/trace",                        NULL,                NULL},
    {"OPTIONS", "/containers/x/json",                            "/{anyroute}",                               "containers/x/json", NULL},
    {"HEAD",    "/_ping",                                        "/_ping",                                    NULL,                NULL},
};

static bool is_arg(const struct route_args *a, size_t i, const char *want)
{
    if (!want)
        return a->n <= i;
    return a->n > i && a->arg[i].len == strlen(want) &&
           memcmp(a->arg[i].at, want, a->arg[i].len) == 0;
}

static void the_pattern_with_most_literal_text_wins(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(found); i++) {
        struct err e = ERR_INIT;
        struct route_args args;
        const struct route *r =
            route_find(routes, n_routes, found[i].method, found[i].path, &args, &e);

        if (!r || !str_eq(r->pattern, found[i].pattern))
            fail_msg("%s %s went to %s", found[i].method, found[i].path, r ? r->pattern : "none");
        assert_true(is_arg(&args, 0, found[i].arg0));
        assert_true(is_arg(&args, 1, found[i].arg1));
    }
}

static void unknown_paths_and_methods_are_not_found(void **state)
{
    static const char *const rows[][2] = {
        {"GET",  "/"                },
        {"GET",  "/nope"            },
        {"PUT",  "/info"            },
        {"HEAD", "/info"            },
        {"GET",  "/containers//json"},
        {"GET",  "/infos"           },
        {"GET",  "/volumes/"        },
        {"get",  "/info"            },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = ERR_INIT;
        struct route_args args;

        assert_null(route_find(routes, n_routes, rows[i][0], rows[i][1], &args, &e));
        assert_int_equal(e.kind, ERR_NOT_FOUND);
        assert_string_equal(e.msg, "page not found");
    }
}

static void the_version_is_cut_off_the_front(void **state)
{
    static const char *const rows[][3] = {
        {"/v1.44/info",  "1.44",   "/info"     },
        {"/v1.51.1/a/b", "1.51.1", "/a/b"      },
        {"/v1/info",     "1",      "/info"     },
        {"/info",        "",       "/info"     },
        {"/version",     "",       "/version"  },
        {"/volumes",     "",       "/volumes"  },
        {"/v1.44",       "",       "/v1.44"    },
        {"/v/info",      "",       "/v/info"   },
        {"/v1.a/info",   "",       "/v1.a/info"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char version[ROUTE_VERSION_MAX];

        assert_string_equal(route_version(rows[i][0], version), rows[i][2]);
        assert_string_equal(version, rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_of_the_reference_has_one_row),
        cmocka_unit_test(rows_without_a_handler_only_become_fewer),
        cmocka_unit_test(the_pattern_with_most_literal_text_wins),
        cmocka_unit_test(unknown_paths_and_methods_are_not_found),
        cmocka_unit_test(the_version_is_cut_off_the_front),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
