/* The store from outside: load, save, find, tag, import, roots, and what a reopening finds. */
#include "base/cancel.h"
#include "base/fault.h"
#include "base/process.h"
#include "base/time.h"
#include "tests/unit/images/shop.h"

static const char *const drivers[] = {"overlay2", "vfs"};

static struct image *find(struct shop *s, const char *ref)
{
    struct image *img = NULL;

    assert_ok(images_find(s->im, ref, &img, &e));
    return img;
}

static void archives_of_every_form_are_loaded(void **state)
{
    static const struct {
        enum halves halves;
        const char *tool;
    } rows[] = {
        {DOCKER,       NULL   },
        {OCI,          NULL   },
        {DOCKER | OCI, NULL   },
        {DOCKER,       "gzip" },
        {OCI,          "zstd" },
        {DOCKER | OCI, "xz"   },
        {DOCKER | OCI, "bzip2"}
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct shop s = shop_new(drivers[i % 2]);
        struct sample sample;
        struct buf tar = TAR_INIT, packed = TAR_INIT;
        cleanup_strv struct strv loaded = {0};
        struct image *img;

        sample_make(&sample, "2");
        sample_archive(&tar, &sample, "shop:1", rows[i].halves);
        if (rows[i].tool) {
            const char *argv[] = {rows[i].tool, "-c", NULL};
            int code;

            assert_ok(process_run(argv, tar.data, tar.len, &packed, NULL, NULL, &code, &e));
        } else {
            buf_add(&packed, tar.data, tar.len);
        }
        assert_ok(shop_load(&s, &packed, &loaded, &e));
        assert_int_equal(loaded.n, 1);
        assert_string_equal(loaded.v[0], "shop:1");
        img = find(&s, "shop:1");
        assert_string_equal(img->id, sample.config_digest);
        assert_string_equal(img->repo_tags.v[0], "shop:1");
        assert_int_equal(img->repo_digests.n, 0);
        assert_int_equal(img->size, 2);
        assert_string_equal(img->manifest_digest,
                            rows[i].halves & OCI ? sample.manifest_digest : "");
        assert_int_equal(img->last_tag_ns, TIME_ZERO);
        assert_int_equal(shop_layers(&s), 2);
        assert_int_equal(shop_blobs(&s), rows[i].halves & OCI ? 4 : 3);
        image_unref(img);
        buf_release(&tar);
        buf_release(&packed);
        sample_release(&sample);
        shop_release(&s);
    }
}

static void a_saved_image_loads_byte_for_byte_the_same(void **state)
{
    struct shop a = shop_new(NULL), b = shop_new(NULL);
    struct sample sample;
    struct buf first = TAR_INIT, second = TAR_INIT;

    (void)state;
    shop_stock(&a, &sample, "2", "shop:1");
    assert_ok(shop_save(&a, "shop:1", &first, &e));
    assert_ok(shop_load(&b, &first, NULL, &e));
    assert_ok(shop_save(&b, "shop:1", &second, &e));
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    struct image *img = find(&b, "shop:1");
    assert_string_equal(img->id, sample.config_digest);
    assert_string_equal(img->manifest_digest, sample.manifest_digest);
    image_unref(img);
    buf_release(&first);
    buf_release(&second);
    sample_release(&sample);
    shop_release(&a);
    shop_release(&b);
}

static void saving_without_a_manifest_makes_one(void **state)
{
    struct shop a = shop_new(NULL), b = shop_new(NULL);
    struct sample sample;
    struct buf tar = TAR_INIT, saved = TAR_INIT;

    (void)state;
    sample_make(&sample, "2");
    sample_archive(&tar, &sample, NULL, DOCKER);
    assert_ok(shop_load(&a, &tar, NULL, &e));
    assert_ok(shop_save(&a, sample.config_digest, &saved, &e));
    assert_ok(shop_load(&b, &saved, NULL, &e));
    struct image *img = find(&b, sample.config_digest);
    assert_int_equal(img->repo_tags.n, 0);
    assert_true(digest_valid(img->manifest_digest));
    image_unref(img);
    buf_release(&tar);
    buf_release(&saved);
    sample_release(&sample);
    shop_release(&a);
    shop_release(&b);
}

static void the_old_layout_with_links_is_loaded(void **state)
{
    struct shop s = shop_new(NULL);
    struct sample sample;
    struct buf tar = TAR_INIT;
    struct image *img;

    (void)state;
    sample_make(&sample, "2");
    tar_add(&tar, (struct tar_spec){.name = "a/"});
    tar_add(&tar, (struct tar_spec){.name = "a/VERSION", .data = "1.0"});
    tar_add(&tar, (struct tar_spec){.name = "b/layer.tar", .type = '2', .link = "../a/layer.tar"});
    tar_add(&tar, (struct tar_spec){.name = "a/layer.tar",
                                    .data = sample.layers[0].data,
                                    .len = sample.layers[0].len});
    tar_add(&tar, (struct tar_spec){.name = "./c/layer.tar",
                                    .data = sample.layers[1].data,
                                    .len = sample.layers[1].len});
    tar_add(&tar, (struct tar_spec){.name = "conf.json", .data = sample.config.data});
    tar_add(&tar, (struct tar_spec){.name = "manifest.json",
                                    .data = "[{\"Config\":\"conf.json\",\"RepoTags\":[\"old:1\"],"
                                            "\"Layers\":[\"b/layer.tar\",\"c/layer.tar\"]}]"});
    tar_end(&tar);
    assert_ok(shop_load(&s, &tar, NULL, &e));
    img = find(&s, "old:1");
    assert_string_equal(img->id, sample.config_digest);
    assert_int_equal(shop_blobs(&s), 3); /* VERSION is of no use to anybody */
    image_unref(img);
    buf_release(&tar);
    sample_release(&sample);
    shop_release(&s);
}

struct bad_archive {
    const char *what, *manifest_json, *index_json, *config;
};

static void bad_archives_leave_nothing_behind(void **state)
{
    static const struct bad_archive rows[] = {
        {"neither half",                     NULL,                                                        NULL,                                     NULL},
        {"no list",                          "{}",                                                        NULL,                                     NULL},
        {"no JSON",                          "[{",                                                        NULL,                                     NULL},
        {"a config that is missing",         "[{\"Config\":\"none\",\"Layers\":[]}]",                     NULL,                                     NULL},
        {"a layer that is missing",          "[{\"Config\":\"c\",\"Layers\":[\"none\"]}]",                NULL,                                     "{}"},
        {"a config that is none",            "[{\"Config\":\"c\",\"Layers\":[]}]",                        NULL,                                     "[]"},
        {"fewer layers than the config has", "[{\"Config\":\"c\",\"Layers\":[]}]",                        NULL,
         "{\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:"
         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"]}}"                                                                        },
        {"a layer with another diff ID",     "[{\"Config\":\"c\",\"Layers\":[\"l\"]}]",                   NULL,
         "{\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:"
         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"]}}"                                                                        },
        {"a bad name",                       "[{\"Config\":\"c\",\"RepoTags\":[\"A B\"],\"Layers\":[]}]", NULL,                                     "{}"},
        {"an index that is none",            NULL,                                                        "{\"schemaVersion\":2}",                  NULL},
        {"an index of nothing",              NULL,                                                        "{\"schemaVersion\":2,\"manifests\":[]}", NULL},
        {"an index of what is missing",      NULL,
         "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"x\",\"size\":1,\"digest\":\"sha256:"
         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}]}",                                                                   NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct shop s = shop_new(NULL);
        struct buf tar = TAR_INIT;

        if (rows[i].config)
            tar_add(&tar, (struct tar_spec){.name = "c", .data = rows[i].config});
        tar_add(&tar, (struct tar_spec){.name = "l", .data = "", .len = 0});
        if (rows[i].manifest_json)
            tar_add(&tar,
                    (struct tar_spec){.name = "manifest.json", .data = rows[i].manifest_json});
        if (rows[i].index_json)
            tar_add(&tar, (struct tar_spec){.name = "index.json", .data = rows[i].index_json});
        tar_end(&tar);
        {
            struct err e = ERR_INIT;

            if (!shop_load(&s, &tar, NULL, &e))
                fail_msg("%s: was taken", rows[i].what);
            assert_int_equal(e.kind, ERR_INVALID);
        }
        assert_int_equal(shop_blobs(&s), 0);
        assert_int_equal(shop_layers(&s), 0);
        buf_release(&tar);
        shop_release(&s);
    }
}

static void a_blob_that_is_not_what_its_name_says_is_refused(void **state)
{
    struct shop s = shop_new(NULL);
    struct sample sample;
    struct buf tar = TAR_INIT;

    (void)state;
    sample_make(&sample, "2");
    sample.layers[1].data[0] ^= 1;
    sample_archive(&tar, &sample, "x:1", DOCKER | OCI);
    assert_err(shop_load(&s, &tar, NULL, &e), ERR_INVALID);
    assert_int_equal(shop_blobs(&s), 0);
    buf_release(&tar);
    sample_release(&sample);
    shop_release(&s);
}

static void images_are_found_by_each_of_their_names(void **state)
{
    struct shop s = shop_new(NULL);
    struct sample sample;
    char prefix[20];

    (void)state;
    shop_stock(&s, &sample, "2", "127.0.0.1:5000/shop:1");
    assert_ok(images_tag(s.im, sample.config_digest, "shop", "", &e));
    str_copy(prefix, sizeof(prefix), digest_hex(sample.config_digest));
    const char *names[] = {"127.0.0.1:5000/shop:1",
                           "shop",
                           "shop:latest",
                           "docker.io/library/shop:latest",
                           sample.config_digest,
                           digest_hex(sample.config_digest),
                           prefix};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        image_unref(find(&s, names[i]));
    static const struct {
        const char *ref, *error;
    } none[] = {
        {"nope",                "No such image: nope:latest"               },
        {"shop:2",              "No such image: shop:2"                    },
        {"127.0.0.1:5000/shop", "No such image: 127.0.0.1:5000/shop:latest"}
    };
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        struct err e = ERR_INIT;
        struct image *img;

        assert_int_equal(images_find(s.im, none[i].ref, &img, &e), -1);
        assert_int_equal(e.kind, ERR_NOT_FOUND);
        assert_string_equal(e.msg, none[i].error);
    }
    sample_release(&sample);
    shop_release(&s);
}

static void a_tag_moves_from_one_image_to_another(void **state)
{
    struct shop s = shop_new(NULL);
    struct sample one, two;
    struct image *img;

    (void)state;
    shop_stock(&s, &one, "one", "shop:1");
    shop_stock(&s, &two, "two", "shop:2");
    assert_ok(images_tag(s.im, "shop:2", "shop", "1", &e));
    shop_reopen(&s);
    img = find(&s, "shop:1");
    assert_string_equal(img->id, two.config_digest);
    assert_int_equal(img->repo_tags.n, 2);
    assert_true(img->last_tag_ns > 0);
    image_unref(img);
    img = find(&s, one.config_digest);
    assert_int_equal(img->repo_tags.n, 0);
    image_unref(img);
    assert_err(images_tag(s.im, "shop:1", "Bad", "", &e), ERR_INVALID);
    assert_err(images_tag(s.im, "nope", "x", "", &e), ERR_NOT_FOUND);
    sample_release(&one);
    sample_release(&two);
    shop_release(&s);
}

static void the_list_is_newest_first(void **state)
{
    struct shop s = shop_new(NULL);
    struct import_request rq = {.repo = "imp"};
    struct sample sample;
    struct mem_reader r = {"", 0, 0};
    struct image_list l;
    struct image *img;

    (void)state;
    shop_stock(&s, &sample, "2", "shop:1");
    r = (struct mem_reader){sample.layers[0].data, sample.layers[0].len, 0};
    assert_ok(images_import(s.im, &rq, mem_read_fn, &r, NULL, &img, &e));
    image_unref(img);
    images_list(s.im, &l);
    assert_int_equal(l.n, 2);
    assert_string_equal(l.v[0]->repo_tags.v[0], "imp:latest");
    assert_string_equal(l.v[1]->repo_tags.v[0], "shop:1");
    image_list_release(&l);
    sample_release(&sample);
    shop_release(&s);
}

static void an_imported_tree_is_an_image_with_its_changes(void **state)
{
    static const char *const changes[] = {
        "CMD [\"a\",\"b\"]", "ENV X=1 Y=\"a b\"",    "EXPOSE 80 90/udp", "LABEL a=b",
        "VOLUME /d",         "WORKDIR /w",           "USER u",           "STOPSIGNAL SIGINT",
        "entrypoint foo",    "HEALTHCHECK CMD true", "ONBUILD RUN true", "WORKDIR sub",
    };
    struct shop s = shop_new(NULL);
    struct sample sample;
    cleanup_strv struct strv list = {0};
    struct import_request rq = {.repo = "imp", .tag = "1", .changes = &list, .message = "hello"};
    struct image *img;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++)
        strv_add(&list, changes[i]);
    sample_make(&sample, "2");
    struct mem_reader r = {sample.layers[0].data, sample.layers[0].len, 100};
    assert_ok(images_import(s.im, &rq, mem_read_fn, &r, NULL, &img, &e));
    assert_string_equal(img->repo_tags.v[0], "imp:1");
    assert_string_equal(img->comment, "hello");
    assert_string_equal(img->os, "linux");
    assert_int_equal(img->config->cmd.n, 2);
    assert_string_equal(img->config->env.v[1], "Y=a b");
    assert_int_equal(img->config->n_exposed, 2);
    assert_string_equal(img->config->working_dir, "/w/sub");
    assert_string_equal(img->config->entrypoint.v[2], "foo");
    assert_string_equal(img->config->user, "u");
    assert_string_equal(kvs_get(&img->config->labels, "a"), "b");
    assert_string_equal(img->diff_ids.v[0], sample.layer_digests[0]);
    assert_int_equal(img->n_history, 1);
    image_unref(img);
    sample_release(&sample);
    shop_release(&s);
}

static void changes_that_are_wrong_are_refused_in_dockers_words(void **state)
{
    static const struct {
        const char *change, *error;
    } rows[] = {
        {"RUN x",      "RUN is not a valid change command" },
        {"ENV",        "ENV requires at least one argument"},
        {"EXPOSE abc", "Invalid containerPort: abc"        },
        {"USER a b",   "USER requires exactly one argument"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct shop s = shop_new(NULL);
        cleanup_strv struct strv list = {0};
        struct import_request rq = {.repo = "imp", .changes = &list};
        struct mem_reader r = {"", 0, 0};
        struct err e = ERR_INIT;
        struct image *img;

        strv_add(&list, rows[i].change);
        assert_int_equal(images_import(s.im, &rq, mem_read_fn, &r, NULL, &img, &e), -1);
        assert_string_equal(e.msg, rows[i].error);
        shop_release(&s);
    }
}

static void rubbish_cannot_be_imported(void **state)
{
    struct shop s = shop_new(NULL);
    struct import_request rq = {.repo = "imp"};
    struct mem_reader r = {"this is no archive at all", 25, 0};
    struct image *img;

    (void)state;
    assert_err(images_import(s.im, &rq, mem_read_fn, &r, NULL, &img, &e), ERR_INVALID);
    assert_int_equal(shop_blobs(&s), 0);
    assert_int_equal(shop_layers(&s), 0);
    shop_release(&s);
}

static void a_container_gets_a_root_and_keeps_it(void **state)
{
    (void)state;
    for (size_t d = 0; d < ARRAY_LEN(drivers); d++) {
        struct shop s = shop_new(drivers[d]);
        struct sample sample;
        struct rootfs r;
        struct strv ids = {0};

        shop_stock(&s, &sample, "2", "shop:1");
        assert_ok(images_rootfs_ensure(s.im, sample.config_digest, "c1", &r, &e));
        assert_int_equal(r.overlay, d == 0);
        assert_true(fs_is_dir(r.upper));
        if (r.overlay) {
            cleanup_free char *two = path_join(r.lower.v[0], "etc/two");
            cleanup_free char *one = path_join(r.lower.v[1], "etc/one");

            assert_int_equal(r.lower.n, 2);
            assert_true(fs_exists(two) && fs_exists(one));
        } else {
            cleanup_free char *two = path_join(r.upper, "etc/two");
            cleanup_free char *one = path_join(r.upper, "etc/one");

            assert_true(fs_exists(two) && !fs_exists(one));
        }
        cleanup_free char *mark = path_join(r.upper, "mark");
        assert_ok(fs_write_atomic(mark, "x", 1, 0600, false, &e));
        rootfs_release(&r);
        shop_reopen(&s);
        assert_ok(images_rootfs_ensure(s.im, sample.config_digest, "c1", &r, &e));
        assert_true(fs_exists(mark));
        rootfs_release(&r);
        assert_ok(images_rootfs_list(s.im, &ids, &e));
        assert_int_equal(ids.n, 1);
        assert_string_equal(ids.v[0], "c1");
        strv_release(&ids);
        assert_ok(images_rootfs_remove(s.im, "c1", &e));
        assert_ok(images_rootfs_remove(s.im, "c1", &e));
        assert_ok(images_rootfs_list(s.im, &ids, &e));
        assert_int_equal(ids.n, 0);
        assert_err(images_rootfs_ensure(s.im, "sha256:none", "c2", &r, &e), ERR_NOT_FOUND);
        assert_err(images_rootfs_ensure(s.im, sample.config_digest, "../c2", &r, &e), ERR_INVALID);
        sample_release(&sample);
        shop_release(&s);
    }
}

static void a_layer_that_was_lost_is_made_again_from_its_blob(void **state)
{
    struct shop s = shop_new("overlay2");
    struct sample sample;
    struct rootfs r;
    cleanup_free char *lost = NULL;

    (void)state;
    shop_stock(&s, &sample, "2", "shop:1");
    lost = str_printf("%s/layers/overlay2/%s", s.root, digest_hex(sample.layer_digests[0]));
    assert_ok(fs_remove_all(lost, &e));
    assert_ok(images_rootfs_ensure(s.im, sample.config_digest, "c1", &r, &e));
    assert_true(fs_is_dir(lost));
    rootfs_release(&r);
    sample_release(&sample);
    shop_release(&s);
}

static void what_a_killed_agent_left_is_gone_after_a_reopening(void **state)
{
    struct shop s = shop_new("overlay2");
    struct sample sample;
    cleanup_free char *dir = path_join(s.root, "layers/overlay2"), *blob = NULL, *layer = NULL;
    cleanup_free char *tmp = path_join(dir, "tmp/left/diff"), *tmp_blob = NULL;

    (void)state;
    shop_stock(&s, &sample, "2", "shop:1");
    blob = str_printf("%s/blobs/sha256/%064d", s.root, 7);
    tmp_blob = path_join(s.root, "blobs/tmp/left");
    layer = str_printf("%s/%064d/diff", dir, 7);
    assert_ok(fs_mkdir_p(layer, 0755, &e));
    assert_ok(fs_mkdir_p(tmp, 0755, &e));
    assert_ok(fs_write_atomic(blob, "x", 1, 0600, false, &e));
    assert_ok(fs_write_atomic(tmp_blob, "x", 1, 0600, false, &e));
    shop_reopen(&s);
    assert_false(fs_exists(blob) || fs_exists(layer) || fs_exists(tmp) || fs_exists(tmp_blob));
    assert_int_equal(shop_layers(&s), 2);
    assert_int_equal(shop_blobs(&s), 4);
    image_unref(find(&s, "shop:1"));
    sample_release(&sample);
    shop_release(&s);
}

static void a_lost_database_does_not_take_the_content_with_it(void **state)
{
    struct shop s = shop_new("overlay2");
    struct sample sample;

    (void)state;
    shop_stock(&s, &sample, "2", "shop:1");
    shop_close(&s);
    assert_ok(fs_remove(s.db, &e));
    assert_ok(shop_try_open(&s, NULL, &e));
    assert_int_equal(shop_blobs(&s), 4);
    assert_int_equal(shop_layers(&s), 2);
    sample_release(&sample);
    shop_release(&s);
}

#ifdef BALLAST_FAULTS
static void a_load_that_fails_anywhere_changes_nothing_and_then_succeeds(void **state)
{
    static const char *const points[] = {"content.create", "content.write", "content.commit",
                                         "layer.write",    "layer.commit",  "images.commit",
                                         "images.ref"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(points); i++)
        for (unsigned nth = 1; nth < 12; nth++) {
            struct shop s = shop_new(drivers[nth % 2]);
            struct sample sample;
            struct buf tar = TAR_INIT;
            struct err e = ERR_INIT;
            int rc;

            sample_make(&sample, "2");
            sample_archive(&tar, &sample, "shop:1", DOCKER | OCI);
            fault_set(points[i], nth, false);
            rc = shop_load(&s, &tar, NULL, &e);
            fault_set(NULL, 0, false);
            if (rc) {
                struct image *img;

                assert_int_equal(images_find(s.im, "shop:1", &img, ERR_IGNORE), -1);
                if (i < 6) { /* a reference is the last thing: the image is whole without it */
                    assert_int_equal(shop_blobs(&s), 0);
                    assert_int_equal(shop_layers(&s), 0);
                }
                assert_ok(shop_load(&s, &tar, NULL, &e));
            }
            image_unref(find(&s, "shop:1"));
            buf_release(&tar);
            sample_release(&sample);
            shop_release(&s);
            if (rc == 0)
                break;
        }
}
#endif

static void a_load_can_be_cancelled(void **state)
{
    struct shop s = shop_new(NULL);
    struct sample sample;
    struct buf tar = TAR_INIT;
    struct cancel *c = cancel_new();

    (void)state;
    sample_make(&sample, "2");
    sample_archive(&tar, &sample, "shop:1", DOCKER | OCI);
    struct mem_reader r = {tar.data, tar.len, 0};
    cancel_fire(c);
    assert_err(images_load(s.im, mem_read_fn, &r, NULL, NULL, c, NULL, &e), ERR_CANCELLED);
    assert_int_equal(shop_blobs(&s), 0);
    cancel_free(c);
    buf_release(&tar);
    sample_release(&sample);
    shop_release(&s);
}

static void images_share_layers_and_both_can_be_saved(void **state)
{
    struct shop s = shop_new(NULL);
    struct sample one, two;
    struct buf tar = TAR_INIT;
    cleanup_strv struct strv refs = {0};

    (void)state;
    shop_stock(&s, &one, "one", "shop:1");
    shop_stock(&s, &two, "two", "shop:2");
    assert_int_equal(shop_layers(&s), 3);
    assert_int_equal(images_layers_size(s.im), 1 + 3 + 3);
    strv_add(&refs, "shop"); /* the whole repository */
    assert_ok(images_save(s.im, &refs, shop_collect, &tar, NULL, &e));
    struct shop b = shop_new("vfs");
    cleanup_strv struct strv loaded = {0};
    assert_ok(shop_load(&b, &tar, &loaded, &e));
    assert_int_equal(loaded.n, 2);
    assert_string_equal(loaded.v[0], "shop:1");
    assert_string_equal(loaded.v[1], "shop:2");
    strv_add(&refs, "nope");
    assert_err(images_save(s.im, &refs, shop_collect, &tar, NULL, &e), ERR_NOT_FOUND);
    buf_release(&tar);
    sample_release(&one);
    sample_release(&two);
    shop_release(&s);
    shop_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(archives_of_every_form_are_loaded),
        cmocka_unit_test(a_saved_image_loads_byte_for_byte_the_same),
        cmocka_unit_test(saving_without_a_manifest_makes_one),
        cmocka_unit_test(the_old_layout_with_links_is_loaded),
        cmocka_unit_test(bad_archives_leave_nothing_behind),
        cmocka_unit_test(a_blob_that_is_not_what_its_name_says_is_refused),
        cmocka_unit_test(images_are_found_by_each_of_their_names),
        cmocka_unit_test(a_tag_moves_from_one_image_to_another),
        cmocka_unit_test(the_list_is_newest_first),
        cmocka_unit_test(an_imported_tree_is_an_image_with_its_changes),
        cmocka_unit_test(changes_that_are_wrong_are_refused_in_dockers_words),
        cmocka_unit_test(rubbish_cannot_be_imported),
        cmocka_unit_test(a_container_gets_a_root_and_keeps_it),
        cmocka_unit_test(a_layer_that_was_lost_is_made_again_from_its_blob),
        cmocka_unit_test(what_a_killed_agent_left_is_gone_after_a_reopening),
        cmocka_unit_test(a_lost_database_does_not_take_the_content_with_it),
#ifdef BALLAST_FAULTS
        cmocka_unit_test(a_load_that_fails_anywhere_changes_nothing_and_then_succeeds),
#endif
        cmocka_unit_test(a_load_can_be_cancelled),
        cmocka_unit_test(images_share_layers_and_both_can_be_saved),
    };

    setenv("TMPDIR", "/dev/shm", 0); /* a commit syncs its file system: let it be a fast one */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
