/*
 * journald: the native protocol of systemd's journal.
 *
 * One datagram per line to /run/systemd/journal/socket: "FIELD=value\n", or, for a value with a
 * newline in it, "FIELD\n", its length (u64, little endian), the value and "\n".  What does not fit
 * into a datagram goes as a sealed file in memory, whose descriptor is sent instead.  See
 * https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.  The fields are dockerd's.
 */
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/log_driver.h"
#include "logdrivers/remote/remote.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define FIELDS_MAX     (1024 * 1024)
#define SHORT_ID       12

#define PRIORITY_ERR   3
#define PRIORITY_INFO  6

struct remote {
    int fd;
    struct buf fixed; /* the fields that all lines have */
    struct buf out;
    uint64_t ordinal; /* of the line; with the epoch it orders what has one time */
};

static void add_field(struct buf *b, const char *name, const char *value, size_t len)
{
    uint64_t size = htole64(len);

    buf_add(b, name, strlen(name));
    if (memchr(value, '\n', len)) {
        buf_add(b, "\n", 1);
        buf_add(b, &size, sizeof(size));
    } else {
        buf_add(b, "=", 1);
    }
    buf_add(b, value, len);
    buf_add(b, "\n", 1);
}

static void add_text(struct buf *b, const char *name, const char *value)
{
    add_field(b, name, value, strlen(value));
}

/* A label's name as a field's: upper case, no underscore at the beginning.  "" when nothing stays.
 */
static char *field_name(const char *key)
{
    char *out = xstrdup(key);
    size_t n = 0;

    for (; *key; key++) {
        char c = isalnum((unsigned char)*key) ? (char)toupper((unsigned char)*key) : '_';

        if ((unsigned char)*key >= 0x80 && ((unsigned char)*key & 0xc0) == 0x80)
            continue; /* the rest of a character that was replaced */
        if (n > 0 || c != '_')
            out[n++] = c;
    }
    out[n] = '\0';
    return out;
}

static void add_fixed(struct remote *r, const struct remote_config *cfg)
{
    cleanup_free char *short_id = str_ndup(cfg->id, strnlen(cfg->id, SHORT_ID));
    cleanup_kvs struct kvs fields = {0};
    char epoch[ID_LEN + 1];

    id_new(epoch);
    kvs_set(&fields, "CONTAINER_ID", short_id);
    kvs_set(&fields, "CONTAINER_ID_FULL", cfg->id);
    kvs_set(&fields, "CONTAINER_NAME", cfg->name);
    kvs_set(&fields, "CONTAINER_TAG", cfg->tag);
    kvs_set(&fields, "IMAGE_NAME", cfg->image_name);
    kvs_set(&fields, "SYSLOG_IDENTIFIER", cfg->tag);
    kvs_set(&fields, "CONTAINER_LOG_EPOCH", epoch);
    for (size_t i = 0; i < cfg->attrs.n; i++) {
        cleanup_free char *name = field_name(cfg->attrs.v[i].k);

        if (*name)
            kvs_set(&fields, name, cfg->attrs.v[i].v);
    }
    for (size_t i = 0; i < fields.n; i++)
        add_text(&r->fixed, fields.v[i].k, fields.v[i].v);
}

static void format(struct remote *r, const struct remote_line *l)
{
    char text[64];

    buf_reset(&r->out);
    buf_add(&r->out, r->fixed.data, r->fixed.len);
    (void)!snprintf(text, sizeof(text), "%d", l->from_stderr ? PRIORITY_ERR : PRIORITY_INFO);
    add_text(&r->out, "PRIORITY", text);
    time_format(l->unix_ns, text);
    add_text(&r->out, "SYSLOG_TIMESTAMP", text);
    (void)!snprintf(text, sizeof(text), "%" PRIu64, r->ordinal + 1);
    add_text(&r->out, "CONTAINER_LOG_ORDINAL", text);
    if (l->piece) {
        add_text(&r->out, "CONTAINER_PARTIAL_ID", l->piece_id);
        (void)!snprintf(text, sizeof(text), "%u", l->ordinal);
        add_text(&r->out, "CONTAINER_PARTIAL_ORDINAL", text);
        add_text(&r->out, "CONTAINER_PARTIAL_LAST", l->last ? "true" : "false");
        if (!l->last)
            add_text(&r->out, "CONTAINER_PARTIAL_MESSAGE", "true");
    }
    add_field(&r->out, "MESSAGE", l->bytes, l->len);
}

/* ------------------------------------------------------------------ sending */

static const struct sockaddr_un journal = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};

static int send_large(const struct remote *r, struct err *e)
{
    cleanup_fd int fd = memfd_create("journal-message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct msghdr m = {.msg_name = (void *)&journal,
                       .msg_namelen = sizeof(journal),
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    if (fd < 0 || write(fd, r->out.data, r->out.len) != (ssize_t)r->out.len ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
        return err_os(e, errno, "a large journal message");
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    return sendmsg(r->fd, &m, MSG_NOSIGNAL) >= 0 ? 0 : err_os(e, errno, "write to the journal");
}

static int journald_write(struct remote *r, const struct remote_line *line, struct err *e)
{
    format(r, line);
    if (buf_check(&r->out, "a journal message", e)) {
        e->kind = ERR_INVALID;
        return -1;
    }
    if (sendto(r->fd, r->out.data, r->out.len, MSG_NOSIGNAL, (const struct sockaddr *)&journal,
               sizeof(journal)) < 0) {
        if (errno != EMSGSIZE && errno != ENOBUFS)
            return err_os(e, errno, "write to the journal");
        if (send_large(r, e))
            return -1;
    }
    r->ordinal++;
    return 0;
}

static void journald_close(struct remote *r)
{
    fd_close(r->fd);
    buf_release(&r->fixed);
    buf_release(&r->out);
    free(r);
}

static int journald_open(const struct remote_config *cfg, struct remote **out, struct err *e)
{
    const struct timeval timeout = {.tv_sec = 10};
    struct remote *r;
    struct stat st;

    if (!cfg->again && (stat(JOURNAL_SOCKET, &st) || !S_ISSOCK(st.st_mode)))
        return err_set(e, ERR_INVALID, "journald is not enabled on this host");
    r = xcalloc(1, sizeof(*r));
    r->fixed = BUF_INIT(FIELDS_MAX);
    r->out = BUF_INIT(FIELDS_MAX + 4 * LOG_LINE_MAX);
    r->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    add_fixed(r, cfg);
    if (r->fd < 0 || setsockopt(r->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout))) {
        err_os(e, errno, "socket for the journal");
        journald_close(r);
        return -1;
    }
    *out = r;
    return 0;
}

static struct remote_patience journald_patience(const struct remote *r)
{
    (void)r;
    return REMOTE_PATIENCE;
}

const struct remote_ops remote_journald = {
    .name = "journald",
    .open = journald_open,
    .write = journald_write,
    .close = journald_close,
    .patience = journald_patience,
};
