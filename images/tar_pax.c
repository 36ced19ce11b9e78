/*
 * tar_pax: numbers, pax records and the four notations of sparse files.
 *
 * Sparse: old GNU (type 'S': pairs in the header and in blocks after it), pax 0.0 (offset and
 * numbytes records in turns), 0.1 (one comma list), 1.0 (decimal lines in front of the data).
 */
#include <limits.h>

#include "base/mem.h"
#include "base/str.h"
#include "images/tar_internal.h"

#define XATTR_PREFIX "SCHILY.xattr."

void tar_extension_release(struct extension *x)
{
    free(x->name);
    free(x->link);
    free(x->sparse_name);
    for (size_t i = 0; i < x->n_xattrs; i++) {
        free(x->xattrs[i].name);
        free(x->xattrs[i].value);
    }
    free(x->xattrs);
    free(x->segments);
    *x = (struct extension){0};
}

static int base256(const uint8_t *p, size_t n, int64_t *out)
{
    bool negative = p[0] & 0x40;
    uint64_t v = negative ? UINT64_MAX : 0;

    for (size_t i = 0; i < n; i++) {
        uint8_t byte = i == 0 ? (uint8_t)(negative ? p[0] | 0x80 : p[0] & 0x7f) : p[i];

        if ((v >> 56) != (negative ? 0xffu : 0))
            return -1;
        v = v << 8 | byte;
    }
    if ((v >> 63) != negative)
        return -1;
    *out = (int64_t)v;
    return 0;
}

int tar_number(const char *field, size_t n, int64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;

    if ((uint8_t)field[0] & 0x80)
        return base256((const uint8_t *)field, n, out);
    while (i < n && field[i] == ' ')
        i++;
    for (; i < n && field[i] >= '0' && field[i] <= '7'; i++) {
        if (v >> 60)
            return -1;
        v = v << 3 | (uint64_t)(field[i] - '0');
    }
    for (; i < n; i++)
        if (field[i] != ' ' && field[i] != '\0')
            return -1;
    *out = (int64_t)v;
    return 0;
}

static int decimal(const char *s, size_t n, int64_t *out)
{
    bool negative = n > 0 && s[0] == '-';
    int64_t v = 0;

    if (n - negative == 0 || n - negative > 18)
        return -1;
    for (size_t i = negative; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        v = v * 10 + (s[i] - '0');
    }
    *out = negative ? -v : v;
    return 0;
}

/* "1700000000.123456789", perhaps negative; more digits than nanoseconds are cut. */
static int pax_time(const char *s, size_t n, struct timespec *out)
{
    const char *dot = memchr(s, '.', n);
    size_t whole = dot ? (size_t)(dot - s) : n;
    bool negative = n > 0 && s[0] == '-';
    int64_t sec = 0, ns = 0, scale = 100000000;

    if (decimal(s, whole, &sec))
        return -1;
    for (size_t i = whole + 1; dot && i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        ns += (s[i] - '0') * scale;
        scale /= 10;
    }
    if (negative && ns) {
        sec--;
        ns = 1000000000 - ns;
    }
    *out = (struct timespec){sec, ns};
    return 0;
}

static int add_segment(struct extension *x, int64_t offset, int64_t len, struct err *e)
{
    if (x->n_segments >= TAR_SPARSE_MAX)
        return err_set(e, ERR_INVALID, "invalid tar: a sparse map of more than %d segments",
                       TAR_SPARSE_MAX);
    if ((x->n_segments & (x->n_segments - 1)) == 0)
        x->segments =
            xrealloc(x->segments, (x->n_segments ? x->n_segments * 2 : 1) * sizeof(*x->segments));
    x->segments[x->n_segments++] = (struct tar_segment){offset, len};
    return 0;
}

/* Numbers come in turns: an offset, then its length. */
static int add_sparse_number(struct extension *x, int64_t v, struct err *e)
{
    if (!x->has_pending) {
        x->pending_offset = v;
        x->has_pending = true;
        return 0;
    }
    x->has_pending = false;
    return add_segment(x, x->pending_offset, v, e);
}

static int bad_record(const char *key, struct err *e)
{
    return err_set(e, ERR_INVALID, "invalid tar: bad pax record \"%.100s\"", key);
}

static int pax_text(char **dst, const char *v, size_t n, const char *key, struct err *e)
{
    if (memchr(v, '\0', n))
        return bad_record(key, e);
    free(*dst);
    *dst = str_ndup(v, n);
    return 0;
}

static void add_xattr(struct extension *x, const char *name, const char *v, size_t n)
{
    struct tar_xattr *a;

    for (size_t i = 0; i < x->n_xattrs; i++) {
        if (!str_eq(x->xattrs[i].name, name))
            continue;
        x->xattrs[i].value = xrealloc(x->xattrs[i].value, n + 1);
        memcpy(x->xattrs[i].value, v, n);
        x->xattrs[i].len = n;
        return;
    }
    x->xattrs = xrealloc(x->xattrs, (x->n_xattrs + 1) * sizeof(*x->xattrs));
    a = &x->xattrs[x->n_xattrs++];
    a->name = xstrdup(name);
    a->value = xmalloc(n + 1);
    memcpy(a->value, v, n);
    a->len = n;
}

static int pax_sparse_map(struct extension *x, const char *v, size_t n, struct err *e)
{
    size_t start = 0;

    x->n_segments = 0;
    x->has_pending = false;
    for (size_t i = 0; i <= n; i++) {
        int64_t number;

        if (i < n && v[i] != ',')
            continue;
        if (n > 0 && (decimal(v + start, i - start, &number) || add_sparse_number(x, number, e)))
            return bad_record("GNU.sparse.map", e);
        start = i + 1;
    }
    return 0;
}

static int pax_sparse(struct extension *x, const char *key, const char *v, size_t n, struct err *e)
{
    int64_t number = 0;

    x->sparse = true;
    if (str_eq(key, "GNU.sparse.name"))
        return pax_text(&x->sparse_name, v, n, key, e);
    if (str_eq(key, "GNU.sparse.map"))
        return pax_sparse_map(x, v, n, e);
    if (decimal(v, n, &number) || number < 0)
        return bad_record(key, e);
    if (str_eq(key, "GNU.sparse.major"))
        x->sparse_major = number;
    else if (str_eq(key, "GNU.sparse.size") || str_eq(key, "GNU.sparse.realsize"))
        x->real_size = number;
    else if (str_eq(key, "GNU.sparse.offset") || str_eq(key, "GNU.sparse.numbytes"))
        return add_sparse_number(x, number, e);
    return 0; /* minor, numblocks: say nothing new */
}

static int pax_record(struct extension *x, const char *key, const char *v, size_t n, struct err *e)
{
    struct {
        const char *key;
        int64_t *out;
        bool *has;
    } numbers[] = {
        {"size", &x->size, &x->has_size},
        {"uid",  &x->uid,  &x->has_uid },
        {"gid",  &x->gid,  &x->has_gid },
    };

    if (str_eq(key, "path"))
        return pax_text(&x->name, v, n, key, e);
    if (str_eq(key, "linkpath"))
        return pax_text(&x->link, v, n, key, e);
    if (str_eq(key, "mtime")) {
        x->has_mtime = n > 0;
        return n > 0 && pax_time(v, n, &x->mtime) ? bad_record(key, e) : 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (!str_eq(key, numbers[i].key))
            continue;
        *numbers[i].has = n > 0; /* an empty value takes an earlier one back */
        return n > 0 && decimal(v, n, numbers[i].out) ? bad_record(key, e) : 0;
    }
    if (str_starts(key, "GNU.sparse."))
        return pax_sparse(x, key, v, n, e);
    if (str_starts(key, XATTR_PREFIX) && key[strlen(XATTR_PREFIX)])
        add_xattr(x, key + strlen(XATTR_PREFIX), v, n);
    return 0;
}

/* "<length> <key>=<value>\n", the length counting itself. */
int tar_pax_parse(struct extension *x, const char *data, size_t len, struct err *e)
{
    while (len > 0) {
        const char *space = memchr(data, ' ', len < 12 ? len : 12), *eq;
        cleanup_free char *key = NULL;
        size_t head;
        int64_t n;

        if (!space || decimal(data, (size_t)(space - data), &n) || n <= 0 || (size_t)n > len ||
            data[n - 1] != '\n')
            return err_set(e, ERR_INVALID, "invalid tar: bad pax record");
        head = (size_t)(space + 1 - data);
        if (head >= (size_t)n)
            return err_set(e, ERR_INVALID, "invalid tar: bad pax record");
        eq = memchr(space + 1, '=', (size_t)n - head - 1);
        if (!eq || eq == space + 1 || memchr(space + 1, '\0', (size_t)(eq - space - 1)))
            return err_set(e, ERR_INVALID, "invalid tar: bad pax record");
        key = str_ndup(space + 1, (size_t)(eq - space - 1));
        if (pax_record(x, key, eq + 1, (size_t)(data + n - 1 - (eq + 1)), e))
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* In the header: 4 pairs at 386, "more" at 482, real size at 483; later: 21 pairs, "more" at 504.
 */
int tar_old_sparse(struct extension *x, const uint8_t *block, bool first, struct err *e)
{
    const char *p = (const char *)block + (first ? 386 : 0);
    size_t pairs = first ? 4 : 21;

    x->sparse = true;
    if (first && tar_number((const char *)block + 483, 12, &x->real_size))
        return err_set(e, ERR_INVALID, "invalid tar: bad sparse header");
    for (size_t i = 0; i < pairs; i++, p += 24) {
        int64_t offset, len;

        if (p[0] == '\0')
            break;
        if (tar_number(p, 12, &offset) || tar_number(p + 12, 12, &len))
            return err_set(e, ERR_INVALID, "invalid tar: bad sparse header");
        if (add_segment(x, offset, len, e))
            return -1;
    }
    return block[first ? 482 : 504] ? 1 : 0;
}

int tar_pax1_sparse(struct extension *x, const char *block, struct err *e)
{
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        int64_t number;

        if (block[i] != '\n') {
            if (x->partial_len >= sizeof(x->partial))
                return err_set(e, ERR_INVALID, "invalid tar: bad sparse map");
            x->partial[x->partial_len++] = block[i];
            continue;
        }
        if (decimal(x->partial, x->partial_len, &number) || number < 0)
            return err_set(e, ERR_INVALID, "invalid tar: bad sparse map");
        x->partial_len = 0;
        if (!x->map_begun) {
            if (number > TAR_SPARSE_MAX)
                return err_set(e, ERR_INVALID, "invalid tar: a sparse map of %lld segments",
                               (long long)number);
            x->map_begun = true;
            x->map_left = number * 2;
        } else {
            if (add_sparse_number(x, number, e))
                return -1;
            x->map_left--;
        }
        if (x->map_left == 0)
            return 0;
    }
    return 1;
}

int tar_sparse_check(const struct extension *x, int64_t data, const char *name, struct err *e)
{
    int64_t end = 0, sum = 0;

    for (size_t i = 0; i < x->n_segments; i++) {
        const struct tar_segment *s = &x->segments[i];

        if (s->offset < end || s->len < 0 || s->offset > x->real_size ||
            s->len > x->real_size - s->offset)
            return err_set(e, ERR_INVALID, "invalid tar: bad sparse map of \"%.200s\"", name);
        end = s->offset + s->len;
        sum += s->len;
    }
    if (x->has_pending || x->real_size < 0 || sum != data)
        return err_set(e, ERR_INVALID, "invalid tar: bad sparse map of \"%.200s\"", name);
    return 0;
}
