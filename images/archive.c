/* archive: see archive.h. */
#include "images/archive.h"

#include "base/cancel.h"
#include "base/fs.h"
#include "base/mem.h"
#include "images/tar.h"

#define JSON_FILE_MAX (16 * 1024 * 1024)
#define FILES_MAX     100000
#define LINKS_MAX     16

struct intake {
    struct images *im;
    images_read_fn *read;
    void *arg;
    struct cancel *c;
    struct tar_reader *tar;
};

static int read_cancellable(void *arg, void *buf, size_t n, size_t *got, struct err *e)
{
    struct intake *in = arg;

    if (cancel_fired(in->c))
        return err_set(e, ERR_CANCELLED, "context canceled");
    return in->read(in->arg, buf, n, got, e);
}

/* "./blobs/x" and "blobs/x" are one name. */
static char *clean(const char *name)
{
    cleanup_free char *rooted = str_printf("/%s", name);
    cleanup_free char *p = path_clean(rooted);

    return xstrdup(p + 1);
}

static int take_json(struct intake *in, struct buf *out, struct err *e)
{
    buf_reset(out);
    for (;;) {
        const void *p;
        size_t n;

        if (tar_data(in->tar, &p, &n, e))
            return -1;
        if (n == 0)
            return buf_check(out, "a JSON file of the archive", e);
        buf_add(out, p, n);
    }
}

static int take_blob(struct intake *in, struct archive *a, const char *name, struct err *e)
{
    cleanup_free char *expect = NULL;
    char digest[DIGEST_TEXT_MAX];
    struct blob_writer *w;

    if (blob_create(in->im->content, &w, e))
        return -1;
    for (;;) {
        const void *p;
        size_t n;

        if (tar_data(in->tar, &p, &n, e) || (n && blob_write(w, p, n, e))) {
            blob_abort(w);
            return -1;
        }
        if (n == 0)
            break;
    }
    if (str_starts(name, "blobs/sha256/"))
        expect = str_printf("sha256:%s", name + strlen("blobs/sha256/"));
    blob_seal(w, digest);
    pin_blob(in->im, &a->pins, digest);
    if (blob_commit(w, expect, -1, NULL, e))
        return err_wrap(e, "archive entry %s", name);
    map_put(&a->files, name, xstrdup(digest));
    return 0;
}

static void take_link(struct archive *a, const char *name, const struct tar_entry *t)
{
    cleanup_free char *dir = path_dir(name), *target = NULL;

    /* A hard link names an entry, a symbolic one is relative to its own directory. */
    if (t->type == TAR_SYMLINK && t->link[0] != '/')
        target = str_printf("%s/%s", dir, t->link);
    map_put(&a->links, name, clean(target ? target : t->link));
}

static int take_entry(struct intake *in, struct archive *a, const struct tar_entry *t,
                      struct err *e)
{
    cleanup_free char *name = clean(t->name);

    if (map_count(&a->files) + map_count(&a->links) > FILES_MAX)
        return err_set(e, ERR_INVALID, "the archive has more than %d files", FILES_MAX);
    switch (t->type) {
    case TAR_FILE:
        if (t->sparse)
            return err_set(e, ERR_INVALID, "archive entry %s is sparse", name);
        if (str_eq(name, "manifest.json"))
            return take_json(in, &a->manifest_json, e);
        if (str_eq(name, "index.json"))
            return take_json(in, &a->index_json, e);
        return take_blob(in, a, name, e);
    case TAR_SYMLINK:
    case TAR_HARDLINK:
        take_link(a, name, t);
        return 0;
    default:
        return 0; /* directories, and what no image archive has */
    }
}

static int take_all(struct intake *in, struct archive *a, struct err *e)
{
    const struct tar_entry *t;

    for (;;) {
        if (tar_next(in->tar, &t, e))
            return -1;
        if (!t)
            return tar_drain(in->tar, e);
        if (take_entry(in, a, t, e))
            return -1;
    }
}

int archive_read(struct images *im, images_read_fn *read, void *arg, struct cancel *c,
                 struct archive *out, struct err *e)
{
    struct intake in = {.im = im, .read = read, .arg = arg, .c = c};
    cleanup_decompress struct decompress *plain = NULL;
    int rc;

    *out = (struct archive){.files = MAP_INIT(free),
                            .links = MAP_INIT(free),
                            .manifest_json = BUF_INIT(JSON_FILE_MAX),
                            .index_json = BUF_INIT(JSON_FILE_MAX)};
    if (decompress_open(read_cancellable, &in, &plain, e))
        return -1;
    in.tar = tar_reader_new(decompress_read, plain);
    rc = take_all(&in, out, e);
    tar_reader_free(in.tar);
    return rc;
}

const char *archive_find(const struct archive *a, const char *name)
{
    cleanup_free char *at = clean(name);

    for (unsigned hop = 0; hop <= LINKS_MAX; hop++) {
        const char *digest = map_get(&a->files, at);
        const char *next = digest ? NULL : map_get(&a->links, at);

        if (!next)
            return digest;
        str_set(&at, next);
    }
    return NULL;
}

void archive_release(struct images *im, struct archive *a)
{
    pins_release(im, &a->pins);
    map_release(&a->files);
    map_release(&a->links);
    buf_release(&a->manifest_json);
    buf_release(&a->index_json);
}
