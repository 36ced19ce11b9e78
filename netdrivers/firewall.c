/*
 * firewall: see firewall.h.
 *
 * Set-up goes through `nft -f -`, once per boot: it is the documented text interface, and the text
 * below is what an administrator will see.  A set called `edition` holds a number made from that
 * text; together with the count of the rules it tells a table that is as it should be from one that
 * an older agent made or somebody flushed.
 */
#include "netdrivers/firewall.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <net/if.h>
#include <netinet/in.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/str.h"
#include "netdrivers/ipv4.h"

#define SCRIPT_MAX   (16 * 1024)
#define OUTPUT_MAX   (16 * 1024)
#define SYNC_RETRIES 3

static const char *const objects[] = {
    "chain %s guard { type filter hook prerouting priority -300; policy accept; }",
    "chain %s prerouting { type nat hook prerouting priority -100; policy accept; }",
    "chain %s output { type nat hook output priority -100; policy accept; }",
    "chain %s postrouting { type nat hook postrouting priority 100; policy accept; }",
    "chain %s forward { type filter hook forward priority 0; policy accept; }",
    "chain %s publish",
    "map %s ports_any { type inet_proto . inet_service : ipv4_addr . inet_service; }",
    "map %s ports_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }",
    "set %s bridges { type ifname; }",
    "set %s masquerading { type ifname; }",
    "set %s internal { type ifname; }",
    "set %s same { type ifname . ifname; }",
    "set %s talking { type ifname . ifname; }",
    "set %s selves { type ipv4_addr . ipv4_addr; }",
    "set %s edition { type mark; }",
};

static const char *const chains[] = {
    "guard", "prerouting", "output", "postrouting", "forward", "publish",
};

static const char *const rules[] = {
    /* Our bridges accept 127/8 for the loopback path; nobody else may use that, in or out. */
    "guard iifname != \"lo\" ip daddr 127.0.0.0/8 drop",
    "guard iifname != \"lo\" ip saddr 127.0.0.0/8 drop",
    "prerouting fib daddr type local jump publish",
    "output fib daddr type local jump publish",
    "publish dnat ip to ip daddr . meta l4proto . th dport map @ports_at",
    "publish dnat ip to meta l4proto . th dport map @ports_any",
    /* A neighbour, or the container itself, came through the published port: the answer must too.
     * Under br_netfilter there is no iifname here; neighbours do without, the container does not.
     */
    "postrouting iifname . oifname @same ct status dnat masquerade",
    "postrouting ip saddr . ip daddr @selves ct status dnat masquerade",
    "postrouting ip saddr 127.0.0.0/8 oifname @bridges masquerade",
    "postrouting iifname @masquerading oifname != @bridges masquerade",
    "forward iifname . oifname @talking accept",
    "forward iifname @internal drop",
    "forward oifname @internal drop",
    "forward oifname @bridges ct state established,related accept",
    /* What came to an address of the host and was published.  A packet sent straight to a
     * container's address was not translated, and is dropped. */
    "forward oifname @bridges ct status dnat accept",
    "forward oifname @bridges drop",
};

static const char *const network_sets[] = {"bridges", "masquerading", "internal", "same",
                                           "talking"};
enum { SET_BRIDGES, SET_MASQUERADING, SET_INTERNAL, SET_SAME, SET_TALKING };
static const char *const port_sets[] = {"ports_any", "ports_at", "selves"};
enum { SET_ANY, SET_AT, SET_SELVES };
#define SETS_MAX ARRAY_LEN(network_sets)

/* ------------------------------------------------------------------ the table */

static uint32_t hash_text(uint32_t h, const char *s)
{
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u; /* FNV-1a */
    return h;
}

static uint32_t edition(void)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < ARRAY_LEN(objects); i++)
        h = hash_text(h, objects[i]);
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        h = hash_text(h, rules[i]);
    return h;
}

/* The name goes into text that nft parses. */
static int check_table_name(const char *name, struct err *e)
{
    bool good = isalpha((unsigned char)name[0]) && strlen(name) < 32;

    for (const char *p = name; *p; p++)
        good = good && (isalnum((unsigned char)*p) || *p == '_' || *p == '-');
    return good ? 0
                : err_set(e, ERR_INVALID, "instance name %s cannot name an nftables table", name);
}

static void write_script(const char *instance, bool fresh, struct buf *out)
{
    cleanup_free char *table = str_printf("ip %s", instance);

    buf_addf(out, "add table %s\n", table);
    if (fresh)
        buf_addf(out, "delete table %s\nadd table %s\n", table, table);
    for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
        const char *gap = strstr(objects[i], "%s");

        buf_addf(out, "add %.*s%s%s\n", (int)(gap - objects[i]), objects[i], table, gap + 2);
    }
    for (size_t i = 0; i < ARRAY_LEN(chains); i++)
        buf_addf(out, "flush chain %s %s\n", table, chains[i]);
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        buf_addf(out, "add rule %s %s\n", table, rules[i]);
    buf_addf(out, "flush set %s edition\nadd element %s edition { 0x%08x }\n", table, table,
             edition());
}

static int run_nft(const struct buf *script, struct err *e)
{
    static const char *const argv[] = {"nft", "-f", "-", NULL};
    cleanup_buf struct buf said = BUF_INIT(OUTPUT_MAX);
    int code;

    if (process_run(argv, script->data, script->len, NULL, &said, NULL, &code, e))
        return err_wrap(e, "set up the firewall with nft");
    if (code == 0)
        return 0;
    char *line_end = strchr(said.data, '\n');
    if (line_end)
        *line_end = '\0';
    return err_set(e, ERR_IO, "set up the firewall: nft exited with %d: %s", code, said.data);
}

static int set_up(const struct net_env *env, struct err *e)
{
    cleanup_buf struct buf script = BUF_INIT(SCRIPT_MAX);
    struct err first = ERR_INIT;

    if (check_table_name(env->instance, e))
        return -1;
    write_script(env->instance, false, &script);
    if (buf_check(&script, "firewall script", e))
        return -1;
    if (run_nft(&script, &first) == 0)
        return 0;
    /* A table whose sets have other types cannot be changed into ours, only replaced.  Its elements
     * come back as networks and endpoints are ensured. */
    buf_reset(&script);
    write_script(env->instance, true, &script);
    return run_nft(&script, e);
}

static int is_current(struct nl *nl, const struct net_env *env, bool *current, struct err *e)
{
    cleanup_elems struct nft_elems found = {0};
    uint32_t have, want = edition();
    size_t n_rules;

    *current = false;
    if (nft_set_dump(nl, env->instance, "edition", &found, e))
        return e->kind == ERR_NOT_FOUND ? 0 : -1;
    if (nft_rule_count(nl, env->instance, &n_rules, e))
        return -1;
    if (found.n != 1 || found.v[0].key_len != sizeof(have) || n_rules != ARRAY_LEN(rules))
        return 0;
    memcpy(&have, found.v[0].key, sizeof(have));
    *current = have == want;
    return 0;
}

int firewall_ensure(const struct net_env *env, bool *rebuilt, struct err *e)
{
    cleanup_nl struct nl nl = NL_INIT;
    bool current;

    if (rebuilt)
        *rebuilt = false;
    if (nl_open_shared(&nl, e) || is_current(&nl, env, &current, e))
        return -1;
    if (current)
        return 0;
    if (rebuilt)
        *rebuilt = true;
    return set_up(env, e);
}

/* ------------------------------------------------------------------ elements */

static bool same_bytes(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    return a_len == b_len && memcmp(a, b, a_len) == 0;
}

static struct nft_elem *find_key(struct nft_elems *in, const struct nft_elem *el)
{
    for (size_t i = 0; i < in->n; i++)
        if (same_bytes(in->v[i].key, in->v[i].key_len, el->key, el->key_len))
            return &in->v[i];
    return NULL;
}

/* Puts into the batch what turns `have` into a set where `owner` has exactly `want`. */
static void diff_set(struct nft_batch *b, const char *set, const char *owner,
                     const struct nft_elems *have, struct nft_elems *want)
{
    for (size_t i = 0; i < have->n; i++) {
        const struct nft_elem *old = &have->v[i];
        struct nft_elem *new = find_key(want, old);

        if (new &&same_bytes(old->data, old->data_len, new->data, new->data_len) &&
            str_eq(old->comment, new->comment))
            new->key_len = 0; /* there already */
        else if (new || str_eq(old->comment, owner))
            nft_batch_del(b, set, old);
    }
    for (size_t i = 0; i < want->n; i++)
        if (want->v[i].key_len)
            nft_batch_add(b, set, &want->v[i]);
}

/* An element that lost its race (a stale one, removed by a sweep meanwhile) shows as one of these.
 */
static bool is_race(const struct err *e)
{
    return e->os_code == ENOENT || e->os_code == EEXIST || e->os_code == EBUSY;
}

static int sync_once(struct nl *nl, const char *table, const char *const *sets, size_t n_sets,
                     const char *owner, const struct nft_elems *want, struct err *e)
{
    cleanup_batch struct nft_batch *b = nft_batch_new(table);

    for (size_t i = 0; i < n_sets; i++) {
        cleanup_elems struct nft_elems have = {0};
        cleanup_elems struct nft_elems todo = {0};

        if (nft_set_dump(nl, table, sets[i], &have, e))
            return -1;
        for (size_t k = 0; want && k < want[i].n; k++)
            *nft_elems_add(&todo) = want[i].v[k];
        diff_set(b, sets[i], owner, &have, &todo);
    }
    return nft_batch_commit(b, nl, e);
}

/* want NULL: the owner has nothing, and a table that is not there is fine. */
static int sync_sets(const struct net_env *env, const char *const *sets, size_t n_sets,
                     const char *owner, const struct nft_elems *want, struct err *e)
{
    cleanup_nl struct nl nl = NL_INIT;

    if (nl_open_shared(&nl, e))
        return -1;
    for (int i = 0;; i++) {
        if (sync_once(&nl, env->instance, sets, n_sets, owner, want, e) == 0)
            return 0;
        if (e->kind == ERR_NOT_FOUND && !want)
            return 0;
        if (i == SYNC_RETRIES || (e->kind != ERR_NOT_FOUND && !is_race(e)))
            return -1;
        if (e->kind == ERR_NOT_FOUND && firewall_ensure(env, NULL, e))
            return -1;
    }
}

static void network_owner(const char *network_id, char *out, size_t size)
{
    snprintf(out, size, "network %.64s", network_id);
}

static void add_ifname(struct nft_elem *el, const char *name)
{
    char padded[IFNAMSIZ] = {0};

    (void)str_copy(padded, sizeof(padded), name);
    nft_key_add(el, padded, sizeof(padded));
}

int firewall_network_set(const struct net_env *env, const struct firewall_network *n, struct err *e)
{
    const bool member[SETS_MAX] = {
        [SET_BRIDGES] = true,         [SET_MASQUERADING] = n->masquerade && !n->internal,
        [SET_INTERNAL] = n->internal, [SET_SAME] = true,
        [SET_TALKING] = n->icc,
    };
    struct nft_elems want[SETS_MAX] = {0};
    char owner[NFT_COMMENT_MAX + 1];
    int r;

    network_owner(n->id, owner, sizeof(owner));
    for (size_t i = 0; i < SETS_MAX; i++) {
        if (!member[i])
            continue;
        struct nft_elem *el = nft_elems_add(&want[i]);
        add_ifname(el, n->bridge);
        if (i == SET_SAME || i == SET_TALKING)
            add_ifname(el, n->bridge);
        (void)str_copy(el->comment, sizeof(el->comment), owner);
    }
    r = sync_sets(env, network_sets, ARRAY_LEN(network_sets), owner, want, e);
    for (size_t i = 0; i < SETS_MAX; i++)
        nft_elems_release(&want[i]);
    return r;
}

int firewall_network_clear(const struct net_env *env, const char *network_id, struct err *e)
{
    char owner[NFT_COMMENT_MAX + 1];

    network_owner(network_id, owner, sizeof(owner));
    return sync_sets(env, network_sets, ARRAY_LEN(network_sets), owner, NULL, e);
}

static const uint8_t proto_numbers[] = {
    [PROTO_TCP] = IPPROTO_TCP,
    [PROTO_UDP] = IPPROTO_UDP,
    [PROTO_SCTP] = IPPROTO_SCTP,
};

static int add_port(struct nft_elems *want, const struct port_map *p, uint32_t target,
                    const char *owner, struct err *e)
{
    uint32_t host = 0, wire;
    uint16_t port;
    struct nft_elem *el;

    if (!str_empty(p->host_ip) && !ipv4_parse(p->host_ip, &host))
        return err_set(e, ERR_UNSUPPORTED, "publish port %u on %s: only IPv4 addresses so far",
                       p->host_port, p->host_ip);
    el = nft_elems_add(&want[host ? SET_AT : SET_ANY]);
    if (host) {
        wire = htonl(host);
        nft_key_add(el, &wire, sizeof(wire));
    }
    nft_key_add(el, &proto_numbers[p->proto], 1);
    port = htons(p->host_port);
    nft_key_add(el, &port, sizeof(port));
    wire = htonl(target);
    nft_data_add(el, &wire, sizeof(wire));
    port = htons(p->port);
    nft_data_add(el, &port, sizeof(port));
    (void)str_copy(el->comment, sizeof(el->comment), owner);
    return 0;
}

static void add_self(struct nft_elems *want, uint32_t target, const char *owner)
{
    struct nft_elem *el = nft_elems_add(&want[SET_SELVES]);
    uint32_t wire = htonl(target);

    nft_key_add(el, &wire, sizeof(wire));
    nft_key_add(el, &wire, sizeof(wire));
    (void)str_copy(el->comment, sizeof(el->comment), owner);
}

int firewall_ports_set(const struct net_env *env, const char *container_id, const char *network_id,
                       const char *address, const struct port_map *ports, size_t n, struct err *e)
{
    struct nft_elems want[ARRAY_LEN(port_sets)] = {0};
    char owner[NFT_COMMENT_MAX + 1];
    uint32_t target = 0;
    int r = 0;

    snprintf(owner, sizeof(owner), "container %.64s via %.12s", container_id, network_id);
    if (n && !ipv4_parse(address, &target))
        return err_set(e, ERR_INVALID, "publish ports: %s is no IPv4 address",
                       address ? address : "(none)");
    if (n)
        add_self(want, target, owner);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = add_port(want, &ports[i], target, owner, e);
    if (r == 0)
        r = sync_sets(env, port_sets, ARRAY_LEN(port_sets), owner, n ? want : NULL, e);
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        nft_elems_release(&want[i]);
    return r;
}

/* ------------------------------------------------------------------ sweep */

/* Is this comment ours, and is its object not among those to keep? */
static bool is_stale(const char *comment, const char *noun, const struct strv *keep)
{
    char id[65];
    size_t n = strlen(noun);

    if (!str_starts(comment, noun) || comment[n] != ' ')
        return false;
    size_t len = strcspn(comment + n + 1, " ");
    if (len >= sizeof(id))
        return false;
    memcpy(id, comment + n + 1, len);
    id[len] = '\0';
    return !strv_has(keep, id);
}

static int sweep_set(struct nl *nl, struct nft_batch *b, const char *table, const char *set,
                     const char *noun, const struct strv *keep, struct strv *removed, struct err *e)
{
    cleanup_elems struct nft_elems have = {0};

    if (nft_set_dump(nl, table, set, &have, e))
        return e->kind == ERR_NOT_FOUND ? 0 : -1;
    for (size_t i = 0; i < have.n; i++) {
        if (!is_stale(have.v[i].comment, noun, keep))
            continue;
        nft_batch_del(b, set, &have.v[i]);
        strv_addf(removed, "nft element of %s in %s", have.v[i].comment, set);
    }
    return 0;
}

int firewall_sweep(const struct net_env *env, const struct strv *container_ids,
                   const struct strv *network_ids, struct strv *removed, struct err *e)
{
    cleanup_batch struct nft_batch *b = nft_batch_new(env->instance);
    cleanup_nl struct nl nl = NL_INIT;

    if (nl_open_shared(&nl, e))
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(port_sets); i++)
        if (sweep_set(&nl, b, env->instance, port_sets[i], "container", container_ids, removed, e))
            return -1;
    for (size_t i = 0; i < ARRAY_LEN(network_sets); i++)
        if (sweep_set(&nl, b, env->instance, network_sets[i], "network", network_ids, removed, e))
            return -1;
    return nft_batch_commit(b, &nl, e);
}

int firewall_remove(const struct net_env *env, struct err *e)
{
    cleanup_buf struct buf script = BUF_INIT(SCRIPT_MAX);

    if (check_table_name(env->instance, e))
        return -1;
    buf_addf(&script, "add table ip %s\ndelete table ip %s\n", env->instance, env->instance);
    return run_nft(&script, e);
}
