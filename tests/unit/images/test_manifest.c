#include "images/manifest.h"

#include "base/buf.h"
#include "base/mem.h"
#include "tests/unit/unit.h"

#define D     "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CONF  "\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"" D "\",\"size\":2}"
#define LAYER "{\"mediaType\":\"" MEDIA_OCI_LAYER "+gzip\",\"digest\":\"" D "\",\"size\":3}"

static int parse(const char *text, const char *type, struct manifest *m, struct err *e)
{
    return manifest_parse(text, strlen(text), type, m, e);
}

static void an_image_and_an_index_are_told_apart(void **state)
{
    static const struct {
        const char *text, *type, *media_type;
        bool is_index;
    } rows[] = {
        {"{\"schemaVersion\":2," CONF ",\"layers\":[" LAYER "]}", NULL,               MEDIA_OCI_IMAGE,    false},
        {"{\"schemaVersion\":2," CONF ",\"layers\":[" LAYER "]}",
         MEDIA_DOCKER_IMAGE "; charset=utf-8",                                        MEDIA_DOCKER_IMAGE, false},
        {"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_IMAGE "\"," CONF ",\"layers\":[" LAYER
         "]}",                                           "application/json", MEDIA_DOCKER_IMAGE, false},
        {"{\"schemaVersion\":2," CONF ",\"layers\":[" LAYER "]}", "text/plain",       MEDIA_OCI_IMAGE,
         false                                                                                                 },
        {"{\"schemaVersion\":2,\"manifests\":[" LAYER "]}",       MEDIA_DOCKER_LIST,  MEDIA_DOCKER_LIST,
         true                                                                                                  },
        {"{\"schemaVersion\":2,\"manifests\":[" LAYER "]}",       NULL,               MEDIA_OCI_INDEX,    true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct manifest m = {0};

        assert_ok(parse(rows[i].text, rows[i].type, &m, &e));
        assert_int_equal(m.is_index, rows[i].is_index);
        assert_string_equal(m.media_type, rows[i].media_type);
        assert_int_equal(m.n, 1);
        assert_int_equal(m.v[0].size, 3);
        manifest_release(&m);
    }
}

static void what_is_ambiguous_or_wrong_is_refused(void **state)
{
    static const struct {
        const char *text, *type;
    } rows[] = {
        {"",                                                                                   NULL           },
        {"[]",                                                                                 NULL           },
        {"{}",                                                                                 NULL           },
        {"{\"schemaVersion\":2}",                                                              NULL           },
        {"{\"schemaVersion\":1,\"fsLayers\":[]}",                                              NULL           },
        {"{\"schemaVersion\":3," CONF ",\"layers\":[]}",                                       NULL           },
        {"{\"schemaVersion\":2," CONF ",\"layers\":[],\"manifests\":[]}",                      NULL           },
        {"{\"schemaVersion\":2," CONF ",\"layers\":[]}",                                       MEDIA_OCI_INDEX},
        {"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\"," CONF ",\"layers\":[]}",
         NULL                                                                                                 },
        {"{\"schemaVersion\":2,\"mediaType\":\"application/x\"," CONF ",\"layers\":[]}",       NULL           },
        {"{\"schemaVersion\":2,\"manifests\":[]}",                                             MEDIA_OCI_IMAGE},
        {"{\"schemaVersion\":2,\"layers\":[]}",                                                NULL           },
        {"{\"schemaVersion\":2," CONF ",\"layers\":{}}",                                       NULL           },
        {"{\"schemaVersion\":2," CONF ",\"layers\":[1]}",                                      NULL           },
        {"{\"schemaVersion\":2," CONF ",\"layers\":[{}]}",                                     NULL           },
        {"{\"schemaVersion\":2," CONF ",\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER
         "\",\"digest\":\"sha256:../x\",\"size\":1}]}",                               NULL           },
        {"{\"schemaVersion\":2," CONF ",\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER
         "\",\"digest\":\"" D "\",\"size\":-1}]}",
         NULL                                                                                                 },
        {"{\"schemaVersion\":2," CONF ",\"layers\":[{\"mediaType\":\"application/vnd.in-toto+json"
         "\",\"digest\":\"" D "\",\"size\":1}]}",
         NULL                                                                                                 },
        {"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.cncf.helm.config.v1+json"
         "\",\"digest\":\"" D "\",\"size\":1},\"layers\":[]}",
         NULL                                                                                                 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct manifest m = {0};
        struct err e = ERR_INIT;

        if (!parse(rows[i].text, rows[i].type, &m, &e))
            fail_msg("%s was taken", rows[i].text);
        assert_int_equal(e.kind, ERR_INVALID);
    }
}

static void there_is_a_limit_to_layers(void **state)
{
    cleanup_buf struct buf b = BUF_INIT(1 << 20);
    struct manifest m = {0};

    (void)state;
    buf_addf(&b, "{\"schemaVersion\":2," CONF ",\"layers\":[");
    for (int i = 0; i < MANIFEST_LAYERS + 1; i++)
        buf_addf(&b, "%s" LAYER, i ? "," : "");
    buf_addf(&b, "]}");
    assert_err(manifest_parse(b.data, b.len, NULL, &m, &e), ERR_INVALID);
}

static void the_best_platform_is_chosen(void **state)
{
    static const struct {
        const char *want;
        bool strict;
        int index; /* -1: none */
    } rows[] = {
        {"linux/amd64",    false, 1 },
        {"linux/arm64",    false, 2 },
        {"linux/arm/v7",   false, 4 },
        {"linux/arm/v6",   false, 3 },
        {"linux/arm/v5",   false, -1},
        {"linux/arm/v8",   false, 4 },
        {"linux/arm/v8",   true,  -1},
        {"linux/386",      false, 5 },
        {"linux/amd64/v3", false, 6 },
        {"linux/s390x",    false, -1},
        {"windows/amd64",  true,  -1},
        {"x86_64",         false, 1 },
        {"linux/aarch64",  false, 2 },
    };
    static const char text[] = "{\"schemaVersion\":2,\"manifests\":["
#define ENTRY(p) "{\"mediaType\":\"x\",\"digest\":\"" D "\",\"size\":1,\"platform\":" p "}"
        ENTRY("{\"os\":\"unknown\",\"architecture\":\"unknown\"}") "," /* 0 */
        ENTRY("{\"os\":\"linux\",\"architecture\":\"amd64\"}") ","     /* 1 */
        ENTRY("{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"}") "," ENTRY(
            "{\"os"
            "\":"
            "\"linu"
            "x\","
            "\"arch"
            "itectu"
            "re\":"
            "\"arm"
            "\","
            "\"vari"
            "ant\":"
            "\"v6\""
            "}") "," ENTRY("{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"}") "," ENTRY("{\"os\":"
                                                                                                       "\"linux\","
                                                                                                       "\"architec"
                                                                                                       "ture\":"
                                                                                                       "\"386\"}") "," ENTRY("{\"os\":\"linux\",\"architecture\":\"amd64\",\"variant\":\"v3\"}") "]}";
    struct manifest m = {0};

    (void)state;
    assert_ok(parse(text, NULL, &m, &e));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct platform want = {0};
        const struct descriptor *d;

        assert_ok(platform_parse(rows[i].want, &want, &e));
        d = manifest_choose(&m, &want, rows[i].strict);
        if ((d ? (int)(d - m.v) : -1) != rows[i].index)
            fail_msg("%s: %d", rows[i].want, d ? (int)(d - m.v) : -1);
        platform_release(&want);
    }
    manifest_release(&m);
}

static void bad_platforms_are_refused(void **state)
{
    static const char *const bad[] = {"a_b", "linux/amd64/v1/x", "linux//v1", "linux/a b"};
    struct platform p;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(platform_parse(bad[i], &p, &e), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_and_an_index_are_told_apart),
        cmocka_unit_test(what_is_ambiguous_or_wrong_is_refused),
        cmocka_unit_test(there_is_a_limit_to_layers),
        cmocka_unit_test(the_best_platform_is_chosen),
        cmocka_unit_test(bad_platforms_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
