/* log_address: see log_address.h. */
#include "logdrivers/log_address.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void log_address_release(struct log_address *a)
{
    free(a->scheme);
    free(a->host);
    free(a->port);
    free(a->path);
    *a = (struct log_address){0};
}

static int bad(const char *text, const char *why, struct err *e)
{
    return err_set(e, ERR_INVALID, "parse \"%s\": %s", text, why);
}

/* Letters, digits, + - . and then a colon; what begins with something else has no scheme. */
static int take_scheme(const char *text, const char **rest, char **scheme, struct err *e)
{
    size_t n = 0;

    if (*text == ':')
        return bad(text, "missing protocol scheme", e);
    *rest = text;
    *scheme = xstrdup("");
    if (!isalpha((unsigned char)*text))
        return 0;
    while (text[n] && (isalnum((unsigned char)text[n]) || strchr("+-.", text[n])))
        n++;
    if (text[n] != ':')
        return 0;
    free(*scheme);
    *scheme = str_ndup(text, n);
    for (char *c = *scheme; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    *rest = text + n + 1;
    return 0;
}

/* ":port" at the end of a host, or nothing. */
static int take_port(const char *text, const char *colon, char **port, struct err *e)
{
    cleanup_free char *why = NULL;

    if (*colon && strspn(colon + 1, "0123456789") == strlen(colon + 1)) {
        *port = xstrdup(colon + 1);
        return 0;
    }
    if (!*colon) {
        *port = xstrdup("");
        return 0;
    }
    why = str_printf("invalid port \"%s\" after host", colon);
    return bad(text, why, e);
}

static int take_host(const char *text, const char *host, struct log_address *out, struct err *e)
{
    const char *at = strrchr(host, '@'), *end;

    if (at)
        host = at + 1;
    if (*host == '[') {
        end = strrchr(host, ']');
        if (!end)
            return bad(text, "missing ']' in host", e);
        out->host = str_ndup(host + 1, (size_t)(end - host - 1));
        return take_port(text, end + 1, &out->port, e);
    }
    end = strchr(host, ':');
    if (end && strchr(end + 1, ':')) /* the last one has the port, the first is what Go names */
        return take_port(text, strrchr(end, ':'), &out->port, e) ||
                       bad(text, "too many colons in address", e)
                   ? -1
                   : 0;
    if (!end)
        end = host + strlen(host);
    out->host = str_ndup(host, (size_t)(end - host));
    return take_port(text, end, &out->port, e);
}

static int parse(const char *text, struct log_address *out, struct err *e)
{
    cleanup_free char *host = NULL;
    const char *rest = NULL;
    size_t n;

    for (const char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c))
            return bad(text, "net/url: invalid control character in URL", e);
    if (take_scheme(text, &rest, &out->scheme, e))
        return -1;
    if (!str_starts(rest, "//")) {
        if (!*out->scheme && strcspn(rest, ":") < strcspn(rest, "/"))
            return bad(text, "first path segment in URL cannot contain colon", e);
        out->path = str_ndup(rest, strcspn(rest, "?#"));
        return 0;
    }
    rest += 2;
    n = strcspn(rest, "/?#");
    host = str_ndup(rest, n);
    out->path = str_ndup(rest + n, strcspn(rest + n, "?#"));
    return take_host(text, host, out, e);
}

int log_address_parse(const char *text, struct log_address *out, struct err *e)
{
    *out = (struct log_address){0};
    if (parse(text, out, e)) {
        log_address_release(out);
        return -1;
    }
    if (!out->host)
        out->host = xstrdup("");
    if (!out->port)
        out->port = xstrdup("");
    return 0;
}
