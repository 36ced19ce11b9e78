/* http_client: see http_client.h. */
#include "cli/http_client.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/listener.h"
#include "base/mem.h"
#include "base/version.h"

#define API_VERSION "/v1.51"
#define REPLY_MAX   (64 * 1024 * 1024)
#define LINE_MAX_   (1024 * 1024)

void reply_release(struct reply *r)
{
    http_head_release(&r->head);
    http_reader_release(&r->reader);
    stream_free(r->io);
    *r = (struct reply){0};
}

/* ----------------------------------------------------------------- targets */

/* Docker's calls get the version in front; ours have none. */
void target_init(struct target *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    cleanup_free char *path = str_vprintf(fmt, ap);
    va_end(ap);
    *t = (struct target){.text = BUF_INIT(HTTP_HEAD_MAX / 2)};
    buf_addf(&t->text, "%s%s", str_starts(path, "/ballast") ? "" : API_VERSION, path);
}

void target_path(struct target *t, const char *segment)
{
    http_escape(&t->text, segment);
}

void target_text(struct target *t, const char *text)
{
    buf_addf(&t->text, "%s", text);
}

void target_add(struct target *t, const char *key, const char *value)
{
    if (str_empty(value))
        return;
    buf_addf(&t->text, "%s%s=", t->query ? "&" : "?", key);
    http_escape(&t->text, value);
    t->query = true;
}

/* ----------------------------------------------------------------- sending */

static int connect_agent(struct cli *cli, struct reply *out, struct err *e)
{
    *out = (struct reply){0};
    if (stream_connect(cli->host, cli->cancel, &out->io, e)) {
        cleanup_free char *why = xstrdup(e->msg);

        return err_set(e, ERR_UNAVAILABLE,
                       "cannot connect to the agent at %s: %s. Is ballastd "
                       "running?",
                       cli->host, why);
    }
    http_reader_init(&out->reader, out->io, cli->cancel);
    return 0;
}

static int start_head(struct buf *head, const char *method, const struct target *t, struct err *e)
{
    if (buf_check(&t->text, "the request", e))
        return -1;
    http_start_request(head, method, t->text.data);
    http_add_header(head, "Host", "ballast");
    http_add_header(head, "User-Agent", "ballast/" BALLAST_VERSION);
    return 0;
}

static enum err_kind kind_of(int status)
{
    static const struct {
        int status;
        enum err_kind kind;
    } kinds[] = {
        {304, ERR_NOT_MODIFIED},
        {400, ERR_INVALID     },
        {401, ERR_DENIED      },
        {403, ERR_DENIED      },
        {404, ERR_NOT_FOUND   },
        {409, ERR_CONFLICT    },
        {501, ERR_UNSUPPORTED },
        {503, ERR_UNAVAILABLE },
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].status == status)
            return kinds[i].kind;
    return ERR_INTERNAL;
}

/* {"message": "..."} or any text. */
static int failed(struct reply *r, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(LINE_MAX_);
    cleanup_json struct json_doc doc = {0};
    int status = r->head.status;

    if (http_body_read_all(&r->body, &text, ERR_IGNORE) == 0 && text.len &&
        !json_parse(text.data, text.len, &doc, ERR_IGNORE)) {
        struct json root = json_root(&doc);
        const char *message = json_get_str(&root, "message");

        if (*message)
            return err_set(e, kind_of(status), "%s", message);
    }
    return err_set(e, kind_of(status), "the agent answered %d %s", status, r->head.reason);
}

static int read_head(struct reply *out, const char *method, struct err *e)
{
    if (http_read_response(&out->reader, method, &out->head, e))
        return -1;
    http_body_init(&out->body, &out->reader, &out->head);
    return out->head.status >= 400 || out->head.status == 304 ? failed(out, e) : 0;
}

int client_send(struct cli *cli, const char *method, const struct target *t, const struct buf *body,
                struct reply *out, struct err *e)
{
    cleanup_buf struct buf head = BUF_INIT(HTTP_HEAD_MAX);

    if (start_head(&head, method, t, e))
        return -1;
    if (body) {
        http_add_header(&head, "Content-Type", "application/json");
        http_add_headerf(&head, "Content-Length", "%zu", body->len);
    } else if (str_eq(method, "POST")) {
        http_add_header(&head, "Content-Length", "0");
    }
    http_end_head(&head);
    if (buf_check(&head, "the request", e) || connect_agent(cli, out, e))
        return -1;
    if (stream_write(out->io, head.data, head.len, cli->cancel, e))
        return -1;
    if (body && stream_write(out->io, body->data, body->len, cli->cancel, e))
        return -1;
    return read_head(out, method, e);
}

int client_json(struct cli *cli, const char *method, const struct target *t, const struct buf *body,
                struct json_doc *out, struct err *e)
{
    cleanup_reply struct reply r = {0};
    cleanup_buf struct buf text = BUF_INIT(REPLY_MAX);

    if (client_send(cli, method, t, body, &r, e))
        return -1;
    if (http_body_read_all(&r.body, &text, e) || buf_check(&text, "the agent's answer", e))
        return -1;
    return out ? json_parse(text.data, text.len, out, e) : 0;
}

int client_hijack(struct cli *cli, const struct target *t, const struct buf *body,
                  struct reply *out, struct err *e)
{
    cleanup_buf struct buf head = BUF_INIT(HTTP_HEAD_MAX);

    if (start_head(&head, "POST", t, e))
        return -1;
    http_add_header(&head, "Connection", "Upgrade");
    http_add_header(&head, "Upgrade", "tcp");
    if (body)
        http_add_header(&head, "Content-Type", "application/json");
    http_add_headerf(&head, "Content-Length", "%zu", body ? body->len : 0);
    http_end_head(&head);
    if (buf_check(&head, "the request", e) || connect_agent(cli, out, e))
        return -1;
    if (stream_write(out->io, head.data, head.len, cli->cancel, e))
        return -1;
    if (body && stream_write(out->io, body->data, body->len, cli->cancel, e))
        return -1;
    return read_head(out, "POST", e);
}

int client_upload(struct cli *cli, const char *method, const struct target *t, const char *type,
                  client_read_fn *read, void *arg, struct reply *out, struct err *e)
{
    cleanup_buf struct buf head = BUF_INIT(HTTP_HEAD_MAX);
    cleanup_free char *chunk = xmalloc(256 * 1024);
    size_t got;

    if (start_head(&head, method, t, e))
        return -1;
    http_add_header(&head, "Content-Type", type);
    http_add_header(&head, "Transfer-Encoding", "chunked");
    http_end_head(&head);
    if (buf_check(&head, "the request", e) || connect_agent(cli, out, e))
        return -1;
    if (stream_write(out->io, head.data, head.len, cli->cancel, e))
        return -1;
    for (;;) {
        if (read(arg, chunk, 256 * 1024, &got, e))
            return -1;
        if (!got)
            break;
        if (http_write_chunk(out->io, chunk, got, cli->cancel, e)) {
            struct err answer = ERR_INIT;

            /* An agent that has seen enough has answered: its words are better than ours. */
            if (!read_head(out, method, &answer))
                return 0;
            if (out->head.status >= 400)
                *e = answer;
            return -1;
        }
    }
    if (http_write_chunk_end(out->io, cli->cancel, e))
        return -1;
    return read_head(out, method, e);
}

int client_lines(struct reply *r, client_line_fn *fn, void *arg, struct err *e)
{
    cleanup_buf struct buf line = BUF_INIT(LINE_MAX_);
    char chunk[8192];
    size_t got;

    for (;;) {
        if (http_body_read(&r->body, chunk, sizeof(chunk), &got, e))
            return -1;
        for (size_t at = 0; at < got;) {
            const char *nl = memchr(chunk + at, '\n', got - at);
            size_t n = nl ? (size_t)(nl - (chunk + at)) : got - at;

            buf_add(&line, chunk + at, n);
            at += n + (nl != NULL);
            if (!nl)
                break;
            if (buf_check(&line, "a line of the answer", e) ||
                (line.len && fn(arg, line.data, line.len, e)))
                return -1;
            buf_reset(&line);
        }
        if (!got)
            return line.len ? fn(arg, line.data, line.len, e) : 0;
    }
}
