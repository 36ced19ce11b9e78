/*
 * doctor: what this host lacks for networking, and what that turns off.
 *
 * Each check is a row; it looks and says, and changes nothing.  Whether iptables drops forwarded
 * packets is asked of iptables itself, as its rules may live in the old xtables or in nftables.
 */
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/str.h"
#include "core/net_driver.h"
#include "netdrivers/nftset.h"
#include "netdrivers/sysctl.h"

#define OUTPUT_MAX (64 * 1024)

static bool run(const char *const *argv, struct buf *out)
{
    int code = -1;

    return process_run(argv, NULL, 0, out, NULL, NULL, &code, ERR_IGNORE) == 0 && code == 0;
}

static void check_nft(struct strv *lines)
{
    static const char *const argv[] = {"nft", "--check", "add table ip ballast_doctor", NULL};

    if (run(argv, NULL))
        strv_add(lines, "nftables\tok\t");
    else
        strv_add(lines, "nftables\tmissing\tthe program nft is not there or may not change rules: "
                        "no published ports, no isolation, bridge networks fail");
}

static void check_forward(struct strv *lines)
{
    int on;

    if (sysctl_read("net/ipv4/ip_forward", &on, ERR_IGNORE))
        strv_add(lines, "ip_forward\tmissing\tcannot be read: /proc/sys is not there");
    else if (on)
        strv_add(lines, "ip_forward\tok\t");
    else
        strv_add(lines, "ip_forward\toff\tswitched on with the first bridge network unless "
                        "ip-forward is false; until then containers reach the host only");
}

static void check_bridge(struct strv *lines)
{
    if (fs_is_dir("/sys/module/bridge") || fs_exists("/proc/net/bridge"))
        strv_add(lines, "bridge\tok\t");
    else
        strv_add(lines, "bridge\tunknown\tthe kernel module is not loaded; it is loaded on first "
                        "use if this kernel has it");
}

static void check_br_netfilter(struct strv *lines)
{
    int on;

    if (sysctl_read("net/bridge/bridge-nf-call-iptables", &on, ERR_IGNORE) || !on)
        strv_add(lines, "br_netfilter\tok\tnot in use, and not needed");
    else
        strv_add(lines, "br_netfilter\tok\tactive: the host's own rules also see traffic between "
                        "containers of one network");
}

/* Our accept does not outvote another table's drop, and we do not write into other tables. */
static void check_iptables(struct strv *lines)
{
    static const char *const argv[] = {"iptables", "-w", "2", "-S", "FORWARD", NULL};
    cleanup_buf struct buf out = BUF_INIT(OUTPUT_MAX);

    if (!run(argv, &out))
        strv_add(lines, "iptables FORWARD\tok\tiptables is not in use");
    else if (strstr(out.data, "-P FORWARD DROP"))
        strv_add(lines, "iptables FORWARD\tdrop\tthe host's policy drops forwarded packets: "
                        "containers cannot leave the host and published ports are reached from "
                        "the host only, until rules accept traffic from and to the bridges");
    else
        strv_add(lines, "iptables FORWARD\tok\t");
}

void net_doctor(struct strv *lines)
{
    check_nft(lines);
    check_forward(lines);
    check_bridge(lines);
    check_br_netfilter(lines);
    check_iptables(lines);
}
