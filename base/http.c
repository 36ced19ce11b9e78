/*
 * http: the grammar of heads, both ways.  See http.h.
 *
 * A head is copied once and cut into strings where it stands; what follows points into that copy.
 * Every rule that refuses something is a line here, so that the table in tests/unit/base/
 * test_http.c can be read beside it.
 */
#include "base/http.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static int bad(int *status, int code, struct err *e, const char *what)
{
    if (status)
        *status = code;
    return err_set(e, ERR_INVALID, "malformed HTTP message: %s", what);
}

/* RFC 9110 5.6.2: tchar. */
static bool is_token_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if (!is_token_char((unsigned char)*s))
            return false;
    return true;
}

/* Field content: visible, space, tab, or above ASCII. */
static bool is_value(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

void http_head_release(struct http_head *h)
{
    free(h->text);
    free(h->headers);
    *h = (struct http_head){0};
}

const char *http_header(const struct http_head *h, const char *name)
{
    for (size_t i = 0; i < h->n_headers; i++)
        if (str_eq_nocase(h->headers[i].name, name))
            return h->headers[i].value;
    return NULL;
}

static bool list_has(const char *list, const char *token)
{
    size_t n = strlen(token);

    while (*list) {
        const char *end;
        size_t len;

        list += strspn(list, " \t,");
        len = strcspn(list, ",");
        end = list + len;
        while (len > 0 && (list[len - 1] == ' ' || list[len - 1] == '\t'))
            len--;
        if (len == n) {
            size_t i = 0;

            while (i < n && (list[i] | 0x20) == (token[i] | 0x20))
                i++;
            if (i == n)
                return true;
        }
        list = end;
    }
    return false;
}

bool http_header_has(const struct http_head *h, const char *name, const char *token)
{
    for (size_t i = 0; i < h->n_headers; i++)
        if (str_eq_nocase(h->headers[i].name, name) && list_has(h->headers[i].value, token))
            return true;
    return false;
}

/* Cuts the next line off *at: NUL in place of CRLF.  NULL when it is not a proper line. */
static char *next_line(char **at, char *end)
{
    char *line = *at;
    char *cr = memchr(line, '\r', (size_t)(end - line));

    if (!cr || cr + 1 >= end || cr[1] != '\n')
        return NULL;
    if (!is_value(line, (size_t)(cr - line)))
        return NULL;
    *cr = '\0';
    *at = cr + 2;
    return line;
}

/* "HTTP/1.0", "HTTP/1.1"; a later minor counts as 1. */
static int parse_version(const char *s, int *minor, int *status, struct err *e)
{
    if (strncmp(s, "HTTP/", 5) != 0 || strlen(s) != 8 || s[6] != '.' || s[5] < '0' || s[5] > '9' ||
        s[7] < '0' || s[7] > '9')
        return bad(status, 400, e, "no HTTP version");
    if (s[5] != '1')
        return bad(status, 505, e, "unsupported HTTP version");
    *minor = s[7] == '0' ? 0 : 1;
    return 0;
}

/* "GET http://host/path" means "GET /path" (RFC 9112 3.2.2). */
static const char *origin_form(char *target)
{
    char *slash;

    if (strncmp(target, "http://", 7) != 0 && strncmp(target, "https://", 8) != 0)
        return target;
    slash = strchr(strchr(target, ':') + 3, '/');
    return slash ? slash : "/";
}

static int parse_request_line(char *line, struct http_head *h, int *status, struct err *e)
{
    char *target = strchr(line, ' ');
    char *version;

    if (!target)
        return bad(status, 400, e, "request line");
    *target++ = '\0';
    version = strchr(target, ' ');
    if (!version)
        return bad(status, 400, e, "request line");
    *version++ = '\0';
    if (!is_token(line))
        return bad(status, 400, e, "method");
    if (parse_version(version, &h->minor, status, e))
        return -1;
    h->method = line;
    h->target = origin_form(target);
    if (h->target[0] != '/' && !str_eq(h->target, "*"))
        return bad(status, 400, e, "request target");
    if (strchr(h->target, '\t'))
        return bad(status, 400, e, "request target");
    return 0;
}

static int parse_status_line(char *line, struct http_head *h, struct err *e)
{
    char *code = strchr(line, ' ');

    if (!code)
        return bad(NULL, 0, e, "status line");
    *code++ = '\0';
    if (parse_version(line, &h->minor, NULL, e))
        return -1;
    if (strspn(code, "0123456789") != 3 || code[0] == '0' || (code[3] != ' ' && code[3] != '\0'))
        return bad(NULL, 0, e, "status code");
    h->status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
    h->reason = code[3] ? code + 4 : code + 3;
    return 0;
}

static int parse_header_line(char *line, struct http_head *h, int *status, struct err *e)
{
    char *colon = strchr(line, ':');
    struct http_header *slot;

    if (h->n_headers == HTTP_HEADERS_MAX)
        return bad(status, 431, e, "too many headers");
    if (!colon)
        return bad(status, 400, e, "header without colon");
    *colon = '\0';
    /* This refuses folded lines and white space before the colon too. */
    if (!is_token(line))
        return bad(status, 400, e, "header name");
    if (h->n_headers % 16 == 0)
        h->headers = xrealloc(h->headers, (h->n_headers + 16) * sizeof(*h->headers));
    slot = &h->headers[h->n_headers++];
    slot->name = line;
    slot->value = str_trim(colon + 1);
    return 0;
}

static int parse_length(const char *s, int64_t *out)
{
    size_t digits = strspn(s, "0123456789");

    if (digits == 0 || digits > 18 || s[digits])
        return -1;
    *out = 0;
    for (; *s; s++)
        *out = *out * 10 + (*s - '0');
    return 0;
}

static int content_length(struct http_head *h, const char *value, bool *have, int *status,
                          struct err *e)
{
    int64_t length;

    if (parse_length(value, &length))
        return bad(status, 400, e, "Content-Length");
    if (*have && length != h->length)
        return bad(status, 400, e, "different Content-Lengths");
    *have = true;
    h->length = length;
    return 0;
}

static int transfer_encoding(const struct http_head *h, const char *value, bool *chunked,
                             int *status, struct err *e)
{
    if (*chunked)
        return bad(status, 400, e, "two Transfer-Encodings");
    if (!str_eq_nocase(value, "chunked"))
        return bad(status, 501, e, "unsupported Transfer-Encoding");
    if (h->minor == 0)
        return bad(status, 400, e, "Transfer-Encoding in HTTP/1.0");
    *chunked = true;
    return 0;
}

/* Content-Length and Transfer-Encoding: where requests are smuggled if one is careless. */
static int parse_framing(struct http_head *h, int *status, struct err *e)
{
    bool have_length = false, chunked = false;

    for (size_t i = 0; i < h->n_headers; i++) {
        const struct http_header *x = &h->headers[i];

        if (str_eq_nocase(x->name, "Content-Length") &&
            content_length(h, x->value, &have_length, status, e))
            return -1;
        if (str_eq_nocase(x->name, "Transfer-Encoding") &&
            transfer_encoding(h, x->value, &chunked, status, e))
            return -1;
    }
    if (chunked && have_length)
        return bad(status, 400, e, "Content-Length together with Transfer-Encoding");
    h->body = chunked ? HTTP_BODY_CHUNKED : have_length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
    if (h->body == HTTP_BODY_LENGTH && h->length == 0)
        h->body = HTTP_BODY_NONE;
    h->keep_alive = h->minor == 0 ? http_header_has(h, "Connection", "keep-alive")
                                  : !http_header_has(h, "Connection", "close");
    return 0;
}

/* The start line into *line, the headers into h. */
static int parse_lines(const char *bytes, size_t len, struct http_head *h, char **line, int *status,
                       struct err *e)
{
    char *at, *end, *header;

    if (len > HTTP_HEAD_MAX)
        return bad(status, 431, e, "head too long");
    h->text = xmalloc(len + 1);
    memcpy(h->text, bytes, len);
    h->text[len] = '\0';
    at = h->text;
    end = h->text + len;
    *line = next_line(&at, end);
    if (!*line)
        return bad(status, 400, e, "start line");
    for (;;) {
        header = next_line(&at, end);
        if (!header)
            return bad(status, 400, e, "header line");
        if (!*header)
            break;
        if (parse_header_line(header, h, status, e))
            return -1;
    }
    return at == end ? 0 : bad(status, 400, e, "bytes after the head");
}

static int check_host(const struct http_head *h, int *status, struct err *e)
{
    size_t hosts = 0;

    for (size_t i = 0; i < h->n_headers; i++)
        hosts += str_eq_nocase(h->headers[i].name, "Host");
    if (hosts > 1)
        return bad(status, 400, e, "too many Host headers");
    if (hosts == 0 && h->minor == 1)
        return bad(status, 400, e, "missing required Host header");
    return 0;
}

static int parse_request(const char *bytes, size_t len, struct http_head *h, int *status,
                         struct err *e)
{
    const char *expect;
    char *line;

    if (parse_lines(bytes, len, h, &line, status, e) || parse_request_line(line, h, status, e) ||
        parse_framing(h, status, e) || check_host(h, status, e))
        return -1;
    expect = http_header(h, "Expect");
    if (expect && h->minor == 1) {
        h->expect_100 = str_eq_nocase(expect, "100-continue");
        h->expectation = !h->expect_100;
    }
    return 0;
}

int http_parse_request(const char *bytes, size_t len, struct http_head *out, int *status,
                       struct err *e)
{
    *out = (struct http_head){0};
    if (!parse_request(bytes, len, out, status, e))
        return 0;
    http_head_release(out);
    return -1;
}

int http_parse_response(const char *bytes, size_t len, const char *request_method,
                        struct http_head *out, struct err *e)
{
    char *line;

    *out = (struct http_head){0};
    if (parse_lines(bytes, len, out, &line, NULL, e) || parse_status_line(line, out, e) ||
        parse_framing(out, NULL, e)) {
        http_head_release(out);
        return -1;
    }
    if (str_eq(request_method, "HEAD") || out->status < 200 || out->status == 204 ||
        out->status == 304)
        out->body = HTTP_BODY_NONE;
    else if (out->body == HTTP_BODY_NONE && !http_header(out, "Content-Length"))
        out->body = HTTP_BODY_CLOSE;
    if (out->body == HTTP_BODY_CLOSE)
        out->keep_alive = false;
    return 0;
}

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {100, "Continue"                       },
    {101, "Switching Protocols"            },
    {200, "OK"                             },
    {201, "Created"                        },
    {204, "No Content"                     },
    {304, "Not Modified"                   },
    {400, "Bad Request"                    },
    {401, "Unauthorized"                   },
    {403, "Forbidden"                      },
    {404, "Not Found"                      },
    {409, "Conflict"                       },
    {417, "Expectation Failed"             },
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"          },
    {501, "Not Implemented"                },
    {503, "Service Unavailable"            },
    {505, "HTTP Version Not Supported"     },
};

const char *http_reason(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}

/* ---------------------------------------------------------------- building */

static void add_clean(struct buf *out, const char *s)
{
    for (size_t n; *s; s += n) {
        n = 0;
        while ((unsigned char)s[n] >= 0x20 && s[n] != 0x7f)
            n++;
        buf_add(out, s, n);
        if (s[n]) {
            buf_add(out, " ", 1);
            n++;
        }
    }
}

void http_start_request(struct buf *out, const char *method, const char *target)
{
    add_clean(out, method);
    buf_add(out, " ", 1);
    add_clean(out, target);
    buf_addf(out, " HTTP/1.1\r\n");
}

void http_start_response(struct buf *out, int status, const char *reason)
{
    buf_addf(out, "HTTP/1.1 %d ", status);
    add_clean(out, reason ? reason : http_reason(status));
    buf_add(out, "\r\n", 2);
}

void http_add_header(struct buf *out, const char *name, const char *value)
{
    add_clean(out, name);
    buf_add(out, ": ", 2);
    add_clean(out, value);
    buf_add(out, "\r\n", 2);
}

void http_add_headerf(struct buf *out, const char *name, const char *fmt, ...)
{
    cleanup_free char *value = NULL;
    va_list ap;

    va_start(ap, fmt);
    value = str_vprintf(fmt, ap);
    va_end(ap);
    http_add_header(out, name, value);
}

void http_end_head(struct buf *out)
{
    buf_add(out, "\r\n", 2);
}

void http_escape(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            strchr("-._~", c))
            buf_add(out, text, 1);
        else
            buf_addf(out, "%%%02X", c);
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int http_unescape(const char *text, size_t n, bool plus, char *out, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        int high, low;

        if (text[i] == '+' && plus) {
            *out++ = ' ';
            continue;
        }
        if (text[i] != '%') {
            *out++ = text[i];
            continue;
        }
        high = n - i > 2 ? hex_value(text[i + 1]) : -1;
        low = n - i > 2 ? hex_value(text[i + 2]) : -1;
        if (high < 0 || low < 0)
            return err_set(e, ERR_INVALID, "invalid URL escape \"%.*s\"",
                           (int)(n - i < 3 ? n - i : 3), text + i);
        if (high == 0 && low == 0)
            return err_set(e, ERR_INVALID, "invalid URL escape \"%%00\"");
        *out++ = (char)(high * 16 + low);
        i += 2;
    }
    *out = '\0';
    return 0;
}
