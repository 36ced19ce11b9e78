#include "images/tar.h"

#include <sys/stat.h>

#include "base/process.h"
#include "tests/unit/images/make_tar.h"
#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

static struct tar_reader *open_tar(struct mem_reader *r, const struct buf *tar)
{
    *r = (struct mem_reader){tar->data, tar->len, 0};
    return tar_reader_new(mem_read_fn, r);
}

/* Reads everything; the error of the first entry that has one. */
static int read_all(const struct buf *tar, size_t piece, size_t *entries, struct err *e)
{
    struct mem_reader m = {tar->data, tar->len, piece};
    cleanup_tar_reader struct tar_reader *r = tar_reader_new(mem_read_fn, &m);
    const struct tar_entry *t;

    *entries = 0;
    for (;;) {
        const void *p;
        size_t n;

        if (tar_next(r, &t, e))
            return -1;
        if (!t)
            return 0;
        ++*entries;
        do {
            if (tar_data(r, &p, &n, e))
                return -1;
        } while (n);
    }
}

static void fields_are_read_as_they_are(void **state)
{
    struct buf tar = TAR_INIT;
    struct mem_reader m;
    const struct tar_entry *t;
    const void *p;
    size_t n;

    (void)state;
    tar_add(&tar, (struct tar_spec){.name = "a/b",
                                    .mode = 04755,
                                    .uid = 1000,
                                    .gid = 100,
                                    .mtime = 1234567890,
                                    .data = "hello"});
    tar_add(&tar, (struct tar_spec){.name = "l", .type = '2', .link = "../x"});
    tar_add(&tar, (struct tar_spec){.name = "d/"});
    tar_add(&tar, (struct tar_spec){.name = "n", .type = '3', .dev_major = 1, .dev_minor = 3});
    tar_end(&tar);
    cleanup_tar_reader struct tar_reader *r = open_tar(&m, &tar);
    assert_ok(tar_next(r, &t, &e));
    assert_int_equal(t->type, TAR_FILE);
    assert_string_equal(t->name, "a/b");
    assert_int_equal(t->mode, 04755);
    assert_int_equal(t->uid, 1000);
    assert_int_equal(t->gid, 100);
    assert_int_equal(t->mtime.tv_sec, 1234567890);
    assert_ok(tar_data(r, &p, &n, &e));
    assert_int_equal(n, 5);
    assert_memory_equal(p, "hello", 5);
    assert_ok(tar_next(r, &t, &e));
    assert_int_equal(t->type, TAR_SYMLINK);
    assert_string_equal(t->link, "../x");
    assert_ok(tar_next(r, &t, &e));
    assert_int_equal(t->type, TAR_DIR);
    assert_ok(tar_next(r, &t, &e));
    assert_int_equal(t->type, TAR_CHAR);
    assert_int_equal(t->dev_major, 1);
    assert_int_equal(t->dev_minor, 3);
    assert_ok(tar_next(r, &t, &e));
    assert_null(t);
    buf_release(&tar);
}

static void pax_records_overrule_the_header(void **state)
{
    struct buf tar = TAR_INIT;
    struct mem_reader m;
    const struct tar_entry *t;

    (void)state;
    tar_add(&tar, (struct tar_spec){.name = "short",
                                    .data = "xyz",
                                    .pax = "path=long/näme\nuid=3000000\ngid=4\n"
                                           "mtime=-1.25\nSCHILY.xattr.user.k=v=w\n"
                                           "SCHILY.xattr.user.k=last\ncomment=x\n"});
    tar_add(&tar, (struct tar_spec){.name = "next", .data = "1"});
    tar_end(&tar);
    cleanup_tar_reader struct tar_reader *r = open_tar(&m, &tar);
    assert_ok(tar_next(r, &t, &e));
    assert_string_equal(t->name, "long/näme");
    assert_int_equal(t->uid, 3000000);
    assert_int_equal(t->gid, 4);
    assert_int_equal(t->mtime.tv_sec, -2);
    assert_int_equal(t->mtime.tv_nsec, 750000000);
    assert_int_equal(t->n_xattrs, 1);
    assert_string_equal(t->xattrs[0].name, "user.k");
    assert_int_equal(t->xattrs[0].len, 4);
    assert_ok(tar_next(r, &t, &e));
    assert_string_equal(t->name, "next");
    assert_int_equal(t->n_xattrs, 0);
    buf_release(&tar);
}

static void what_gnu_tar_writes_is_read_in_each_of_its_formats(void **state)
{
    static const char *const formats[] = {"v7", "ustar", "gnu", "oldgnu", "pax"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        cleanup_tmpdir struct tmpdir d = tmpdir_new();
        cleanup_free char *format = str_printf("--format=%s", formats[i]);
        cleanup_free char *sub = tmpdir_at(&d, "sub/dir"), *file = tmpdir_at(&d, "sub/dir/file");
        const char *argv[] = {"tar", "-C", d.path, format, "-c", ".", NULL};
        struct buf tar = TAR_INIT;
        size_t n;
        int code;

        assert_ok(fs_mkdir_p(sub, 0755, &e));
        assert_ok(fs_write_atomic(file, "data", 4, 0600, false, &e));
        if (i >= 2) { /* longer than a header's field, which v7 and ustar cannot say */
            char name[200];

            memset(name, 'n', sizeof(name) - 1);
            name[sizeof(name) - 1] = '\0';
            cleanup_free char *deep = str_printf("%s/%s", sub, name);
            assert_ok(fs_write_atomic(deep, "x", 1, 0600, false, &e));
        }
        assert_ok(process_run(argv, NULL, 0, &tar, NULL, NULL, &code, &e));
        assert_int_equal(code, 0);
        assert_ok(read_all(&tar, 100, &n, &e));
        assert_int_equal(n, i >= 2 ? 5 : 4);
        buf_release(&tar);
    }
}

static void sparse_files_are_read_in_each_of_their_notations(void **state)
{
    static const char *const options[][2] = {
        {"--format=gnu",   "--sparse-version=1.0"},
        {"--format=posix", "--sparse-version=0.0"},
        {"--format=posix", "--sparse-version=0.1"},
        {"--format=posix", "--sparse-version=1.0"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        cleanup_tmpdir struct tmpdir d = tmpdir_new();
        cleanup_free char *path = tmpdir_at(&d, "s");
        const char *argv[] = {"tar",         "-C", d.path, "-S", options[i][0],
                              options[i][1], "-c", "s",    NULL};
        struct buf tar = TAR_INIT;
        struct mem_reader m;
        const struct tar_entry *t;
        int64_t sum = 0;
        int code;
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        for (long k = 0; k < 40; k++) { /* more segments than one old header holds */
            fseek(f, k * 100000, SEEK_SET);
            fputs("segment", f);
        }
        fclose(f);
        assert_int_equal(truncate(path, 5000000), 0);
        assert_ok(process_run(argv, NULL, 0, &tar, NULL, NULL, &code, &e));
        assert_int_equal(code, 0);
        cleanup_tar_reader struct tar_reader *r = open_tar(&m, &tar);
        assert_ok(tar_next(r, &t, &e));
        assert_string_equal(t->name, "s");
        assert_true(t->sparse);
        assert_int_equal(t->size, 5000000);
        assert_true(t->n_segments >= 40);
        for (;;) {
            const void *p;
            size_t n;

            assert_ok(tar_data(r, &p, &n, &e));
            if (n == 0)
                break;
            sum += (int64_t)n;
        }
        for (size_t k = 0; k < t->n_segments; k++)
            sum -= t->segments[k].len;
        assert_int_equal(sum, 0);
        assert_ok(tar_next(r, &t, &e));
        assert_null(t);
        buf_release(&tar);
    }
}

static void damaged_headers_are_refused(void **state)
{
    static const struct {
        const char *what;
        struct tar_spec spec;
    } rows[] = {
        {"checksum",           {.name = "x", .bad_sum = true}                                      },
        {"type",               {.name = "x", .type = 'Q'}                                          },
        {"pax length",         {.name = "x", .type = 'x', .data = "99 a=b\n"}                      },
        {"pax without equals", {.name = "x", .type = 'x', .data = "6 abc\n"}                       },
        {"pax number",         {.name = "x", .pax = "uid=12x\n"}                                   },
        {"pax size",           {.name = "x", .pax = "size=-5\n"}                                   },
        {"pax time",           {.name = "x", .pax = "mtime=1.2.3\n"}                               },
        {"sparse map",         {.name = "x", .pax = "GNU.sparse.map=5,5,3,2\nGNU.sparse.size=10\n"}},
        {"sparse sum",         {.name = "x", .pax = "GNU.sparse.map=0,5\nGNU.sparse.size=10\n"}    },
        {"sparse beyond",
         {.name = "x", .data = "12345", .pax = "GNU.sparse.map=8,5\nGNU.sparse.size=10\n"}         },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf tar = TAR_INIT;
        struct err e = ERR_INIT;
        size_t n;

        tar_add(&tar, rows[i].spec);
        tar_add(&tar, (struct tar_spec){.name = "y"});
        tar_end(&tar);
        if (!read_all(&tar, 0, &n, &e))
            fail_msg("a bad %s was taken", rows[i].what);
        assert_int_equal(e.kind, ERR_INVALID);
        buf_release(&tar);
    }
}

static void a_nul_in_a_pax_path_is_refused(void **state)
{
    struct buf tar = TAR_INIT;
    size_t n;

    (void)state;
    tar_add(&tar, (struct tar_spec){.name = "p", .type = 'x', .data = "12 path=a\0b\n", .len = 12});
    tar_add(&tar, (struct tar_spec){.name = "y"});
    tar_end(&tar);
    assert_err(read_all(&tar, 0, &n, &e), ERR_INVALID);
    buf_release(&tar);
}

static void huge_headers_are_refused_without_being_read(void **state)
{
    static const char types[] = "xLK";

    (void)state;
    for (size_t i = 0; i < strlen(types); i++) {
        struct buf tar = TAR_INIT;
        size_t n;

        tar_add(&tar, (struct tar_spec){.name = "h", .type = types[i], .claim_size = 07777777777});
        assert_err(read_all(&tar, 0, &n, &e), ERR_INVALID);
        buf_release(&tar);
    }
}

static void endless_extension_headers_are_refused(void **state)
{
    struct buf tar = TAR_INIT;
    size_t n;

    (void)state;
    for (int i = 0; i < 100; i++)
        tar_pax(&tar, "comment=x\n");
    assert_err(read_all(&tar, 0, &n, &e), ERR_INVALID);
    buf_release(&tar);
}

static void a_tar_that_ends_within_an_entry_is_an_error(void **state)
{
    struct buf tar = TAR_INIT;

    (void)state;
    tar_add(&tar, (struct tar_spec){.name = "a", .data = "0123456789", .pax = "uid=5\n"});
    for (size_t cut = 1; cut < tar.len; cut++) {
        struct buf half = TAR_INIT;
        struct err e = ERR_INIT;
        size_t n;

        buf_add(&half, tar.data, cut);
        if (!read_all(&half, 0, &n, &e))
            fail_msg("%zu of %zu bytes were enough", cut, tar.len);
        buf_release(&half);
    }
    buf_release(&tar);
}

static int collect(void *arg, const void *p, size_t n, struct err *e)
{
    (void)e;
    buf_add(arg, p, n);
    return 0;
}

static void what_is_written_is_read_again_by_us_and_by_gnu_tar(void **state)
{
    struct buf tar = TAR_INIT, listing = TAR_INIT;
    struct tar_writer w = {.write = collect, .arg = &tar};
    char name[300];
    struct tar_entry dir = {.type = TAR_DIR, .name = (char[]){"blobs/"}, .mode = 0755};
    const char *argv[] = {"tar", "-t", NULL};
    size_t n;
    int code;

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_ok(tar_put_header(&w, &dir, &e));
    assert_ok(tar_put_file(&w, "blobs/x", "hello", 5, &e));
    assert_ok(tar_put_file(&w, name, "", 0, &e));
    assert_ok(tar_put_end(&w, &e));
    assert_ok(read_all(&tar, 0, &n, &e));
    assert_int_equal(n, 3);
    assert_ok(process_run(argv, tar.data, tar.len, &listing, NULL, NULL, &code, &e));
    assert_int_equal(code, 0);
    assert_non_null(strstr(listing.data, name));
    buf_release(&tar);
    buf_release(&listing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_as_they_are),
        cmocka_unit_test(pax_records_overrule_the_header),
        cmocka_unit_test(what_gnu_tar_writes_is_read_in_each_of_its_formats),
        cmocka_unit_test(sparse_files_are_read_in_each_of_their_notations),
        cmocka_unit_test(damaged_headers_are_refused),
        cmocka_unit_test(a_nul_in_a_pax_path_is_refused),
        cmocka_unit_test(huge_headers_are_refused_without_being_read),
        cmocka_unit_test(endless_extension_headers_are_refused),
        cmocka_unit_test(a_tar_that_ends_within_an_entry_is_an_error),
        cmocka_unit_test(what_is_written_is_read_again_by_us_and_by_gnu_tar),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
