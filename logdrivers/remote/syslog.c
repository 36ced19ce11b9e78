/*
 * syslog: RFC 3164 and RFC 5424 messages over UDP, TCP, TLS and local sockets.
 *
 * The formats are dockerd's: `default` is what a local program writes (no host name), rfc5424 has
 * the tag as APP-NAME and as MSGID.  Every message ends in a newline; over TLS the two rfc5424
 * formats have the octet count of RFC 5425 in front.  The time is the line's own.
 */
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/log_driver.h"
#include "logdrivers/log_address.h"
#include "logdrivers/remote/peer.h"
#include "logdrivers/remote/remote.h"
#include "logdrivers/remote_opts.h"

#define SEVERITY_ERR  3
#define SEVERITY_INFO 6

struct remote {
    struct peer peer;
    bool local; /* the machine's own syslog, wherever its socket is */
    enum syslog_format format;
    bool counted; /* RFC 5425 */
    int facility;
    char *host, *tag;
    struct buf out;
};

/* ------------------------------------------------------------------ format */

static struct tm local_time(int64_t unix_ns)
{
    time_t seconds = (time_t)(unix_ns / NS_PER_SEC);
    struct tm tm;

    localtime_r(&seconds, &tm);
    return tm;
}

static void stamp_3164(char out[64], int64_t unix_ns)
{
    struct tm tm = local_time(unix_ns);

    if (strftime(out, 64, "%b %e %H:%M:%S", &tm) == 0)
        *out = '\0';
}

/* RFC 3339 in local time, with six digits after the second or none. */
static void stamp_5424(char out[64], int64_t unix_ns, bool micro)
{
    struct tm tm = local_time(unix_ns);
    char second[40] = "", zone[8] = "", fraction[16] = "";

    (void)!strftime(second, sizeof(second), "%Y-%m-%dT%H:%M:%S", &tm); /* fits */
    (void)!strftime(zone, sizeof(zone), "%z", &tm);                    /* +hhmm */
    if (micro)
        (void)!snprintf(fraction, sizeof(fraction), ".%06d", (int)(unix_ns % NS_PER_SEC / 1000));
    if (str_eq(zone, "+0000"))
        (void)!snprintf(out, 64, "%s%sZ", second, fraction);
    else
        (void)!snprintf(out, 64, "%s%s%.3s:%.2s", second, fraction, zone, zone + 3);
}

static void format(struct remote *r, const struct remote_line *l)
{
    int priority = r->facility << 3 | (l->from_stderr ? SEVERITY_ERR : SEVERITY_INFO);
    int pid = (int)getpid();
    char when[64];

    switch (r->format) {
    case SYSLOG_DEFAULT:
        stamp_3164(when, l->unix_ns);
        buf_addf(&r->out, "<%d>%s %s[%d]: ", priority, when, r->tag, pid);
        break;
    case SYSLOG_RFC3164:
        stamp_3164(when, l->unix_ns);
        buf_addf(&r->out, "<%d>%s %s %s[%d]: ", priority, when, r->host, r->tag, pid);
        break;
    case SYSLOG_RFC5424:
    case SYSLOG_RFC5424MICRO:
        stamp_5424(when, l->unix_ns, r->format == SYSLOG_RFC5424MICRO);
        buf_addf(&r->out, "<%d>1 %s %s %s %d %s - ", priority, when, r->host, r->tag, pid, r->tag);
        break;
    }
    buf_add(&r->out, l->bytes, l->len);
    if (l->len == 0 || l->bytes[l->len - 1] != '\n')
        buf_add(&r->out, "\n", 1);
}

/* "<length> " in front of the message. */
static void count(struct buf *out)
{
    cleanup_free char *message = str_ndup(out->data, out->len);
    size_t len = out->len;

    buf_reset(out);
    buf_addf(out, "%zu ", len);
    buf_add(out, message, len);
}

/* ------------------------------------------------------------------ the driver */

static void syslog_close(struct remote *r)
{
    peer_release(&r->peer);
    free(r->host);
    free(r->tag);
    buf_release(&r->out);
    free(r);
}

static int connect_local(struct remote *r, struct err *e)
{
    static const char *const networks[] = {"unixgram", "unix"};
    static const char *const paths[] = {"/dev/log", "/var/run/syslog", "/var/run/log"};

    if (r->peer.fd >= 0)
        return peer_connect(&r->peer, e);
    for (size_t n = 0; n < ARRAY_LEN(networks); n++)
        for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
            peer_release(&r->peer);
            peer_init(&r->peer, networks[n], NULL, NULL, paths[i]);
            if (peer_connect(&r->peer, ERR_IGNORE) == 0)
                return 0;
        }
    return err_set(e, ERR_UNAVAILABLE, "Unix syslog delivery error");
}

static int connect_peer(struct remote *r, struct err *e)
{
    return r->local ? connect_local(r, e) : peer_connect(&r->peer, e);
}

static int set_address(struct remote *r, const struct remote_config *cfg, struct err *e)
{
    const char *text = kvs_get(&cfg->opts, "syslog-address");
    cleanup_log_address struct log_address a = {0};
    struct peer_tls tls = {
        .ca_file = kvs_get(&cfg->opts, "syslog-tls-ca-cert"),
        .cert_file = kvs_get(&cfg->opts, "syslog-tls-cert"),
        .key_file = kvs_get(&cfg->opts, "syslog-tls-key"),
        .skip_verify = kvs_get(&cfg->opts, "syslog-tls-skip-verify") != NULL,
    };
    const char *network;

    r->local = str_empty(text);
    if (r->local) {
        peer_init(&r->peer, "unixgram", NULL, NULL, "/dev/log");
        return 0;
    }
    if (log_address_parse(text, &a, e))
        return -1;
    network = remote_network(a.scheme);
    if (!network)
        return err_set(e, ERR_INVALID, "unsupported scheme: '%s'", a.scheme);
    if (str_starts(a.scheme, "unix"))
        peer_init(&r->peer, network, NULL, NULL, a.path);
    else
        peer_init(&r->peer, network, a.host, *a.port ? a.port : "514", NULL);
    if (!str_eq(a.scheme, "tcp+tls"))
        return 0;
    r->counted = r->format == SYSLOG_RFC5424 || r->format == SYSLOG_RFC5424MICRO;
    return peer_use_tls(&r->peer, &tls, e);
}

static int syslog_open(const struct remote_config *cfg, struct remote **out, struct err *e)
{
    struct remote *r = xcalloc(1, sizeof(*r));

    r->host = xstrdup(cfg->host);
    r->tag = xstrdup(cfg->tag);
    r->out = BUF_INIT(2 * LOG_LINE_MAX);
    r->peer.fd = -1;
    if (syslog_format_parse(kvs_get(&cfg->opts, "syslog-format"), &r->format, e) ||
        syslog_facility_parse(kvs_get(&cfg->opts, "syslog-facility"), &r->facility, e) ||
        set_address(r, cfg, e) || (connect_peer(r, e) && !cfg->again)) {
        syslog_close(r);
        return -1;
    }
    *out = r;
    return 0;
}

static int syslog_write(struct remote *r, const struct remote_line *line, struct err *e)
{
    buf_reset(&r->out);
    format(r, line);
    if (r->counted)
        count(&r->out);
    if (buf_check(&r->out, "a syslog message", e)) {
        e->kind = ERR_INVALID;
        return -1;
    }
    return connect_peer(r, e) || peer_send(&r->peer, r->out.data, r->out.len, e) ? -1 : 0;
}

static struct remote_patience syslog_patience(const struct remote *r)
{
    (void)r;
    return REMOTE_PATIENCE;
}

const struct remote_ops remote_syslog = {
    .name = "syslog",
    .open = syslog_open,
    .write = syslog_write,
    .close = syslog_close,
    .patience = syslog_patience,
};
