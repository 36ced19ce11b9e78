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

/* The record's length counts its own digits.  A value is bytes: attributes have zeros in them. */
static void pax_add(struct buf *b, const char *key, const void *value, size_t len)
{
    size_t body = strlen(key) + len + 3, total = body + 1;
    char digits[24];

    while ((size_t)snprintf(digits, sizeof(digits), "%zu", total) + body != total)
        total++;
    buf_addf(b, "%zu %s=", total, key);
    buf_add(b, value, len);
    buf_add(b, "\n", 1);
}

/* A number that the octal field of `width` digits cannot hold goes into a record; *field is what
 * stands in the header then. */
static void pax_number(struct buf *b, const char *key, int64_t v, unsigned width, int64_t *field)
{
    char digits[24];

    *field = v;
    if (v >= 0 && v < 1LL << (3 * width))
        return;
    *field = 0;
    pax_add(b, key, digits, (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)v));
}

/* What the header's fields hold; a record overrules the one that does not fit. */
struct fields {
    int64_t size, uid, gid, mtime;
};

static int put_block(struct tar_writer *w, const struct tar_entry *t, char type,
                     const struct fields *f, struct err *e)
{
    static const char letters[] = "0123456";
    struct tar_header h = {0};
    unsigned sum = 0;

    str_copy(h.name, sizeof(h.name), t->name);
    str_copy(h.link, sizeof(h.link), t->link ? t->link : "");
    octal(h.mode, sizeof(h.mode), t->mode);
    octal(h.uid, sizeof(h.uid), (uint64_t)f->uid);
    octal(h.gid, sizeof(h.gid), (uint64_t)f->gid);
    octal(h.size, sizeof(h.size), (uint64_t)f->size);
    octal(h.mtime, sizeof(h.mtime), (uint64_t)f->mtime);
    octal(h.dev_major, sizeof(h.dev_major), (uint64_t)t->dev_major);
    octal(h.dev_minor, sizeof(h.dev_minor), (uint64_t)t->dev_minor);
    h.type = type ? type : letters[t->type];
    memcpy(h.magic, "ustar\00000", sizeof(h.magic));
    memset(h.checksum, ' ', sizeof(h.checksum));
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += ((const uint8_t *)&h)[i];
    octal(h.checksum, 7, sum);
    return w->write(w->arg, &h, sizeof(h), e);
}

static void add_records(const struct tar_entry *t, int64_t size, struct buf *pax, struct fields *f)
{
    if (strlen(t->name) >= 100)
        pax_add(pax, "path", t->name, strlen(t->name));
    if (t->link && strlen(t->link) >= 100)
        pax_add(pax, "linkpath", t->link, strlen(t->link));
    pax_number(pax, "size", size, 11, &f->size);
    pax_number(pax, "uid", t->uid, 7, &f->uid);
    pax_number(pax, "gid", t->gid, 7, &f->gid);
    pax_number(pax, "mtime", t->mtime.tv_sec, 11, &f->mtime);
    for (size_t i = 0; i < t->n_xattrs; i++) {
        cleanup_free char *key = str_printf("SCHILY.xattr.%s", t->xattrs[i].name);

        pax_add(pax, key, t->xattrs[i].value, t->xattrs[i].len);
    }
}

static int put_records(struct tar_writer *w, const struct buf *pax, struct err *e)
{
    struct tar_entry x = {.name = (char[]){"PaxHeaders/entry"}, .mode = 0644};
    const struct fields f = {.size = (int64_t)pax->len};
    size_t pad = (TAR_BLOCK - pax->len % TAR_BLOCK) % TAR_BLOCK;

    if (put_block(w, &x, 'x', &f, e) || w->write(w->arg, pax->data, pax->len, e))
        return -1;
    return pad ? w->write(w->arg, zeros, pad, e) : 0;
}

int tar_put_header(struct tar_writer *w, const struct tar_entry *t, struct err *e)
{
    cleanup_buf struct buf pax = BUF_INIT(TAR_EXTENSION_MAX);
    int64_t size = t->type == TAR_FILE ? t->size : 0;
    struct fields f;

    if (w->left)
        return err_set(e, ERR_INTERNAL, "tar: the entry before \"%s\" is not complete", t->name);
    add_records(t, size, &pax, &f);
    if (buf_check(&pax, "tar header", e))
        return -1;
    if ((pax.len && put_records(w, &pax, e)) || put_block(w, t, 0, &f, e))
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
