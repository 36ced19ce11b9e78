/* Pulling: from a registry that misbehaves, and from Debian's docker-registry. */
#include <signal.h>

#include "base/cancel.h"
#include "base/process.h"
#include "base/time.h"
#include "images/registry.h"
#include "images/registry_auth.h"
#include "tests/unit/images/shop.h"
#include "tests/unit/images/tiny_registry.h"

/* base64url of {"username":"u","password":"pw"} */
#define AUTH  "eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6InB3In0="
#define BASIC "Basic dTpwdw=="

struct stock {
    struct tiny reg;
    struct shop shop;
    struct sample sample;
    struct buf packed[2]; /* layers, gzip and zstd */
    char packed_digest[2][DIGEST_TEXT_MAX];
    struct buf manifest, index;
    char manifest_digest[DIGEST_TEXT_MAX], index_digest[DIGEST_TEXT_MAX];
    char *ref; /* 127.0.0.1:port/x:1 */
};

static void put_blob(struct stock *s, const char *digest, const void *p, size_t n)
{
    cleanup_free char *path = str_printf("/v2/x/blobs/%s", digest);

    tiny_put(&s->reg, path, "application/octet-stream", p, n);
}

static void put_manifest(struct stock *s, const char *which, const char *type,
                         const struct buf *text)
{
    cleanup_free char *path = str_printf("/v2/x/manifests/%s", which);

    tiny_put(&s->reg, path, type, text->data, text->len);
}

/* The sample behind an index with two platforms, its layers gzip and zstd. */
static void stock_new(struct stock *s, const char *driver)
{
    static const char *const tools[] = {"gzip", "zstd"};

    tiny_start(&s->reg);
    s->shop = shop_new(driver);
    sample_make(&s->sample, "2");
    s->manifest = TAR_INIT;
    s->index = TAR_INIT;
    buf_addf(&s->manifest,
             "{\"schemaVersion\":2,\"config\":{\"mediaType\":"
             "\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%zu},"
             "\"layers\":[",
             s->sample.config_digest, s->sample.config.len);
    for (int i = 0; i < 2; i++) {
        const char *argv[] = {tools[i], "-c", NULL};
        int code;

        s->packed[i] = TAR_INIT;
        assert_ok(process_run(argv, s->sample.layers[i].data, s->sample.layers[i].len,
                              &s->packed[i], NULL, NULL, &code, &e));
        digest_of(s->packed[i].data, s->packed[i].len, s->packed_digest[i]);
        buf_addf(&s->manifest,
                 "%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+%s\",\"digest\":"
                 "\"%s\",\"size\":%zu}",
                 i ? "," : "", tools[i], s->packed_digest[i], s->packed[i].len);
        put_blob(s, s->packed_digest[i], s->packed[i].data, s->packed[i].len);
    }
    buf_addf(&s->manifest, "]}");
    digest_of(s->manifest.data, s->manifest.len, s->manifest_digest);
    buf_addf(&s->index,
             "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
             "\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%064d\",\"size\":"
             "7,\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}},{\"mediaType\":"
             "\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu}]}",
             7, s->manifest_digest, s->manifest.len);
    digest_of(s->index.data, s->index.len, s->index_digest);
    put_manifest(s, "1", "application/vnd.oci.image.index.v1+json", &s->index);
    put_manifest(s, s->index_digest, "application/vnd.oci.image.index.v1+json", &s->index);
    put_manifest(s, s->manifest_digest, "application/vnd.oci.image.manifest.v1+json", &s->manifest);
    put_blob(s, s->sample.config_digest, s->sample.config.data, s->sample.config.len);
    s->ref = str_printf("127.0.0.1:%u/x:1", s->reg.port);
}

static void stock_release(struct stock *s)
{
    tiny_stop(&s->reg);
    shop_release(&s->shop);
    sample_release(&s->sample);
    for (int i = 0; i < 2; i++)
        buf_release(&s->packed[i]);
    buf_release(&s->manifest);
    buf_release(&s->index);
    free(s->ref);
}

static int note_progress(void *arg, const struct progress *p, struct err *e)
{
    (void)e;
    if (arg)
        buf_addf(arg, "%s%s%s\n", p->id ? p->id : "", p->id ? ": " : "", p->status);
    return 0;
}

static int pull(struct stock *s, const char *ref, const char *auth, struct buf *log, bool *changed,
                struct err *e)
{
    struct pull_request rq = {.ref = ref, .auth = auth};

    return images_pull(s->shop.im, &rq, note_progress, log, NULL, NULL, changed, e);
}

static void assert_nothing_stored(struct stock *s)
{
    assert_int_equal(shop_blobs(&s->shop), 0);
    assert_int_equal(shop_layers(&s->shop), 0);
    assert_int_equal(shop_count(&s->shop, "blobs/tmp"), 0);
}

static const char *after(const char *text, const char *what)
{
    const char *at = strstr(text, what);

    if (!at)
        fail_msg("no \"%s\" (in its place) in:\n%s", what, text);
    return at + strlen(what);
}

static void an_image_is_pulled_with_the_messages_that_clients_parse(void **state)
{
    static const char *const drivers[] = {"overlay2", "vfs"};

    (void)state;
    for (size_t d = 0; d < 2; d++) {
        struct stock s;
        struct buf log = BUF_INIT(65536);
        struct image *img;
        bool changed;
        const char *at;

        stock_new(&s, drivers[d]);
        assert_ok(pull(&s, s.ref, NULL, &log, &changed, &e));
        assert_true(changed);
        at = after(log.data, "1: Pulling from x\n");
        for (int i = 0; i < 2; i++) {
            static const char *const steps[] = {"Pulling fs layer",   "Downloading",
                                                "Verifying Checksum", "Download complete",
                                                "Extracting",         "Pull complete"};
            const char *layer = at;

            for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
                cleanup_free char *line =
                    str_printf("%.12s: %s\n", digest_hex(s.packed_digest[i]), steps[k]);
                layer = after(layer, line);
            }
        }
        cleanup_free char *end = str_printf("Pull complete\nDigest: %s\nStatus: Downloaded newer "
                                            "image for %s\n",
                                            s.index_digest, s.ref);
        assert_true(str_ends(log.data, end));
        assert_ok(images_find(s.shop.im, s.ref, &img, &e));
        assert_string_equal(img->id, s.sample.config_digest);
        assert_string_equal(img->manifest_digest, s.manifest_digest);
        cleanup_free char *digest = str_printf("127.0.0.1:%u/x@%s", s.reg.port, s.index_digest);
        assert_string_equal(img->repo_digests.v[0], digest);
        image_unref(img);
        assert_ok(images_find(s.shop.im, digest, &img, &e));
        image_unref(img);
        assert_int_equal(shop_blobs(&s.shop), 5); /* index, manifest, config, two layers */
        buf_release(&log);
        stock_release(&s);
    }
}

static void a_second_pull_asks_for_the_digest_only(void **state)
{
    struct stock s;
    struct buf log = BUF_INIT(65536);
    bool changed;
    int before;

    (void)state;
    stock_new(&s, NULL);
    /* The tag's HEAD must say the digest. */
    cleanup_free char *type = str_printf("application/vnd.oci.image.index.v1+json\r\n"
                                         "Docker-Content-Digest: %s",
                                         s.index_digest);
    put_manifest(&s, "1", type, &s.index);
    assert_ok(pull(&s, s.ref, NULL, NULL, &changed, &e));
    shop_reopen(&s.shop);
    before = s.reg.requests;
    assert_ok(pull(&s, s.ref, NULL, &log, &changed, &e));
    assert_false(changed);
    assert_int_equal(s.reg.requests - before, 2); /* what it speaks, and the HEAD */
    cleanup_free char *want =
        str_printf("1: Pulling from x\nDigest: %s\nStatus: Image is up to date for %s\n",
                   s.index_digest, s.ref);
    assert_string_equal(log.data, want);
    buf_release(&log);
    stock_release(&s);
}

static void layers_that_are_there_are_not_fetched_again(void **state)
{
    struct stock s;
    struct buf log = BUF_INIT(65536);
    struct buf tar = TAR_INIT;

    (void)state;
    stock_new(&s, NULL);
    sample_archive(&tar, &s.sample, "same:1", DOCKER | OCI);
    assert_ok(shop_load(&s.shop, &tar, NULL, &e));
    assert_ok(pull(&s, s.ref, NULL, &log, NULL, &e));
    assert_int_equal(s.reg.blob_requests, 0);
    after(log.data, ": Already exists\n");
    /* It can be saved, from the blobs that are there. */
    buf_reset(&tar);
    assert_ok(shop_save(&s.shop, s.ref, &tar, &e));
    struct shop other = shop_new(NULL);
    assert_ok(shop_load(&other, &tar, NULL, &e));
    shop_release(&other);
    buf_release(&tar);
    buf_release(&log);
    stock_release(&s);
}

static void errors_are_in_dockers_words(void **state)
{
    struct stock s;
    struct err e = ERR_INIT;

    (void)state;
    stock_new(&s, NULL);
    cleanup_free char *tag = str_printf("127.0.0.1:%u/x:9", s.reg.port);
    assert_int_equal(pull(&s, tag, NULL, NULL, NULL, &e), -1);
    cleanup_free char *unknown =
        str_printf("manifest for %s not found: manifest unknown: manifest unknown", tag);
    assert_string_equal(e.msg, unknown);
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_int_equal(pull(&s, "127.0.0.1:1/x:9", NULL, NULL, NULL, &e), -1);
    assert_string_equal(
        e.msg, "Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused");
    assert_int_equal(pull(&s, "scratch", NULL, NULL, NULL, &e), -1);
    assert_string_equal(e.msg, "'scratch' is a reserved name");
    assert_int_equal(e.kind, ERR_DENIED);
    struct pull_request rq = {.ref = s.ref, .platform = "linux/mips"};
    assert_int_equal(images_pull(s.shop.im, &rq, NULL, NULL, NULL, NULL, NULL, &e), 0);
    cleanup_free char *index = str_printf("{\"schemaVersion\":2,\"manifests\":[]}");
    cleanup_free char *path = str_printf("/v2/x/manifests/2");
    tiny_put(&s.reg, path, "application/vnd.oci.image.index.v1+json", index, strlen(index));
    cleanup_free char *two = str_printf("127.0.0.1:%u/x:2", s.reg.port);
    assert_int_equal(pull(&s, two, NULL, NULL, NULL, &e), -1);
    assert_non_null(strstr(e.msg, "no matching manifest for linux/"));
    stock_release(&s);
}

static void tokens_and_passwords_open_the_door(void **state)
{
    static const struct {
        const char *bearer, *basic, *token_basic, *auth;
        int tokens; /* requests for one; -1: it must fail */
        const char *error;
    } rows[] = {
        {"Bearer abc", NULL,          NULL,  NULL,       1,  NULL                                   },
        {"Bearer abc", NULL,          BASIC, AUTH,       1,  NULL                                   },
        {"Bearer abc", NULL,          BASIC, NULL,       -1, "unauthorized: "                       },
        {NULL,         BASIC,         NULL,  AUTH,       0,  NULL                                   },
        {NULL,         BASIC,         NULL,  NULL,       -1, "no basic auth credentials"            },
        {NULL,         "Basic other", NULL,  AUTH,       -1, "unauthorized: authentication required"},
        {NULL,         BASIC,         NULL,  "rubbish!", -1, "no basic auth credentials"            },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct stock s;
        struct err e = ERR_INIT;
        int rc;

        stock_new(&s, NULL);
        s.reg.bearer = rows[i].bearer;
        s.reg.basic = rows[i].basic;
        s.reg.token_basic = rows[i].token_basic;
        rc = pull(&s, s.ref, rows[i].auth, NULL, NULL, &e);
        if (rows[i].tokens >= 0) {
            if (rc)
                fail_msg("row %zu: %s", i, e.msg);
            assert_int_equal(s.reg.token_requests, rows[i].tokens);
        } else {
            assert_int_equal(rc, -1);
            if (!strstr(e.msg, rows[i].error))
                fail_msg("row %zu: %s", i, e.msg);
            assert_nothing_stored(&s);
        }
        stock_release(&s);
    }
}

static void a_connection_cut_at_any_byte_is_resumed(void **state)
{
    (void)state;
    for (int ranges = 0; ranges < 2; ranges++) {
        struct stock s;
        size_t len;

        stock_new(&s, NULL);
        len = s.packed[0].len;
        stock_release(&s);
        for (size_t cut = 0; cut < len; cut += 23) {
            stock_new(&s, NULL);
            s.reg.victim = s.packed_digest[0];
            s.reg.cut_at = cut;
            s.reg.cut_times = 1;
            s.reg.no_ranges = ranges == 0;
            assert_ok(pull(&s, s.ref, NULL, NULL, NULL, &e));
            stock_release(&s);
        }
    }
}

static void a_damaged_layer_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    for (size_t at = 12; at < 100; at += 11) {
        struct stock s;
        struct err e = ERR_INIT;

        stock_new(&s, NULL);
        s.reg.victim = s.packed_digest[at % 2];
        s.reg.flip_at = at;
        assert_int_equal(pull(&s, s.ref, NULL, NULL, NULL, &e), -1);
        cleanup_free char *want = str_printf("filesystem layer verification failed for digest %s",
                                             s.packed_digest[at % 2]);
        assert_string_equal(e.msg, want);
        assert_nothing_stored(&s);
        s.reg.flip_at = 0;
        assert_ok(pull(&s, s.ref, NULL, NULL, NULL, &e));
        stock_release(&s);
    }
}

static void other_misbehaviour_is_an_error_and_leaves_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct stock s;
        struct err e = ERR_INIT;
        cleanup_free char *victim = NULL;

        stock_new(&s, NULL);
        s.reg.victim = s.packed_digest[0];
        switch (i) {
        case 0: /* a manifest with another digest than was asked for */
            s.reg.victim = s.manifest_digest;
            s.reg.flip_at = 3;
            break;
        case 1:
            s.reg.victim = s.sample.config_digest;
            s.reg.flip_at = 30;
            break;
        case 2:
            s.reg.redirect_loop = true;
            break;
        case 3: /* an index that says another size */
            map_del(&s.reg.docs, "/v2/x/manifests/1");
            s.index.data[s.index.len - 4]++;
            put_manifest(&s, "1", "application/vnd.oci.image.index.v1+json", &s.index);
            break;
        case 4: /* a layer that is not there */
            victim = str_printf("/v2/x/blobs/%s", s.packed_digest[0]);
            map_del(&s.reg.docs, victim);
            break;
        }
        if (!pull(&s, s.ref, NULL, NULL, NULL, &e))
            fail_msg("case %d was taken", i);
        assert_nothing_stored(&s);
        stock_release(&s);
    }
}

static void a_connection_that_breaks_after_the_last_byte_does_no_harm(void **state)
{
    struct stock s;

    (void)state;
    stock_new(&s, NULL);
    s.reg.victim = s.packed_digest[0];
    s.reg.lie_length = true;
    assert_ok(pull(&s, s.ref, NULL, NULL, NULL, &e));
    stock_release(&s);
}

struct canceller {
    struct cancel *c;
    struct tiny *reg;
};

static void cancel_soon(void *arg)
{
    struct canceller *k = arg;

    while (k->reg->blob_requests < 2)
        time_sleep_ms(1);
    time_sleep_ms(20);
    cancel_fire(k->c);
}

static void cancel_ends_a_pull_that_hangs(void **state)
{
    struct stock s;
    struct cancel *c = cancel_new();
    struct thread th = {0};
    struct pull_request rq = {0};
    struct canceller k;
    int64_t start;

    (void)state;
    stock_new(&s, NULL);
    s.reg.victim = s.packed_digest[0];
    s.reg.stall = true;
    k = (struct canceller){c, &s.reg};
    rq.ref = s.ref;
    assert_ok(thread_start(&th, "canceller", cancel_soon, &k, &e));
    start = time_mono_ms();
    assert_err(images_pull(s.shop.im, &rq, NULL, NULL, c, NULL, NULL, &e), ERR_CANCELLED);
    assert_true(time_mono_ms() - start < 3000);
    thread_join(&th);
    assert_nothing_stored(&s);
    stock_release(&s);
    cancel_free(c);
}

static int stop_at_first(void *arg, const struct progress *p, struct err *e)
{
    (void)arg;
    return strstr(p->status, "Downloading") ? err_set(e, ERR_CANCELLED, "client gone") : 0;
}

static void a_client_that_is_gone_ends_the_pull(void **state)
{
    struct stock s;
    struct pull_request rq;

    (void)state;
    stock_new(&s, NULL);
    rq = (struct pull_request){.ref = s.ref};
    assert_err(images_pull(s.shop.im, &rq, stop_at_first, NULL, NULL, NULL, NULL, &e),
               ERR_CANCELLED);
    assert_nothing_stored(&s);
    stock_release(&s);
}

struct puller {
    struct stock *s;
    const char *ref;
    int rc;
};

static void pull_in_thread(void *arg)
{
    struct puller *p = arg;

    p->rc = pull(p->s, p->ref, NULL, NULL, NULL, ERR_IGNORE);
}

static void pulls_at_the_same_time_fetch_each_layer_once(void **state)
{
    struct stock s;
    struct puller p[6];
    struct thread th[6] = {0};

    (void)state;
    stock_new(&s, "overlay2");
    put_manifest(&s, "other", "application/vnd.oci.image.index.v1+json", &s.index);
    cleanup_free char *other = str_printf("127.0.0.1:%u/x:other", s.reg.port);
    for (int i = 0; i < 6; i++) {
        p[i] = (struct puller){&s, i % 2 ? s.ref : other, 1};
        assert_ok(thread_start(&th[i], "puller", pull_in_thread, &p[i], &e));
    }
    for (int i = 0; i < 6; i++) {
        thread_join(&th[i]);
        assert_int_equal(p[i].rc, 0);
    }
    assert_int_equal(shop_layers(&s.shop), 2);
    assert_int_equal(shop_blobs(&s.shop), 5);
    stock_release(&s);
}

static void insecure_registries_are_known_by_name_and_network(void **state)
{
    static const struct {
        const char *domain;
        bool insecure;
    } rows[] = {
        {"localhost",        true },
        {"localhost:5000",   true },
        {"127.0.0.1:5000",   true },
        {"127.9.9.9",        true },
        {"[::1]:5000",       true },
        {"docker.io",        false},
        {"10.1.2.3:5000",    true },
        {"11.1.2.3:5000",    false},
        {"reg.example:5000", true },
        {"reg.example",      false},
        {"other.example",    true },
        {"other.example:80", true },
        {"127.example",      false},
    };
    cleanup_strv struct strv list = {0};

    (void)state;
    strv_add(&list, "10.0.0.0/8");
    strv_add(&list, "reg.example:5000");
    strv_add(&list, "other.example");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (registry_insecure(rows[i].domain, &list) != rows[i].insecure)
            fail_msg("%s", rows[i].domain);
}

static void challenges_are_parsed(void **state)
{
    struct challenge c;

    (void)state;
    assert_true(
        challenge_parse("Bearer realm=\"https://a/t?x=\\\"1\", service=b,scope=\"r:p,q\"", &c));
    assert_string_equal(c.scheme, "bearer");
    assert_string_equal(kvs_get(&c.params, "realm"), "https://a/t?x=\"1");
    assert_string_equal(kvs_get(&c.params, "service"), "b");
    assert_string_equal(kvs_get(&c.params, "scope"), "r:p,q");
    challenge_release(&c);
    assert_false(challenge_parse("", &c));
    assert_false(challenge_parse("\"x\"", &c));
}

/* ---- the real one */

static bool have(const char *program)
{
    cleanup_free char *path = str_printf("/usr/bin/%s", program);

    return fs_exists(path);
}

static unsigned free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static void copy_with_skopeo(const char *from, const char *to)
{
    const char *argv[] = {
        "skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", from, to, NULL};
    struct buf err = BUF_INIT(65536);
    int code = -1;

    for (int i = 0; i < 50 && code; i++) { /* the registry needs a moment to start */
        buf_reset(&err);
        assert_ok(process_run(argv, NULL, 0, NULL, &err, NULL, &code, &e));
        if (code)
            time_sleep_ms(100);
    }
    if (code)
        fail_msg("skopeo: %s", err.data);
    buf_release(&err);
}

static void debians_registry_and_skopeo_agree_with_us(void **state)
{
    struct shop a, b;
    struct sample sample;
    struct buf tar = TAR_INIT;
    unsigned port = free_port();
    struct process reg;
    struct image *img;
    int code;

    (void)state;
    if (!have("docker-registry") || !have("skopeo"))
        skip();
    a = shop_new(NULL);
    b = shop_new(NULL);
    shop_stock(&a, &sample, "2", "shop:1");
    assert_ok(shop_save(&a, "shop:1", &tar, &e));
    cleanup_free char *archive = tmpdir_at(&a.dir, "shop.tar"), *conf = tmpdir_at(&a.dir, "c.yml");
    cleanup_free char *from = str_printf("docker-archive:%s:shop:1", archive);
    cleanup_free char *to = str_printf("docker://127.0.0.1:%u/shop:1", port);
    cleanup_free char *ref = str_printf("127.0.0.1:%u/shop:1", port);
    cleanup_free char *text =
        str_printf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: "
                   "%s/reg}}\nhttp: {addr: '127.0.0.1:%u'}\n",
                   a.dir.path, port);
    const char *argv[] = {"docker-registry", "serve", conf, NULL};
    assert_ok(fs_write_atomic(archive, tar.data, tar.len, 0600, false, &e));
    assert_ok(fs_write_atomic(conf, text, strlen(text), 0600, false, &e));
    assert_ok(process_spawn(&(struct process_opts){.argv = argv}, &reg, &e));
    copy_with_skopeo(from, to);
    struct pull_request rq = {.ref = ref};
    bool changed = false;
    assert_ok(images_pull(b.im, &rq, NULL, NULL, NULL, &img, &changed, &e));
    assert_true(changed);
    assert_string_equal(img->id, sample.config_digest); /* the config is what it was */
    assert_string_equal(img->diff_ids.v[1], sample.layer_digests[1]);
    image_unref(img);
    assert_ok(images_pull(b.im, &rq, NULL, NULL, NULL, NULL, &changed, &e));
    assert_false(changed);
    kill((pid_t)reg.pid, SIGKILL);
    assert_ok(process_wait(&reg, NULL, &code, &e));
    buf_release(&tar);
    sample_release(&sample);
    shop_release(&a);
    shop_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_is_pulled_with_the_messages_that_clients_parse),
        cmocka_unit_test(a_second_pull_asks_for_the_digest_only),
        cmocka_unit_test(layers_that_are_there_are_not_fetched_again),
        cmocka_unit_test(errors_are_in_dockers_words),
        cmocka_unit_test(tokens_and_passwords_open_the_door),
        cmocka_unit_test(a_connection_cut_at_any_byte_is_resumed),
        cmocka_unit_test(a_damaged_layer_is_refused_and_leaves_nothing),
        cmocka_unit_test(other_misbehaviour_is_an_error_and_leaves_nothing),
        cmocka_unit_test(a_connection_that_breaks_after_the_last_byte_does_no_harm),
        cmocka_unit_test(cancel_ends_a_pull_that_hangs),
        cmocka_unit_test(a_client_that_is_gone_ends_the_pull),
        cmocka_unit_test(pulls_at_the_same_time_fetch_each_layer_once),
        cmocka_unit_test(insecure_registries_are_known_by_name_and_network),
        cmocka_unit_test(challenges_are_parsed),
        cmocka_unit_test(debians_registry_and_skopeo_agree_with_us),
    };

    setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
