/*
 * shop: an image store of its own for a test, and archives to fill it with.
 *
 * sample_archive() is a docker-archive and OCI layout of one image with two layers: etc/one in the
 * lower, etc/two and a whiteout of etc/one in the upper.
 */
#pragma once

#include <fcntl.h>

#include "base/digest.h"
#include "base/json.h"
#include "images/images.h"
#include "images/images_internal.h"
#include "tests/unit/images/make_tar.h"
#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

struct shop {
    struct tmpdir dir;
    char *root, *db;
    struct state *st;
    struct images *im;
};

static inline int shop_try_open(struct shop *s, const char *driver, struct err *e)
{
    struct images_config cfg = {.data_root = s->root, .storage_driver = driver};

    if (state_open(s->db, &s->st, e))
        return -1;
    return images_open(&cfg, s->st, &s->im, e);
}

static inline struct shop shop_new(const char *driver)
{
    struct shop s = {.dir = tmpdir_new()};

    s.root = tmpdir_at(&s.dir, "data");
    s.db = tmpdir_at(&s.dir, "state.db");
    assert_ok(fs_mkdir_p(s.root, 0700, &e));
    assert_ok(shop_try_open(&s, driver, &e));
    return s;
}

static inline void shop_close(struct shop *s)
{
    images_close(s->im);
    state_close(s->st);
    s->im = NULL;
    s->st = NULL;
}

static inline void shop_reopen(struct shop *s)
{
    shop_close(s);
    assert_ok(shop_try_open(s, NULL, &e));
}

static inline void shop_release(struct shop *s)
{
    shop_close(s);
    free(s->root);
    free(s->db);
    tmpdir_release(&s->dir);
}

/* Files below a directory of the data root, temporary ones included. */
static inline size_t shop_count(const struct shop *s, const char *dir)
{
    cleanup_free char *path = path_join(s->root, dir);
    cleanup_strv struct strv names = {0};

    if (!fs_is_dir(path))
        return 0;
    assert_ok(fs_list(path, &names, &e));
    return names.n;
}

/* Layers on disk: what is not l, rw, tmp. */
static inline size_t shop_layers(const struct shop *s)
{
    cleanup_free char *dir = str_printf("layers/%s", images_driver_name(s->im));

    cleanup_free char *path = path_join(s->root, dir), *links = path_join(path, "l");

    return shop_count(s, dir) - 2 - fs_is_dir(links);
}

static inline size_t shop_blobs(const struct shop *s)
{
    return shop_count(s, "blobs/sha256");
}

/* ---- archives */

struct sample {
    struct buf layers[2], config, manifest;
    char layer_digests[2][DIGEST_TEXT_MAX];
    char config_digest[DIGEST_TEXT_MAX], manifest_digest[DIGEST_TEXT_MAX];
};

static inline void sample_make(struct sample *s, const char *variation)
{
    *s = (struct sample){
        {TAR_INIT, TAR_INIT},
        TAR_INIT, TAR_INIT, {"",       ""      },
        "", ""
    };
    tar_add(&s->layers[0], (struct tar_spec){.name = "etc/"});
    tar_add(&s->layers[0], (struct tar_spec){.name = "etc/one", .data = "1"});
    tar_end(&s->layers[0]);
    tar_add(&s->layers[1], (struct tar_spec){.name = "etc/"});
    tar_add(&s->layers[1], (struct tar_spec){.name = "etc/two", .data = variation});
    tar_add(&s->layers[1], (struct tar_spec){.name = "etc/.wh.one"});
    tar_end(&s->layers[1]);
    for (int i = 0; i < 2; i++)
        digest_of(s->layers[i].data, s->layers[i].len, s->layer_digests[i]);
    buf_addf(&s->config,
             "{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2024-01-02T03:04:05Z\","
             "\"config\":{\"Env\":[\"V=%s\"],\"Cmd\":[\"/bin/true\"]},\"rootfs\":{\"type\":"
             "\"layers\",\"diff_ids\":[\"%s\",\"%s\"]},\"history\":[{\"created_by\":\"a\"},"
             "{\"created_by\":\"b\"}]}",
             variation, s->layer_digests[0], s->layer_digests[1]);
    digest_of(s->config.data, s->config.len, s->config_digest);
    buf_addf(&s->manifest,
             "{\n \"schemaVersion\": 2,\n \"mediaType\": "
             "\"application/vnd.oci.image.manifest.v1+json\",\n \"config\": {\"mediaType\": "
             "\"application/vnd.oci.image.config.v1+json\", \"digest\": \"%s\", \"size\": %zu},\n "
             "\"layers\": [",
             s->config_digest, s->config.len);
    for (int i = 0; i < 2; i++)
        buf_addf(&s->manifest,
                 "%s{\"mediaType\": \"application/vnd.oci.image.layer.v1.tar\", \"digest\": "
                 "\"%s\", \"size\": %zu}",
                 i ? ", " : "", s->layer_digests[i], s->layers[i].len);
    buf_addf(&s->manifest, "]\n}\n"); /* white space that a rewriter would not keep */
    digest_of(s->manifest.data, s->manifest.len, s->manifest_digest);
}

static inline void sample_release(struct sample *s)
{
    buf_release(&s->layers[0]);
    buf_release(&s->layers[1]);
    buf_release(&s->config);
    buf_release(&s->manifest);
}

static inline void add_blob(struct buf *tar, const char *digest, const struct buf *bytes)
{
    cleanup_free char *name = str_printf("blobs/sha256/%s", digest_hex(digest));

    tar_add(tar, (struct tar_spec){.name = name, .data = bytes->data, .len = bytes->len});
}

static inline void add_docker_half(struct buf *tar, const struct sample *s, const char *tag)
{
    cleanup_free char *text = str_printf(
        "[{\"Config\":\"blobs/sha256/%s\",\"RepoTags\":%s%s%s,\"Layers\":["
        "\"blobs/sha256/%s\",\"blobs/sha256/%s\"]}]",
        digest_hex(s->config_digest), tag ? "[\"" : "null", tag ? tag : "", tag ? "\"]" : "",
        digest_hex(s->layer_digests[0]), digest_hex(s->layer_digests[1]));

    tar_add(tar, (struct tar_spec){.name = "manifest.json", .data = text});
}

static inline void add_oci_half(struct buf *tar, const struct sample *s, const char *tag)
{
    cleanup_free char *text = str_printf(
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
        "\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu%s%s%s}]}",
        s->manifest_digest, s->manifest.len,
        tag ? ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" : "", tag ? tag : "",
        tag ? "\"}" : "");

    tar_add(tar, (struct tar_spec){.name = "index.json", .data = text});
    tar_add(tar,
            (struct tar_spec){.name = "oci-layout", .data = "{\"imageLayoutVersion\":\"1.0.0\"}"});
    add_blob(tar, s->manifest_digest, &s->manifest);
}

enum halves { DOCKER = 1, OCI = 2 };
static inline void sample_archive(struct buf *tar, const struct sample *s, const char *tag,
                                  enum halves halves)
{
    if (halves & OCI)
        add_oci_half(tar, s, halves & DOCKER ? NULL : tag);
    add_blob(tar, s->layer_digests[1], &s->layers[1]);
    add_blob(tar, s->layer_digests[0], &s->layers[0]);
    add_blob(tar, s->config_digest, &s->config);
    if (halves & DOCKER)
        add_docker_half(tar, s, tag);
    tar_end(tar);
}

static inline int shop_load(struct shop *s, const struct buf *tar, struct strv *loaded,
                            struct err *e)
{
    struct mem_reader r = {tar->data, tar->len, 0};

    return images_load(s->im, mem_read_fn, &r, NULL, NULL, NULL, loaded, e);
}

static inline int shop_collect(void *arg, const void *p, size_t n, struct err *e)
{
    (void)e;
    buf_add(arg, p, n);
    return 0;
}

static inline int shop_save(struct shop *s, const char *ref, struct buf *out, struct err *e)
{
    cleanup_strv struct strv refs = {0};

    strv_add(&refs, ref);
    return images_save(s->im, &refs, shop_collect, out, NULL, e);
}

/* The sample under a tag, loaded. */
static inline void shop_stock(struct shop *s, struct sample *sample, const char *variation,
                              const char *tag)
{
    struct buf tar = TAR_INIT;

    sample_make(sample, variation);
    sample_archive(&tar, sample, tag, DOCKER | OCI);
    assert_ok(shop_load(s, &tar, NULL, &e));
    buf_release(&tar);
}
