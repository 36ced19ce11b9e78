/* request: path, query, JSON body.  See request.h. */
#include "api/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FORM_MAX (1 << 20)

/* ------------------------------------------------------------------- query */

static void add_pair(struct query *q, const char *key, const char *value)
{
    if (q->n % 8 == 0)
        q->v = xrealloc(q->v, (q->n + 8) * sizeof(*q->v));
    q->v[q->n++] = (struct query_pair){key, value};
}

int query_parse(const char *text, size_t len, struct query *out, struct err *e)
{
    char *to;

    *out = (struct query){.text = xmalloc(2 * len + 4)};
    to = out->text;
    while (len > 0) {
        const char *amp = memchr(text, '&', len);
        size_t n = amp ? (size_t)(amp - text) : len;
        const char *eq = memchr(text, '=', n);
        size_t key_len = eq ? (size_t)(eq - text) : n;
        char *key = to, *value;

        if (n > 0) {
            if (http_unescape(text, key_len, true, key, e))
                return -1;
            value = key + strlen(key) + 1;
            if (eq && http_unescape(eq + 1, n - key_len - 1, true, value, e))
                return -1;
            if (!eq)
                *value = '\0';
            to = value + strlen(value) + 1;
            add_pair(out, key, value);
        }
        text += n + (amp ? 1 : 0);
        len -= n + (amp ? 1 : 0);
    }
    return 0;
}

void query_release(struct query *q)
{
    free(q->text);
    free(q->v);
    *q = (struct query){0};
}

static const char *find(const struct query *q, const char *key)
{
    for (size_t i = 0; i < q->n; i++)
        if (strcmp(q->v[i].key, key) == 0)
            return q->v[i].value;
    return NULL;
}

const char *query_get(const struct request *rq, const char *key)
{
    const char *value = find(&rq->form, key);

    return value ? value : find(&rq->query, key);
}

const char *query_str(const struct request *rq, const char *key)
{
    const char *value = query_get(rq, key);

    return value ? value : "";
}

void query_all(const struct request *rq, const char *key, struct strv *out)
{
    const struct query *both[] = {&rq->form, &rq->query};

    for (size_t k = 0; k < ARRAY_LEN(both); k++)
        for (size_t i = 0; i < both[k]->n; i++)
            if (strcmp(both[k]->v[i].key, key) == 0)
                strv_add(out, both[k]->v[i].value);
}

bool docker_bool(const char *text)
{
    static const char *const no[] = {"", "0", "no", "false", "none"};
    cleanup_free char *copy = xstrdup(text);
    const char *trimmed = str_trim(copy);

    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        if (str_eq_nocase(trimmed, no[i]))
            return false;
    return true;
}

bool query_bool(const struct request *rq, const char *key, bool missing)
{
    const char *value = query_get(rq, key);

    return value ? docker_bool(value) : missing;
}

int query_int(const struct request *rq, const char *key, int64_t *out, struct err *e)
{
    const char *value = query_str(rq, key);

    if (!*value)
        return 0;
    if (parse_i64(value[0] == '+' ? value + 1 : value, INT64_MIN, INT64_MAX, key, out, ERR_IGNORE))
        return err_set(e, ERR_INTERNAL, "strconv.Atoi: parsing \"%s\": invalid syntax", value);
    return 0;
}

#define SECONDS_MAX 9000000000 /* whose nanoseconds fit */

int parse_unix_time(const char *text, int64_t *out, struct err *e)
{
    const char *dot = strchr(text, '.');
    cleanup_free char *seconds = str_ndup(text, dot ? (size_t)(dot - text) : strlen(text));
    int64_t s, ns = 0, unit = 100000000;

    if (parse_i64(seconds, INT64_MIN, INT64_MAX, "time", &s, ERR_IGNORE))
        return err_set(e, ERR_INTERNAL, "strconv.ParseInt: parsing \"%s\": invalid syntax",
                       seconds);
    if (dot && !dot[1])
        return err_set(e, ERR_INTERNAL, "strconv.ParseInt: parsing \"\": invalid syntax");
    if (s > SECONDS_MAX || s < -SECONDS_MAX) /* nothing is as late, or as early, as that */
        s = s > 0 ? SECONDS_MAX : -SECONDS_MAX;
    for (const char *p = dot ? dot + 1 : ""; *p; p++, unit /= 10) {
        if (*p < '0' || *p > '9')
            return err_set(e, ERR_INTERNAL, "strconv.ParseInt: parsing \"%s\": invalid syntax",
                           dot + 1);
        ns += (*p - '0') * unit;
    }
    *out = s * 1000000000 + ns;
    return 0;
}

int query_time(const struct request *rq, const char *key, int64_t *out, struct err *e)
{
    const char *value = query_str(rq, key);

    return *value ? parse_unix_time(value, out, e) : 0;
}

/* ----------------------------------------------------------------- request */

int request_init(struct request *rq, const struct http_head *head, struct err *e)
{
    const char *mark = strchr(head->target, '?');
    size_t path_len = mark ? (size_t)(mark - head->target) : strlen(head->target);

    rq->head = head;
    rq->version = API_MINOR_MAX;
    rq->res.extra = BUF_INIT(HTTP_HEAD_MAX);
    rq->path = xmalloc(path_len + 1);
    if (http_unescape(head->target, path_len, false, rq->path, e))
        return -1;
    return mark ? query_parse(mark + 1, strlen(mark + 1), &rq->query, e) : 0;
}

/* Like Go's ParseForm: an urlencoded body is read for every request that may have one. */
int request_read_form(struct request *rq, struct err *e)
{
    const char *type = http_header(rq->head, "Content-Type");
    cleanup_buf struct buf text = BUF_INIT(FORM_MAX);

    if (!type || strncmp(type, "application/x-www-form-urlencoded", 33) != 0)
        return 0;
    if (http_body_read_all(&rq->body, &text, e))
        return -1;
    return query_parse(text.data, text.len, &rq->form, e);
}

int request_set_args(struct request *rq, const struct route_args *args)
{
    for (size_t i = 0; i < args->n; i++)
        rq->arg[i] = str_ndup(args->arg[i].at, args->arg[i].len);
    return 0;
}

void request_release(struct request *rq)
{
    free(rq->path);
    for (size_t i = 0; i < ARRAY_LEN(rq->arg); i++)
        free(rq->arg[i]);
    query_release(&rq->query);
    query_release(&rq->form);
    buf_release(&rq->res.extra);
}

bool request_upgrades(const struct request *rq)
{
    return http_header(rq->head, "Upgrade") != NULL;
}

/* -------------------------------------------------------------------- JSON */

static bool is_json_type(const char *type)
{
    static const char want[] = "application/json";
    size_t n = sizeof(want) - 1;

    for (size_t i = 0; i < n; i++)
        if ((type[i] | 0x20) != (want[i] | 0x20))
            return false;
    type += n;
    type += strspn(type, " \t");
    return *type == '\0' || *type == ';';
}

static int check_content_type(const struct request *rq, struct err *e)
{
    const char *type = http_header(rq->head, "Content-Type");

    if (!type && rq->head->body == HTTP_BODY_NONE)
        return 0;
    if (type && is_json_type(type))
        return 0;
    return err_set(e, ERR_INVALID,
                   "unsupported Content-Type header (%s): must be 'application/json'",
                   type ? type : "");
}

/*
 * Where the first JSON value ends: enough of the grammar to tell "more after it" and "cut short"
 * from every other mistake, which Docker's clients see in different words.
 */
static size_t value_end(const char *s, size_t n, bool *complete)
{
    size_t depth = 0, i = 0;
    bool in_string = false;

    *complete = true;
    for (; i < n; i++) {
        char c = s[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            if (!in_string && depth == 0)
                return i + 1;
            continue;
        }
        if (c == '"')
            in_string = true;
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth > 0 && --depth == 0)
            return i + 1;
        else if (depth == 0 && strchr(" \t\r\n{}[],:\"", c) && c)
            return i;
    }
    *complete = depth == 0 && !in_string;
    return n;
}

static int parse_json(const char *text, size_t len, struct json_doc *out, struct err *e)
{
    size_t start = strspn(text, " \t\r\n");
    bool complete;
    size_t end;

    if (start >= len)
        return err_set(e, ERR_INVALID, "invalid JSON: got EOF while reading request body");
    end = start + value_end(text + start, len - start, &complete);
    if (!complete)
        return err_set(e, ERR_INVALID, "invalid JSON: unexpected EOF");
    if (json_parse(text + start, end > start ? end - start : len - start, out, e))
        return err_wrap(e, "invalid JSON");
    if (end + strspn(text + end, " \t\r\n") < len) {
        json_release(out);
        return err_set(e, ERR_INVALID, "unexpected content after JSON");
    }
    return 0;
}

int request_json(struct request *rq, bool required, struct json_doc *out, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(REQUEST_JSON_MAX);

    *out = (struct json_doc){0};
    if (check_content_type(rq, e))
        return -1;
    if (rq->head->body == HTTP_BODY_NONE && !required)
        return 0;
    if (http_body_read_all(&rq->body, &text, e))
        return -1;
    return parse_json(text.data, text.len, out, e);
}
