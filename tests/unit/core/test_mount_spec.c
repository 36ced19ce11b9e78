#include "base/mem.h"
#include "core/container.h"
#include "tests/unit/unit.h"

static struct mount_spec bind_of(const char *text)
{
    struct mount_spec m;

    assert_ok(mount_parse_bind(text, &m, &e));
    return m;
}

static void an_absolute_source_is_a_host_path_that_is_made_if_missing(void **state)
{
    struct mount_spec m = bind_of("/a/../src//x:/dst/");

    (void)state;
    assert_int_equal(m.type, MOUNT_BIND);
    assert_string_equal(m.source, "/src/x");
    assert_string_equal(m.target, "/dst");
    assert_true(m.create_host_path);
    assert_false(m.read_only);
    assert_null(m.propagation);
    assert_string_equal(m.mode, "");
    mount_spec_release(&m);
}

static void another_source_is_a_volumes_name(void **state)
{
    struct mount_spec m = bind_of("data:/dst");

    (void)state;
    assert_int_equal(m.type, MOUNT_VOLUME);
    assert_string_equal(m.source, "data");
    assert_false(m.anonymous);
    assert_false(m.create_host_path);
    assert_null(m.mode); /* "z" if it turns out to be local */
    mount_spec_release(&m);
}

static void a_target_alone_is_an_anonymous_volume(void **state)
{
    struct mount_spec m = bind_of("/data");

    (void)state;
    assert_int_equal(m.type, MOUNT_VOLUME);
    assert_true(m.anonymous);
    assert_string_equal(m.source, "");
    assert_string_equal(m.target, "/data");
    mount_spec_release(&m);
}

static void words_of_the_mode_are_understood_and_kept(void **state)
{
    struct mount_spec m = bind_of("/a:/b:ro,z,rslave,cached"), v = bind_of("vol:/b:nocopy");

    (void)state;
    assert_true(m.read_only);
    assert_string_equal(m.propagation, "rslave");
    assert_string_equal(m.consistency, "cached");
    assert_string_equal(m.mode, "ro,z,rslave,cached");
    assert_true(v.no_copy);
    mount_spec_release(&m);
    mount_spec_release(&v);
}

static struct container_spec *decode(const char *text)
{
    cleanup_json struct json_doc doc = {0};
    struct container_spec *s = container_spec_new();
    struct json root;

    assert_ok(json_parse(text, strlen(text), &doc, &e));
    root = json_root(&doc);
    assert_ok(container_spec_decode(&root, s, &e));
    return s;
}

static void four_places_become_one_list(void **state)
{
    cleanup_spec struct container_spec *s = decode(
        "{\"Image\":\"x\",\"Volumes\":{\"/v1\":{},\"/b\":{},\"rel\":{}},\"HostConfig\":{"
        "\"VolumeDriver\":\"local\",\"Binds\":[\"/src:/b\"],\"Mounts\":[{\"Type\":\"volume\","
        "\"Source\":\"data\",\"Target\":\"/m/\",\"ReadOnly\":true,\"VolumeOptions\":{"
        "\"Subpath\":\"a/b\",\"Labels\":{\"k\":\"v\"},\"DriverConfig\":{\"Name\":\"local\","
        "\"Options\":{\"o\":\"x\"}}}}],\"Tmpfs\":{\"/t\":\"size=1m\"}}}");

    (void)state;
    assert_int_equal(s->n_mounts, 5); /* /b of Volumes gave way to the bind */
    assert_string_equal(s->mounts[0].target, "/b");
    assert_int_equal(s->mounts[0].type, MOUNT_BIND);
    assert_string_equal(s->mounts[1].target, "/m");
    assert_string_equal(s->mounts[1].subpath, "a/b");
    assert_string_equal(s->mounts[1].driver, "local");
    assert_string_equal(kvs_get(&s->mounts[1].driver_opts, "o"), "x");
    assert_string_equal(kvs_get(&s->mounts[1].labels, "k"), "v");
    assert_true(s->mounts[1].read_only);
    assert_int_equal(s->mounts[2].type, MOUNT_TMPFS);
    assert_string_equal(s->mounts[2].tmpfs_options, "size=1m");
    assert_string_equal(s->mounts[3].target, "/v1");
    assert_true(s->mounts[3].anonymous);
    assert_string_equal(s->mounts[4].target, "/rel");
}

static void tmpfs_options_become_the_kernels_text(void **state)
{
    cleanup_spec struct container_spec *s =
        decode("{\"Image\":\"x\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/t\","
               "\"TmpfsOptions\":{\"SizeBytes\":65536,\"Mode\":448,\"Options\":[[\"exec\"]]}}]}}");

    (void)state;
    assert_string_equal(s->mounts[0].tmpfs_options, "size=65536,mode=700,exec");
}

static void a_bind_of_mounts_is_made_only_when_asked(void **state)
{
    cleanup_spec struct container_spec *s = decode(
        "{\"Image\":\"x\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/a\","
        "\"Target\":\"/1\"},{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/2\",\"BindOptions\":"
        "{\"CreateMountpoint\":true,\"Propagation\":\"rshared\",\"NonRecursive\":true}}]}}");

    (void)state;
    assert_false(s->mounts[0].create_host_path);
    assert_true(s->mounts[1].create_host_path);
    assert_string_equal(s->mounts[1].propagation, "rshared");
    assert_true(s->mounts[1].non_recursive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absolute_source_is_a_host_path_that_is_made_if_missing),
        cmocka_unit_test(another_source_is_a_volumes_name),
        cmocka_unit_test(a_target_alone_is_an_anonymous_volume),
        cmocka_unit_test(words_of_the_mode_are_understood_and_kept),
        cmocka_unit_test(four_places_become_one_list),
        cmocka_unit_test(tmpfs_options_become_the_kernels_text),
        cmocka_unit_test(a_bind_of_mounts_is_made_only_when_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
