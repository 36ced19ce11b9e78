/*
 * nftset: elements of nftables sets and maps, straight over netlink.
 *
 * The rules never change after set-up (firewall.c); what changes as containers come and go are
 * elements, one batch per change, which is atomic and costs some ten microseconds instead of the
 * milliseconds of a spawned nft.  Every element says in its comment whose it is, so that `nft list
 * ruleset` is readable and a sweep finds ours.
 *
 * Wire format: linux/netfilter/nf_tables.h; the comment is nft's own user data (type 0, length,
 * text with NUL).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "netdrivers/nl.h"

#define NFT_KEY_MAX     64
#define NFT_DATA_MAX    16
#define NFT_COMMENT_MAX 128 /* nft's own limit */

struct nft_elem {
    uint8_t key[NFT_KEY_MAX], data[NFT_DATA_MAX];
    size_t key_len, data_len; /* data_len 0: a set's element */
    char comment[NFT_COMMENT_MAX + 1];
};

struct nft_elems {
    struct nft_elem *v;
    size_t n;
};
void nft_elems_release(struct nft_elems *s);
#define cleanup_elems CLEANUP(nft_elems_release)
struct nft_elem *nft_elems_add(struct nft_elems *s);
/* Appends a field to the key, padded to the register size as concatenations are. */
void nft_key_add(struct nft_elem *el, const void *field, size_t size);
void nft_data_add(struct nft_elem *el, const void *field, size_t size);

/* A missing table or set is ERR_NOT_FOUND. */
int nft_set_dump(struct nl *nl, const char *table, const char *set, struct nft_elems *out,
                 struct err *e) MUST_USE;
/* How many rules the table has; 0 when it is not there. */
int nft_rule_count(struct nl *nl, const char *table, size_t *n, struct err *e) MUST_USE;
int nft_table_delete(struct nl *nl, const char *table, struct err *e) MUST_USE;

/* Changes to be made together. */
struct nft_batch;
struct nft_batch *nft_batch_new(const char *table);
void nft_batch_free(struct nft_batch *b);
static inline void nft_batch_free_p(struct nft_batch **b)
{
    nft_batch_free(*b);
}
#define cleanup_batch CLEANUP(nft_batch_free_p)
void nft_batch_add(struct nft_batch *b, const char *set, const struct nft_elem *el);
void nft_batch_del(struct nft_batch *b, const char *set, const struct nft_elem *el);
/* All of it or nothing.  An empty batch does nothing. */
int nft_batch_commit(struct nft_batch *b, struct nl *nl, struct err *e) MUST_USE;

/* A message of a dump of set elements, appended to out; -1 when it is not one. */
int nft_parse_elems(const struct nlmsghdr *h, struct nft_elems *out);
