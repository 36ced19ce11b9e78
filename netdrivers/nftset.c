/* nftset: see nftset.h. */
#include "netdrivers/nftset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#define REGISTER_BYTES  4
#define UDATA_COMMENT   0
#define MSG(type)       (NFNL_SUBSYS_NFTABLES << 8 | (type))
#define BATCH_BYTES_MAX (4 * 1024 * 1024)

/* ------------------------------------------------------------------ elements */

void nft_elems_release(struct nft_elems *s)
{
    free(s->v);
    *s = (struct nft_elems){0};
}

struct nft_elem *nft_elems_add(struct nft_elems *s)
{
    if ((s->n & (s->n - 1)) == 0) /* full at each power of two */
        s->v = xrealloc(s->v, (s->n ? 2 * s->n : 1) * sizeof(*s->v));
    s->v[s->n] = (struct nft_elem){0};
    return &s->v[s->n++];
}

static void pad_into(uint8_t *to, size_t *len, size_t max, const void *field, size_t size)
{
    size_t padded = (size + REGISTER_BYTES - 1) / REGISTER_BYTES * REGISTER_BYTES;

    if (*len + padded > max)
        abort(); /* keys have fixed shapes: a field too many is a mistake in this folder */
    memcpy(to + *len, field, size);
    memset(to + *len + size, 0, padded - size);
    *len += padded;
}

void nft_key_add(struct nft_elem *el, const void *field, size_t size)
{
    pad_into(el->key, &el->key_len, sizeof(el->key), field, size);
}

void nft_data_add(struct nft_elem *el, const void *field, size_t size)
{
    pad_into(el->data, &el->data_len, sizeof(el->data), field, size);
}

/* ------------------------------------------------------------------ reading */

static bool is_nest(const struct nlattr *a)
{
    return mnl_attr_get_payload_len(a) >= sizeof(struct nlattr);
}

/* NFTA_DATA_VALUE inside a key or data attribute. */
static size_t parse_value(const struct nlattr *nest, uint8_t *out, size_t max)
{
    const struct nlattr *a;

    if (!is_nest(nest))
        return 0;
    mnl_attr_for_each_nested(a, nest)
    {
        size_t n = mnl_attr_get_payload_len(a);

        if (mnl_attr_get_type(a) != NFTA_DATA_VALUE || n > max)
            continue;
        memcpy(out, mnl_attr_get_payload(a), n);
        return n;
    }
    return 0;
}

static void parse_comment(const struct nlattr *a, char *out, size_t size)
{
    const uint8_t *at = mnl_attr_get_payload(a);
    size_t left = mnl_attr_get_payload_len(a);

    while (left >= 2 && (size_t)at[1] + 2 <= left) {
        size_t n = at[1];

        if (at[0] == UDATA_COMMENT && n && n < size) {
            memcpy(out, at + 2, n);
            out[n] = '\0';
        }
        at += n + 2;
        left -= n + 2;
    }
}

static int parse_elem(const struct nlattr *nest, struct nft_elems *out)
{
    struct nft_elem *el;
    const struct nlattr *a;

    if (!is_nest(nest))
        return -1;
    el = nft_elems_add(out);
    mnl_attr_for_each_nested(a, nest)
    {
        switch (mnl_attr_get_type(a)) {
        case NFTA_SET_ELEM_KEY:
            el->key_len = parse_value(a, el->key, sizeof(el->key));
            break;
        case NFTA_SET_ELEM_DATA:
            el->data_len = parse_value(a, el->data, sizeof(el->data));
            break;
        case NFTA_SET_ELEM_USERDATA:
            parse_comment(a, el->comment, sizeof(el->comment));
            break;
        }
    }
    if (el->key_len)
        return 0;
    out->n--;
    return -1;
}

int nft_parse_elems(const struct nlmsghdr *h, struct nft_elems *out)
{
    const struct nlattr *a, *el;

    if (h->nlmsg_type != MSG(NFT_MSG_NEWSETELEM) ||
        mnl_nlmsg_get_payload_len(h) < sizeof(struct nfgenmsg))
        return -1;
    NL_FOREACH(a, h, sizeof(struct nfgenmsg))
    {
        if (mnl_attr_get_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS || !is_nest(a))
            continue;
        mnl_attr_for_each_nested(el, a) if (parse_elem(el, out)) return -1;
    }
    return 0;
}

static void start(struct nl_msg *m, unsigned type, unsigned flags)
{
    struct nfgenmsg *g = nl_msg_start(m, MSG(type), flags, sizeof(*g));

    g->nfgen_family = NFPROTO_IPV4;
    g->version = NFNETLINK_V0;
}

static int gather_elems(const struct nlmsghdr *h, void *arg, struct err *e)
{
    struct nft_elems *out = arg;

    if (!h) {
        nft_elems_release(out);
        return 0;
    }
    if (nft_parse_elems(h, out))
        return err_set(e, ERR_IO, "netlink: cannot read set elements");
    return 0;
}

int nft_set_dump(struct nl *nl, const char *table, const char *set, struct nft_elems *out,
                 struct err *e)
{
    struct nl_msg m;

    *out = (struct nft_elems){0};
    start(&m, NFT_MSG_GETSETELEM, 0);
    mnl_attr_put_strz(&m.h, NFTA_SET_ELEM_LIST_TABLE, table);
    mnl_attr_put_strz(&m.h, NFTA_SET_ELEM_LIST_SET, set);
    if (nl_dump(nl, &m, gather_elems, out, e) == 0)
        return 0;
    nft_elems_release(out);
    if (e->os_code == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "no nftables set %s in table %s", set, table);
    return err_wrap(e, "list nftables set %s", set);
}

struct rule_counter {
    const char *table;
    size_t n;
};

/* Old kernels ignore the filter, hence the look at the table's name. */
static int count_rule(const struct nlmsghdr *h, void *arg, struct err *e)
{
    struct rule_counter *c = arg;
    const struct nlattr *a;

    (void)e;
    if (!h) {
        c->n = 0;
        return 0;
    }
    if (h->nlmsg_type != MSG(NFT_MSG_NEWRULE) ||
        mnl_nlmsg_get_payload_len(h) < sizeof(struct nfgenmsg))
        return 0;
    NL_FOREACH(a, h, sizeof(struct nfgenmsg))
    {
        char table[64];

        if (mnl_attr_get_type(a) == NFTA_RULE_TABLE && nl_attr_text(a, table, sizeof(table)) &&
            str_eq(table, c->table))
            c->n++;
    }
    return 0;
}

int nft_rule_count(struct nl *nl, const char *table, size_t *n, struct err *e)
{
    struct rule_counter c = {.table = table};
    struct nl_msg m;

    start(&m, NFT_MSG_GETRULE, 0);
    mnl_attr_put_strz(&m.h, NFTA_RULE_TABLE, table);
    if (nl_dump(nl, &m, count_rule, &c, e) && e->os_code != ENOENT)
        return err_wrap(e, "list nftables rules of table %s", table);
    *n = c.n;
    return 0;
}

/* ------------------------------------------------------------------ writing */

struct nft_batch {
    const char *table;
    struct buf bytes;
    size_t last; /* where the last change begins */
    uint32_t seq;
};

struct nft_batch *nft_batch_new(const char *table)
{
    struct nft_batch *b = xcalloc(1, sizeof(*b));

    b->table = table;
    b->bytes = BUF_INIT(BATCH_BYTES_MAX);
    return b;
}

void nft_batch_free(struct nft_batch *b)
{
    if (!b)
        return;
    buf_release(&b->bytes);
    free(b);
}

static void put_edge(struct nft_batch *b, unsigned type)
{
    struct nl_msg m;
    struct nfgenmsg *g = nl_msg_start(&m, type, 0, sizeof(*g));

    g->nfgen_family = AF_UNSPEC;
    g->version = NFNETLINK_V0;
    g->res_id = htons(NFNL_SUBSYS_NFTABLES);
    m.h.nlmsg_seq = ++b->seq;
    buf_add(&b->bytes, m.bytes, m.h.nlmsg_len);
}

static void put_value(struct nlmsghdr *h, uint16_t type, const uint8_t *bytes, size_t n)
{
    struct nlattr *nest = mnl_attr_nest_start(h, type);

    mnl_attr_put(h, NFTA_DATA_VALUE, n, bytes);
    mnl_attr_nest_end(h, nest);
}

static void put_comment(struct nlmsghdr *h, const char *comment)
{
    uint8_t udata[2 + NFT_COMMENT_MAX + 1];
    size_t n = strlen(comment) + 1;

    udata[0] = UDATA_COMMENT;
    udata[1] = (uint8_t)n;
    memcpy(udata + 2, comment, n);
    mnl_attr_put(h, NFTA_SET_ELEM_USERDATA, n + 2, udata);
}

static void put_elem(struct nft_batch *b, unsigned type, unsigned flags, const char *set,
                     const struct nft_elem *el, bool whole)
{
    struct nl_msg m;

    if (!b->bytes.len)
        put_edge(b, NFNL_MSG_BATCH_BEGIN);
    start(&m, type, flags);
    mnl_attr_put_strz(&m.h, NFTA_SET_ELEM_LIST_TABLE, b->table);
    mnl_attr_put_strz(&m.h, NFTA_SET_ELEM_LIST_SET, set);
    struct nlattr *list = mnl_attr_nest_start(&m.h, NFTA_SET_ELEM_LIST_ELEMENTS);
    struct nlattr *one = mnl_attr_nest_start(&m.h, NFTA_LIST_ELEM);
    put_value(&m.h, NFTA_SET_ELEM_KEY, el->key, el->key_len);
    if (whole && el->data_len)
        put_value(&m.h, NFTA_SET_ELEM_DATA, el->data, el->data_len);
    if (whole && el->comment[0])
        put_comment(&m.h, el->comment);
    mnl_attr_nest_end(&m.h, one);
    mnl_attr_nest_end(&m.h, list);
    m.h.nlmsg_seq = ++b->seq;
    b->last = b->bytes.len;
    buf_add(&b->bytes, m.bytes, m.h.nlmsg_len);
}

void nft_batch_add(struct nft_batch *b, const char *set, const struct nft_elem *el)
{
    put_elem(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, el, true);
}

void nft_batch_del(struct nft_batch *b, const char *set, const struct nft_elem *el)
{
    put_elem(b, NFT_MSG_DELSETELEM, 0, set, el, false);
}

/* Refusals come back in any case; one acknowledgement, of the last change, is enough to know that
 * the kernel took the batch, and a thousand of them would not fit the socket's buffer. */
static int commit(struct nft_batch *b, struct nl *nl, struct err *e)
{
    size_t acks;

    put_edge(b, NFNL_MSG_BATCH_END);
    if (buf_check(&b->bytes, "nftables batch", e))
        return -1;
    struct nlmsghdr *h = (struct nlmsghdr *)(void *)(b->bytes.data + b->last);
    h->nlmsg_flags |= NLM_F_ACK;
    if (nl_make_room(nl, b->bytes.len, e) || nl_send(nl, b->bytes.data, b->bytes.len, e) ||
        nl_collect(nl, &acks, e))
        return -1;
    return acks ? 0 : err_set(e, ERR_IO, "the kernel did not acknowledge the change");
}

int nft_batch_commit(struct nft_batch *b, struct nl *nl, struct err *e)
{
    if (!b->bytes.len || commit(b, nl, e) == 0)
        return 0;
    return err_wrap(e, "change nftables table %s", b->table);
}

int nft_table_delete(struct nl *nl, const char *table, struct err *e)
{
    cleanup_batch struct nft_batch *b = nft_batch_new(table);
    struct nl_msg m;

    put_edge(b, NFNL_MSG_BATCH_BEGIN);
    start(&m, NFT_MSG_DELTABLE, 0);
    mnl_attr_put_strz(&m.h, NFTA_TABLE_NAME, table);
    m.h.nlmsg_seq = ++b->seq;
    b->last = b->bytes.len;
    buf_add(&b->bytes, m.bytes, m.h.nlmsg_len);
    if (commit(b, nl, e) == 0 || e->os_code == ENOENT)
        return 0;
    return err_wrap(e, "delete nftables table %s", table);
}
