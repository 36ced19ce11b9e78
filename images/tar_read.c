/*
 * tar_read: the reading half of tar.h.
 *
 * The reader keeps one window of the stream.  Extension headers (pax, GNU long names) are gathered
 * into a struct extension, which then overrules the fields of the header that follows, the last
 * one winning, as every tar does it.
 */
#include "images/tar.h"

#include <limits.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/tar_internal.h"

#define WINDOW         (256 * 1024)
#define EXTENSIONS_MAX 32 /* extension headers in front of one entry */

struct tar_reader {
    read_fn *read;
    void *arg;
    size_t pos, len; /* of what is unread in window */
    bool eof, done;
    int64_t left;    /* data bytes of the current entry that are unread */
    int64_t padding; /* to the next block, after them */
    struct tar_entry entry;
    uint8_t window[WINDOW];
};

struct tar_reader *tar_reader_new(read_fn *read, void *arg)
{
    struct tar_reader *r = xmalloc(sizeof(*r));

    memset(r, 0, offsetof(struct tar_reader, window));
    r->read = read;
    r->arg = arg;
    return r;
}

static void entry_release(struct tar_entry *t)
{
    free(t->name);
    free(t->link);
    for (size_t i = 0; i < t->n_xattrs; i++) {
        free(t->xattrs[i].name);
        free(t->xattrs[i].value);
    }
    free(t->xattrs);
    free(t->segments);
    *t = (struct tar_entry){0};
}

void tar_reader_free(struct tar_reader *r)
{
    if (!r)
        return;
    entry_release(&r->entry);
    free(r);
}

/* ---- the window */

/* At least `want` bytes, unless the stream ends before. */
static int fill(struct tar_reader *r, size_t want, struct err *e)
{
    if (r->len - r->pos >= want || r->eof)
        return 0;
    memmove(r->window, r->window + r->pos, r->len - r->pos);
    r->len -= r->pos;
    r->pos = 0;
    while (r->len < want && !r->eof) {
        size_t got = 0;

        if (r->read(r->arg, r->window + r->len, WINDOW - r->len, &got, e))
            return -1;
        r->len += got;
        r->eof = got == 0;
    }
    return 0;
}

static int truncated(struct err *e)
{
    return err_set(e, ERR_INVALID, "invalid tar: unexpected EOF");
}

static int skip(struct tar_reader *r, int64_t n, struct err *e)
{
    while (n > 0) {
        size_t have;

        if (fill(r, 1, e))
            return -1;
        have = r->len - r->pos;
        if (have == 0)
            return truncated(e);
        if ((int64_t)have > n)
            have = (size_t)n;
        r->pos += have;
        n -= (int64_t)have;
    }
    return 0;
}

/* The next block, borrowed; NULL at the end of the stream. */
static int next_block(struct tar_reader *r, const uint8_t **block, struct err *e)
{
    if (fill(r, TAR_BLOCK, e))
        return -1;
    *block = NULL;
    if (r->len == r->pos)
        return 0;
    if (r->len - r->pos < TAR_BLOCK)
        return truncated(e);
    *block = r->window + r->pos;
    r->pos += TAR_BLOCK;
    return 0;
}

int tar_data(struct tar_reader *r, const void **p, size_t *n, struct err *e)
{
    *n = 0;
    *p = r->window;
    if (r->left == 0)
        return 0;
    if (fill(r, 1, e))
        return -1;
    *n = r->len - r->pos;
    if (*n == 0)
        return truncated(e);
    if ((int64_t)*n > r->left)
        *n = (size_t)r->left;
    *p = r->window + r->pos;
    r->pos += *n;
    r->left -= (int64_t)*n;
    return 0;
}

int tar_drain(struct tar_reader *r, struct err *e)
{
    r->pos = r->len = 0;
    while (!r->eof) {
        size_t got = 0;

        if (r->read(r->arg, r->window, WINDOW, &got, e))
            return -1;
        r->eof = got == 0;
    }
    return 0;
}

/* ---- headers */

static bool is_zero(const uint8_t *b)
{
    for (size_t i = 0; i < TAR_BLOCK; i++)
        if (b[i])
            return false;
    return true;
}

/* The sum takes the checksum field as spaces; some old programs summed signed characters. */
static bool checksum_ok(const struct tar_header *h)
{
    const uint8_t *b = (const uint8_t *)h;
    int64_t want, sum = 0, signed_sum = 0;

    if (tar_number(h->checksum, sizeof(h->checksum), &want))
        return false;
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        bool field = i >= offsetof(struct tar_header, checksum) &&
                     i < offsetof(struct tar_header, checksum) + sizeof(h->checksum);

        sum += field ? ' ' : b[i];
        signed_sum += field ? ' ' : (int8_t)b[i];
    }
    return want == sum || want == signed_sum;
}

static char *header_name(const struct tar_header *h)
{
    size_t n = strnlen(h->name, sizeof(h->name));

    if (!memcmp(h->magic, "ustar\0", 6) && h->prefix[0])
        return str_printf("%.*s/%.*s", (int)strnlen(h->prefix, sizeof(h->prefix)), h->prefix,
                          (int)n, h->name);
    return str_ndup(h->name, n);
}

/* The type letters; anything else is refused, since a guess would hide content. */
static int type_of(const struct tar_header *h, const char *name, enum tar_type *out, struct err *e)
{
    switch (h->type) {
    case '\0':
        *out = str_ends(name, "/") ? TAR_DIR : TAR_FILE;
        return 0;
    case '0':
    case '7':
    case 'S':
        *out = TAR_FILE;
        return 0;
    case 'D':
        *out = TAR_DIR;
        return 0;
    default:
        if (h->type < '1' || h->type > '6')
            break;
        *out = TAR_HARDLINK + (h->type - '1');
        return 0;
    }
    return err_set(e, ERR_INVALID, "invalid tar: \"%.200s\" has the unknown type 0x%02x", name,
                   (unsigned char)h->type);
}

static int header_numbers(const struct tar_header *h, struct tar_entry *t, int64_t *size,
                          struct err *e)
{
    int64_t mode = 0, mtime = 0;
    const struct {
        const char *what, *field;
        size_t n;
        int64_t *out;
    } rows[] = {
        {"mode",  h->mode,      sizeof(h->mode),      &mode        },
        {"uid",   h->uid,       sizeof(h->uid),       &t->uid      },
        {"gid",   h->gid,       sizeof(h->gid),       &t->gid      },
        {"size",  h->size,      sizeof(h->size),      size         },
        {"mtime", h->mtime,     sizeof(h->mtime),     &mtime       },
        {"major", h->dev_major, sizeof(h->dev_major), &t->dev_major},
        {"minor", h->dev_minor, sizeof(h->dev_minor), &t->dev_minor},
    };
    bool device = h->type == '3' || h->type == '4';

    for (size_t i = 0; i < ARRAY_LEN(rows) - (device ? 0 : 2); i++)
        if (tar_number(rows[i].field, rows[i].n, rows[i].out))
            return err_set(e, ERR_INVALID, "invalid tar: bad %s of \"%.100s\"", rows[i].what,
                           h->name);
    t->mode = (uint32_t)mode & 07777;
    t->mtime.tv_sec = mtime;
    return 0;
}

/* Reads an extension's data, and moves to the block after it. */
static int read_extension(struct tar_reader *r, int64_t size, struct buf *out, struct err *e)
{
    if (size < 0 || size > TAR_EXTENSION_MAX)
        return err_set(e, ERR_INVALID, "invalid tar: a header of %lld bytes", (long long)size);
    r->left = size;
    r->padding = (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
    for (;;) {
        const void *p;
        size_t n;

        if (tar_data(r, &p, &n, e))
            return -1;
        if (n == 0)
            break;
        buf_add(out, p, n);
    }
    if (skip(r, r->padding, e))
        return -1;
    r->padding = 0;
    return buf_check(out, "tar header", e);
}

/* 'x', 'g', 'L', 'K', 'V': 1 when the block was one of these and is done with. */
static int take_extension(struct tar_reader *r, const struct tar_header *h, struct extension *x,
                          struct err *e)
{
    cleanup_buf struct buf data = BUF_INIT(TAR_EXTENSION_MAX);
    char type = h->type;
    int64_t size;

    if (!strchr("xgLKVX", type) || type == '\0')
        return 0;
    if (tar_number(h->size, sizeof(h->size), &size))
        return err_set(e, ERR_INVALID, "invalid tar: bad size of an extended header");
    if (++x->count > EXTENSIONS_MAX)
        return err_set(e, ERR_INVALID, "invalid tar: too many extended headers for one entry");
    if (read_extension(r, size, &data, e))
        return -1;
    if (type == 'L')
        str_set(&x->name, data.data); /* up to its NUL */
    else if (type == 'K')
        str_set(&x->link, data.data);
    else if ((type == 'x' || type == 'X') && tar_pax_parse(x, data.data, data.len, e))
        return -1;
    return 1; /* a global header says nothing that a layer needs; Docker ignores it as well */
}

/* What old GNU sparse headers and pax 1.0 keep in the stream, in front of the data. */
static int read_sparse_map(struct tar_reader *r, const struct tar_header *h, struct extension *x,
                           struct err *e)
{
    const uint8_t *block;
    int more;

    if (h->type == 'S') {
        if ((more = tar_old_sparse(x, (const uint8_t *)h, true, e)) < 0)
            return -1;
        while (more > 0) {
            if (next_block(r, &block, e))
                return -1;
            if (!block)
                return truncated(e);
            if ((more = tar_old_sparse(x, block, false, e)) < 0)
                return -1;
        }
        return 0;
    }
    if (x->sparse_major != 1)
        return 0;
    do {
        if (r->left < TAR_BLOCK)
            return err_set(e, ERR_INVALID, "invalid tar: the sparse map is cut short");
        if (next_block(r, &block, e))
            return -1;
        if (!block)
            return truncated(e);
        r->left -= TAR_BLOCK;
        if ((more = tar_pax1_sparse(x, (const char *)block, e)) < 0)
            return -1;
    } while (more > 0);
    return 0;
}

static int build_entry(struct tar_reader *r, const struct tar_header *h, struct extension *x,
                       struct err *e)
{
    struct tar_entry *t = &r->entry;
    int64_t size = 0;

    t->name = x->name ? take_ptr(x->name) : header_name(h);
    t->link = x->link ? take_ptr(x->link) : str_ndup(h->link, strnlen(h->link, sizeof(h->link)));
    if (type_of(h, t->name, &t->type, e) || header_numbers(h, t, &size, e))
        return -1;
    if (x->has_size)
        size = x->size;
    if (x->has_uid)
        t->uid = x->uid;
    if (x->has_gid)
        t->gid = x->gid;
    if (x->has_mtime)
        t->mtime = x->mtime;
    if (size < 0 || size > INT64_MAX - TAR_BLOCK)
        return err_set(e, ERR_INVALID, "invalid tar: \"%.200s\" has a bad size", t->name);
    if (t->type != TAR_FILE)
        size = 0; /* links and directories have none, whatever the field says */
    r->left = size;
    r->padding = (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
    t->size = size;
    t->xattrs = take_ptr(x->xattrs);
    t->n_xattrs = x->n_xattrs;
    x->n_xattrs = 0;
    return 0;
}

static int finish_sparse(struct tar_reader *r, const struct tar_header *h, struct extension *x,
                         struct err *e)
{
    struct tar_entry *t = &r->entry;

    if (t->type != TAR_FILE || (h->type != 'S' && !x->sparse))
        return 0;
    if (read_sparse_map(r, h, x, e) || tar_sparse_check(x, r->left, t->name, e))
        return -1;
    t->sparse = true;
    t->size = x->real_size;
    t->segments = take_ptr(x->segments);
    t->n_segments = x->n_segments;
    if (x->sparse_name)
        str_set(&t->name, x->sparse_name);
    return 0;
}

/* The end is a zero block; a second one should follow, but need not. */
static int next_header(struct tar_reader *r, struct tar_header *h, struct err *e)
{
    const uint8_t *block;

    if (next_block(r, &block, e))
        return -1;
    if (!block || is_zero(block)) {
        r->done = true;
        return 0;
    }
    memcpy(h, block, sizeof(*h));
    if (!checksum_ok(h))
        return err_set(e, ERR_INVALID, "invalid tar header");
    return 0;
}

int tar_next(struct tar_reader *r, const struct tar_entry **out, struct err *e)
{
    struct extension x = {0};
    struct tar_header h;
    int rc;

    *out = NULL;
    entry_release(&r->entry);
    if (skip(r, r->left, e) || skip(r, r->padding, e))
        return -1;
    r->left = r->padding = 0;
    do {
        rc = next_header(r, &h, e);
        if (rc == 0 && !r->done)
            rc = take_extension(r, &h, &x, e);
    } while (rc == 1);
    if (rc == 0 && r->done && x.count)
        rc = truncated(e); /* a header that speaks of an entry that never comes */
    if (rc == 0 && !r->done)
        rc = build_entry(r, &h, &x, e) || finish_sparse(r, &h, &x, e) ? -1 : 0;
    tar_extension_release(&x);
    if (rc)
        return -1;
    if (!r->done)
        *out = &r->entry;
    return 0;
}
