/* Where plugins are found, and what of their answers is believed. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/unit.h"
#include "voldrivers/plugin_internal.h"

static char base[] = "/tmp/ballast-plugin-XXXXXX";
static struct strv specs;
static char *sockets;
static struct vol_env env;

static int enter(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(base));
    sockets = path_join(base, "sockets");
    strv_addf(&specs, "%s/etc", base);
    strv_addf(&specs, "%s/lib", base);
    env = (struct vol_env){.data_root = base, .plugin_sockets = sockets, .plugin_specs = &specs};
    assert_ok(fs_mkdir_p(sockets, 0755, &e));
    assert_ok(fs_mkdir_p(specs.v[0], 0755, &e)); /* the other one is not there */
    return 0;
}

static int leave(void **state)
{
    (void)state;
    strv_release(&specs);
    free(sockets);
    return fs_remove_all(base, ERR_IGNORE);
}

static void put(const char *dir, const char *name, const char *text)
{
    cleanup_free char *path = path_join(dir, name), *parent = path_dir(path);

    assert_ok(fs_mkdir_p(parent, 0755, &e));
    assert_ok(fs_write_atomic(path, text, strlen(text), 0644, false, &e));
}

static void put_socket(const char *name)
{
    cleanup_free char *path = path_join(sockets, name), *parent = path_dir(path);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_ok(fs_mkdir_p(parent, 0755, &e));
    assert_true(str_copy(at.sun_path, sizeof(at.sun_path), path));
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
}

static void expect_url(const char *name, const char *url)
{
    cleanup_plugin_address struct plugin_address a = {0};

    assert_ok(plugin_find(&env, name, &a, &e));
    if (url)
        assert_string_equal(a.url, url);
    assert_string_equal(a.name, name);
}

static void a_socket_wins_over_files_and_files_are_looked_for_in_dockers_order(void **state)
{
    cleanup_plugin_address struct plugin_address a = {0};
    cleanup_strv struct strv names = {0};
    static const char *const all[] = {"both", "deep", "far", "sock", "tls"};

    (void)state;
    put_socket("sock.sock");
    put_socket("deep/deep.sock");
    put_socket("both.sock");
    put(specs.v[0], "both.spec", "tcp://1.2.3.4:5");
    put(specs.v[0], "far/far.spec", " tcp://1.2.3.4:5\n");
    put(specs.v[0], "tls.json",
        "{\"Name\":\"x\",\"Addr\":\"https://h:1\",\"TLSConfig\":{\"CAFile\":\"/ca\"}}");
    put(sockets, "file.sock", "no socket");
    put(specs.v[0], "wrong.spec", "gopher://x");
    expect_url("sock", NULL);
    expect_url("far", "tcp://1.2.3.4:5");
    expect_url("tls", "https://h:1");
    assert_ok(plugin_find(&env, "both", &a, &e));
    assert_true(str_starts(a.url, "unix://"));
    plugin_names(&env, &names);
    assert_int_equal(names.n, ARRAY_LEN(all));
    for (size_t i = 0; i < names.n; i++)
        assert_string_equal(names.v[i], all[i]);
}

static void a_name_cannot_lead_elsewhere(void **state)
{
    static const char *const names[] = {"../etc/x", "a/b", "", ".", "..", ".hidden", "file"};

    (void)state;
    put(base, "x.spec", "tcp://1.2.3.4:5");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        cleanup_plugin_address struct plugin_address a = {0};
        struct err e = ERR_INIT;

        assert_int_equal(plugin_find(&env, names[i], &a, &e), -1);
        assert_int_equal(e.kind, ERR_NOT_FOUND);
    }
}

static void without_a_ca_nobody_is_verified_as_dockerd_has_it(void **state)
{
    static const struct {
        const char *json;
        bool tls, insecure;
    } rows[] = {
        {"{\"Addr\":\"https://h:1\",\"TLSConfig\":{}}",                   true,  true },
        {"{\"Addr\":\"https://h:1\",\"TLSConfig\":{\"CAFile\":\"/ca\"}}", true,  false},
        {"{\"Addr\":\"https://h:1\",\"TLSConfig\":{\"CAFile\":\"/"
         "ca\",\"InsecureSkipVerify\":true}}",                   true,  true },
        {"{\"Addr\":\"tcp://h:1\"}",                                      false, true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_plugin_address struct plugin_address a = {0};

        assert_ok(plugin_json_parse(rows[i].json, strlen(rows[i].json), &a, &e));
        assert_int_equal(a.tls, rows[i].tls);
        assert_int_equal(a.insecure, rows[i].insecure);
    }
}

static void answers_of_the_wrong_shape_are_errors(void **state)
{
    static const char *const texts[] = {"",
                                        "[]",
                                        "{\"Err\":1}",
                                        "{\"Mountpoint\":{}}",
                                        "{\"Volume\":\"x\"}",
                                        "{\"Volumes\":{\"a\":1}}",
                                        "{\"Volumes\":[1]}",
                                        "{\"Implements\":\"VolumeDriver\"}",
                                        "{\"Volume\":{\"Name\":\"x\",\"Status\":[1]}}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct plugin_reply r;

        assert_int_equal(plugin_reply_parse(texts[i], strlen(texts[i]), &r, ERR_IGNORE), -1);
    }
}

static void an_answer_is_read_whole(void **state)
{
    static const char text[] =
        "{\"Err\":\"\",\"Volumes\":[{\"Name\":\"a\",\"Mountpoint\":\"/a\",\"Status\":{\"k\":[1]},"
        "\"CreatedAt\":\"2026-01-02T03:04:05Z\"},{\"Name\":\"b\",\"CreatedAt\":\"yesterday\","
        "\"Status\":{}}],\"Capabilities\":{\"Scope\":\"global\"},\"Unknown\":1}";
    cleanup_plugin_reply struct plugin_reply r = {0};

    (void)state;
    assert_ok(plugin_reply_parse(text, strlen(text), &r, &e));
    assert_int_equal(r.n_volumes, 2);
    assert_string_equal(r.volumes[0].mountpoint, "/a");
    assert_string_equal(r.volumes[0].status, "{\"k\":[1]}");
    assert_true(r.volumes[0].created_ns > 0);
    assert_null(r.volumes[1].status);
    assert_int_equal(r.volumes[1].created_ns, 0);
    assert_string_equal(r.scope, "global");
    assert_false(r.has_volume);
}

static void an_unknown_driver_is_named_in_dockers_words(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    assert_null(vol_driver_find(&env, "nope", true, &e));
    assert_string_equal(e.msg, "error looking up volume plugin nope: plugin \"nope\" not found");
    assert_int_equal(e.kind, ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_wins_over_files_and_files_are_looked_for_in_dockers_order),
        cmocka_unit_test(a_name_cannot_lead_elsewhere),
        cmocka_unit_test(without_a_ca_nobody_is_verified_as_dockerd_has_it),
        cmocka_unit_test(answers_of_the_wrong_shape_are_errors),
        cmocka_unit_test(an_answer_is_read_whole),
        cmocka_unit_test(an_unknown_driver_is_named_in_dockers_words),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
