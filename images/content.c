/*
 * content: the blob store.  See content.h.
 *
 * The digest is computed while writing, so no blob is read twice.  Nothing is synced per blob: a
 * pull ends with one content_sync() before its rows are written, which is what makes it durable.
 */
#include "images/content.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/mem.h"

struct content {
    char *dir; /* <data_root>/blobs/sha256 */
    char *tmp; /* <data_root>/blobs/tmp */
};

struct blob_writer {
    struct content *c;
    int fd;
    char *tmp_path; /* NULL: the file has no name */
    struct digest *digest;
    bool sealed;
    char sum[DIGEST_TEXT_MAX];
    int64_t size;
};

int content_open_store(const char *data_root, struct content **out, struct err *e)
{
    struct content *c = xcalloc(1, sizeof(*c));
    cleanup_free char *base = path_join(data_root, "blobs");

    c->dir = path_join(base, "sha256");
    c->tmp = path_join(base, "tmp");
    if (fs_remove_all(c->tmp, e) || fs_mkdir_p(c->dir, 0700, e) || fs_mkdir_p(c->tmp, 0700, e)) {
        content_free(c);
        return -1;
    }
    *out = c;
    return 0;
}

void content_free(struct content *c)
{
    if (!c)
        return;
    free(c->dir);
    free(c->tmp);
    free(c);
}

static char *blob_path(const struct content *c, const char *digest)
{
    return path_join(c->dir, digest_hex(digest));
}

bool content_has(const struct content *c, const char *digest, int64_t *size)
{
    cleanup_free char *path = NULL;
    struct stat st;

    if (!digest_valid(digest))
        return false;
    path = blob_path(c, digest);
    if (stat(path, &st) || !S_ISREG(st.st_mode))
        return false;
    if (size)
        *size = st.st_size;
    return true;
}

int content_open(const struct content *c, const char *digest, int64_t *size, struct err *e)
{
    cleanup_free char *path = NULL;
    cleanup_fd int fd = -1;
    struct stat st;

    if (!digest_valid(digest))
        return err_set(e, ERR_INVALID, "invalid digest \"%s\"", digest);
    path = blob_path(c, digest);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "content %s is not in the store", digest);
    if (fd < 0 || fstat(fd, &st))
        return err_os(e, errno, "cannot open blob %s", digest);
    if (size)
        *size = st.st_size;
    return take_fd(fd);
}

int content_read(const struct content *c, const char *digest, struct buf *out, struct err *e)
{
    cleanup_free char *path = NULL;
    char actual[DIGEST_TEXT_MAX];
    size_t before = out->len;

    if (!digest_valid(digest))
        return err_set(e, ERR_INVALID, "invalid digest \"%s\"", digest);
    path = blob_path(c, digest);
    if (fs_read(path, out, e))
        return err_wrap(e, "content %s", digest);
    digest_of(out->data + before, out->len - before, actual);
    if (!str_eq(actual, digest))
        return err_set(e, ERR_IO, "blob %s is damaged: its bytes have digest %s", digest, actual);
    return 0;
}

int content_put(struct content *c, const void *bytes, size_t n, char digest[DIGEST_TEXT_MAX],
                struct err *e)
{
    struct blob_writer *w;

    if (blob_create(c, &w, e))
        return -1;
    if (blob_write(w, bytes, n, e)) {
        blob_abort(w);
        return -1;
    }
    return blob_commit(w, NULL, -1, digest, e);
}

int content_remove(struct content *c, const char *digest, struct err *e)
{
    cleanup_free char *path = NULL;

    if (!digest_valid(digest))
        return err_set(e, ERR_INVALID, "invalid digest \"%s\"", digest);
    path = blob_path(c, digest);
    if (FAULT("content.remove"))
        return err_set(e, ERR_IO, "injected: content.remove");
    return fs_remove(path, e);
}

int content_list(const struct content *c, struct strv *digests, struct err *e)
{
    cleanup_strv struct strv names = {0};

    if (fs_list(c->dir, &names, e))
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        cleanup_free char *digest = str_printf("sha256:%s", names.v[i]);

        if (digest_valid(digest))
            strv_take(digests, take_ptr(digest));
    }
    return 0;
}

int content_sync(struct content *c, struct err *e)
{
    cleanup_fd int fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || syncfs(fd))
        return err_os(e, errno, "cannot sync %s", c->dir);
    return 0;
}

/* ---- writing */

static int open_temp(struct content *c, char **tmp_path)
{
    unsigned char rnd[12];
    char name[2 * sizeof(rnd) + 1];
    int fd = open(c->tmp, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL))
        return fd;
    random_bytes(rnd, sizeof(rnd));
    for (size_t i = 0; i < sizeof(rnd); i++)
        snprintf(name + 2 * i, 3, "%02x", rnd[i]);
    *tmp_path = path_join(c->tmp, name);
    return open(*tmp_path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
}

int blob_create(struct content *c, struct blob_writer **out, struct err *e)
{
    struct blob_writer *w = xcalloc(1, sizeof(*w));

    w->c = c;
    w->fd = FAULT("content.create") ? (errno = ENOSPC, -1) : open_temp(c, &w->tmp_path);
    if (w->fd < 0) {
        err_os(e, errno, "cannot create a file in %s", c->tmp);
        free(w->tmp_path);
        free(w);
        return -1;
    }
    w->digest = digest_new();
    *out = w;
    return 0;
}

int blob_write(struct blob_writer *w, const void *bytes, size_t n, struct err *e)
{
    const char *p = bytes;

    digest_update(w->digest, bytes, n);
    w->size += (int64_t)n;
    while (n > 0) {
        ssize_t done = FAULT("content.write") ? (errno = ENOSPC, -1) : write(w->fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_os(e, errno, "cannot write a blob in %s", w->c->tmp);
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

int64_t blob_size(const struct blob_writer *w)
{
    return w->size;
}

void blob_seal(struct blob_writer *w, char digest[DIGEST_TEXT_MAX])
{
    if (!w->sealed)
        digest_final(w->digest, w->sum);
    w->sealed = true;
    memcpy(digest, w->sum, sizeof(w->sum));
}

/* A blob that is there already has the same bytes, so that is success as well. */
static int link_into_place(struct blob_writer *w, const char *path)
{
    char self[64];

    if (w->tmp_path)
        return rename(w->tmp_path, path);
    snprintf(self, sizeof(self), "/proc/self/fd/%d", w->fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) && errno != EEXIST)
        return -1;
    return 0;
}

int blob_commit(struct blob_writer *w, const char *expect, int64_t expect_size,
                char digest[DIGEST_TEXT_MAX], struct err *e)
{
    cleanup_free char *path = NULL;
    char actual[DIGEST_TEXT_MAX];
    int rc = -1;

    blob_seal(w, actual);
    path = blob_path(w->c, actual);
    if (expect_size >= 0 && w->size != expect_size)
        err_set(e, ERR_INVALID, "blob %s has %lld bytes where %lld were announced",
                expect ? expect : actual, (long long)w->size, (long long)expect_size);
    else if (expect && !str_eq(actual, expect))
        err_set(e, ERR_INVALID, "filesystem layer verification failed for digest %s", expect);
    else if (FAULT("content.commit"))
        err_set(e, ERR_IO, "injected: content.commit");
    else if (link_into_place(w, path))
        err_os(e, errno, "cannot put blob %s in its place", actual);
    else
        rc = 0;
    if (digest)
        memcpy(digest, actual, sizeof(actual));
    if (rc == 0) {
        free(w->tmp_path);
        w->tmp_path = NULL;
    }
    blob_abort(w);
    return rc;
}

void blob_abort(struct blob_writer *w)
{
    if (!w)
        return;
    fd_close(w->fd);
    if (w->tmp_path)
        unlink(w->tmp_path);
    free(w->tmp_path);
    digest_free(w->digest);
    free(w);
}
