/*
 * tar_write: the writing half of tar.h.  ustar; a pax header in front of what does not fit in it.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/tar_internal.h"

static const char zeros[TAR_BLOCK];

static void octal(char *field, size_t n, uint64_t v)
{
    field[n - 1] = '\0';
    for (size_t i = n - 1; i > 0; i--) {
        field[i - 1] = (char)('0' + (v & 7));
        v >>= 3;
    }
}

/* The record's length counts its own digits. */
static void pax_add(struct buf *b, const char *key, const char *value)
{
    size_t body = strlen(key) + strlen(value) + 3, total = body + 1;
    char digits[24];

    while ((size_t)snprintf(digits, sizeof(digits), "%zu", total) + body != total)
        total++;
    buf_addf(b, "%zu %s=%s\n", total, key, value);
}

static int put_block(struct tar_writer *w, const struct tar_entry *t, char type, int64_t size,
                     struct err *e)
{
    static const char letters[] = "0123456";
    struct tar_header h = {0};
    unsigned sum = 0;

    str_copy(h.name, sizeof(h.name), t->name);
    str_copy(h.link, sizeof(h.link), t->link ? t->link : "");
    octal(h.mode, sizeof(h.mode), t->mode);
    octal(h.uid, sizeof(h.uid), 0);
    octal(h.gid, sizeof(h.gid), 0);
    octal(h.size, sizeof(h.size), (uint64_t)size);
    octal(h.mtime, sizeof(h.mtime), t->mtime.tv_sec > 0 ? (uint64_t)t->mtime.tv_sec : 0);
    octal(h.dev_major, sizeof(h.dev_major), 0);
    octal(h.dev_minor, sizeof(h.dev_minor), 0);
    h.type = type ? type : letters[t->type];
    memcpy(h.magic, "ustar\00000", sizeof(h.magic));
    memset(h.checksum, ' ', sizeof(h.checksum));
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += ((const uint8_t *)&h)[i];
    octal(h.checksum, 7, sum);
    return w->write(w->arg, &h, sizeof(h), e);
}

int tar_put_header(struct tar_writer *w, const struct tar_entry *t, struct err *e)
{
    cleanup_buf struct buf pax = BUF_INIT(TAR_EXTENSION_MAX);
    int64_t size = t->type == TAR_FILE ? t->size : 0, field = size;
    char digits[24];

    if (w->left)
        return err_set(e, ERR_INTERNAL, "tar: the entry before \"%s\" is not complete", t->name);
    if (strlen(t->name) >= 100)
        pax_add(&pax, "path", t->name);
    if (t->link && strlen(t->link) >= 100)
        pax_add(&pax, "linkpath", t->link);
    if (size >= 1LL << 33) {
        snprintf(digits, sizeof(digits), "%lld", (long long)size);
        pax_add(&pax, "size", digits);
        field = 0;
    }
    if (buf_check(&pax, "tar header", e))
        return -1;
    if (pax.len) {
        struct tar_entry x = {.name = (char[]){"PaxHeaders/entry"}, .mode = 0644};
        size_t pad = (TAR_BLOCK - pax.len % TAR_BLOCK) % TAR_BLOCK;

        if (put_block(w, &x, 'x', (int64_t)pax.len, e) || w->write(w->arg, pax.data, pax.len, e) ||
            w->write(w->arg, zeros, pad, e))
            return -1;
    }
    if (put_block(w, t, 0, field, e))
        return -1;
    w->left = size;
    w->padding = (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
    return 0;
}

int tar_put_data(struct tar_writer *w, const void *p, size_t n, struct err *e)
{
    if ((int64_t)n > w->left)
        return err_set(e, ERR_INTERNAL, "tar: more bytes than the header says");
    w->left -= (int64_t)n;
    if (w->write(w->arg, p, n, e))
        return -1;
    return w->left || !w->padding ? 0 : w->write(w->arg, zeros, (size_t)w->padding, e);
}

int tar_put_file(struct tar_writer *w, const char *name, const void *p, size_t n, struct err *e)
{
    struct tar_entry t = {.name = (char *)name, .mode = 0644, .size = (int64_t)n};

    if (tar_put_header(w, &t, e))
        return -1;
    return n ? tar_put_data(w, p, n, e) : 0;
}

int tar_put_end(struct tar_writer *w, struct err *e)
{
    if (w->write(w->arg, zeros, sizeof(zeros), e))
        return -1;
    return w->write(w->arg, zeros, sizeof(zeros), e);
}
