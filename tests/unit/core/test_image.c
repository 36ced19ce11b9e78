#include "base/digest.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/image.h"
#include "tests/unit/unit.h"

#define A16    "aaaaaaaaaaaaaaaa"
#define B16    "bbbbbbbbbbbbbbbb"
#define C16    "cccccccccccccccc"
#define DIFF_A "sha256:" A16 A16 A16 A16
#define DIFF_B "sha256:" B16 B16 B16 B16
#define DIFF_C "sha256:" C16 C16 C16 C16

static const char config[] =
    "{\"architecture\":\"amd64\",\"os\":\"linux\",\"variant\":\"v1\",\"author\":\"me\","
    "\"created\":\"2020-01-02T03:04:05.678Z\",\"docker_version\":\"28\",\"config\":{\"Env\":["
    "\"PATH=/bin\"],\"Cmd\":[\"sh\"],\"Entrypoint\":null,\"User\":\"1000\",\"WorkingDir\":\"/w\","
    "\"Labels\":{\"a\":\"b\"},\"ExposedPorts\":{\"80/tcp\":{},\"8080/tcp 90\":{}},\"Volumes\":{"
    "\"/data\":{}},\"StopSignal\":\"SIGQUIT\",\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],"
    "\"Interval\":5000000000},\"Shell\":[\"/bin/sh\",\"-c\"],\"OnBuild\":[\"RUN "
    "y\"]},\"history\":[{"
    "\"created\":\"2020-01-01T00:00:00Z\",\"created_by\":\"ADD\"},{\"created_by\":\"ENV\","
    "\"empty_layer\":true,\"comment\":\"c\"}],\"rootfs\":{\"type\":\"layers\",\"diff_ids\":["
    "\"" DIFF_A "\",\"" DIFF_B "\",\"" DIFF_C "\"]}}";

static void a_config_is_read_whole(void **state)
{
    cleanup_image struct image *i = image_new(), *copy = NULL;
    char id[DIGEST_TEXT_MAX], created[TIME_TEXT_MAX];

    (void)state;
    assert_ok(image_config_decode(config, strlen(config), i, &e));
    copy = image_copy(i);
    digest_of(config, strlen(config), id);
    time_format(copy->created_ns, created);
    assert_string_equal(copy->id, id);
    assert_string_equal(copy->architecture, "amd64");
    assert_string_equal(copy->variant, "v1");
    assert_string_equal(created, "2020-01-02T03:04:05.678Z");
    assert_string_equal(copy->config->env.v[0], "PATH=/bin");
    assert_string_equal(copy->config->cmd.v[0], "sh");
    assert_false(copy->config->entrypoint_set);
    assert_string_equal(copy->config->user, "1000");
    assert_string_equal(copy->config->stop_signal, "SIGQUIT");
    assert_int_equal(copy->config->health.interval_ns, 5000000000);
    assert_int_equal(copy->config->n_exposed, 1); /* what is no port is passed over */
    assert_string_equal(copy->config->volumes.v[0], "/data");
    assert_int_equal(copy->n_history, 2);
    assert_true(copy->history[1].empty_layer);
    assert_int_equal(copy->history[1].created_ns, TIME_ZERO);
    assert_string_equal(copy->history[1].comment, "c");
}

/* Computed with another SHA-256. */
static void chain_ids_are_those_of_the_specification(void **state)
{
    cleanup_image struct image *i = image_new();

    (void)state;
    assert_ok(image_config_decode(config, strlen(config), i, &e));
    assert_int_equal(i->chain_ids.n, 3);
    assert_string_equal(i->chain_ids.v[0], DIFF_A);
    assert_string_equal(i->chain_ids.v[1],
                        "sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c");
    assert_string_equal(i->chain_ids.v[2],
                        "sha256:c1377126441fb2f5ec2c21ae2a60255331d639e830f0ee1b40a36e52d4c40588");
}

static void an_image_without_layers_is_one(void **state)
{
    static const char *const texts[] = {
        "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":null}}",
        "{\"created\":\"nonsense\",\"config\":null,\"rootfs\":{\"type\":\"layers\"}}",
    };

    (void)state;
    for (size_t n = 0; n < ARRAY_LEN(texts); n++) {
        cleanup_image struct image *i = image_new();

        assert_ok(image_config_decode(texts[n], strlen(texts[n]), i, &e));
        assert_int_equal(i->chain_ids.n, 0);
        assert_int_equal(i->created_ns, TIME_ZERO);
    }
}

static void what_is_no_config_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"{}",                                                              "rootfs is missing"},
        {"[]",                                                              "must be an object"},
        {"{",                                                               "image config"     },
        {"{\"rootfs\":{\"type\":\"tar\"}}",                                 "rootfs.type"      },
        {"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:12\"]}}", "diff_ids[0]"      },
        {"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"../../etc\"]}}", "diff_ids[0]"      },
        {"{\"rootfs\":{\"type\":\"layers\"},\"config\":{\"Env\":5}}",       "Env"              },
        {"{\"rootfs\":{\"type\":\"layers\"},\"history\":[5]}",              "history[0]"       },
    };

    (void)state;
    for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
        cleanup_image struct image *i = image_new();
        struct err e = ERR_INIT;

        assert_int_equal(image_config_decode(cases[n].text, strlen(cases[n].text), i, &e), -1);
        assert_int_equal(e.kind, ERR_INVALID);
        if (!strstr(e.msg, cases[n].words))
            fail_msg("\"%s\" does not say \"%s\"", e.msg, cases[n].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_config_is_read_whole),
        cmocka_unit_test(chain_ids_are_those_of_the_specification),
        cmocka_unit_test(an_image_without_layers_is_one),
        cmocka_unit_test(what_is_no_config_is_refused_with_a_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
