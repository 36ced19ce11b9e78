/*
 * reference: the parser of image names.
 *
 * A name is split at its first '/', if what stands before it looks like a host; the rest follows
 * the grammar of distribution's reference/regexp.go.  Texts of errors are that package's, since
 * clients print and match them.  Everything is checked left to right by hand: a regular expression
 * would tell nobody which part is wrong, and the grammar fits on one screen.
 */
#include "images/reference.h"

#include <ctype.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

#define NAME_MAX_LEN 255
#define TAG_MAX_LEN  128

static const char DEFAULT_DOMAIN[] = "docker.io";
static const char LEGACY_DOMAIN[] = "index.docker.io";
static const char OFFICIAL[] = "library/";

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool has_upper(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] >= 'A' && s[i] <= 'Z')
            return true;
    return false;
}

/* [a-z0-9]+ ( ( [_.] | "__" | "-"+ ) [a-z0-9]+ )* */
static bool path_component_ok(const char *s, size_t n)
{
    size_t i = 0;

    for (;;) {
        size_t start = i;

        while (i < n && is_lower_alnum(s[i]))
            i++;
        if (i == start)
            return false;
        if (i == n)
            return true;
        if (s[i] == '.') {
            i++;
        } else if (s[i] == '_') {
            i++;
            if (i < n && s[i] == '_')
                i++;
        } else if (s[i] == '-') {
            while (i < n && s[i] == '-')
                i++;
        } else {
            return false;
        }
    }
}

static bool path_ok(const char *s, size_t n)
{
    size_t start = 0;

    for (size_t i = 0; i <= n; i++) {
        if (i < n && s[i] != '/')
            continue;
        if (!path_component_ok(s + start, i - start))
            return false;
        start = i + 1;
    }
    return true;
}

static bool port_ok(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9')
            return false;
    return n > 0;
}

static bool host_label_ok(const char *s, size_t n)
{
    if (n == 0 || !is_alnum(s[0]) || !is_alnum(s[n - 1]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_alnum(s[i]) && s[i] != '-')
            return false;
    return true;
}

/* host labels or "[ipv6]", then an optional port */
static bool domain_ok(const char *s)
{
    size_t n = strlen(s), start = 0;

    if (s[0] == '[') {
        const char *end = strchr(s, ']');

        if (!end || end == s + 1)
            return false;
        for (const char *p = s + 1; p < end; p++)
            if (!isxdigit((unsigned char)*p) && *p != ':')
                return false;
        return end[1] == '\0' || (end[1] == ':' && port_ok(end + 2, strlen(end + 2)));
    }
    for (size_t i = 0; i <= n; i++) {
        if (i < n && s[i] != '.' && s[i] != ':')
            continue;
        if (!host_label_ok(s + start, i - start))
            return false;
        if (s[i] == ':')
            return port_ok(s + i + 1, n - i - 1);
        start = i + 1;
    }
    return true;
}

static bool tag_ok(const char *s, size_t n)
{
    if (n == 0 || n > TAG_MAX_LEN || (!is_alnum(s[0]) && s[0] != '_'))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_alnum(s[i]) && s[i] != '_' && s[i] != '.' && s[i] != '-')
            return false;
    return true;
}

static int digest_check(const char *s, struct err *e)
{
    const char *colon = strchr(s, ':');

    if (!colon || colon == s || strlen(colon + 1) < 32)
        return err_set(e, ERR_INVALID, "invalid reference format");
    for (const char *p = colon + 1; *p; p++)
        if (!isxdigit((unsigned char)*p))
            return err_set(e, ERR_INVALID, "invalid reference format");
    if (!str_starts(s, "sha256:"))
        return err_set(e, ERR_INVALID, "unsupported digest algorithm");
    if (strlen(colon + 1) != 64)
        return err_set(e, ERR_INVALID, "invalid checksum digest length");
    if (!digest_valid(s))
        return err_set(e, ERR_INVALID, "invalid checksum digest format");
    return 0;
}

static bool is_identifier(const char *s)
{
    if (strlen(s) != 64)
        return false;
    for (size_t i = 0; i < 64; i++)
        if (!(s[i] >= '0' && s[i] <= '9') && !(s[i] >= 'a' && s[i] <= 'f'))
            return false;
    return true;
}

/* What stands before the first '/' is a host when nothing else it could be has such letters. */
static bool looks_like_domain(const char *s, size_t n)
{
    return memchr(s, '.', n) || memchr(s, ':', n) || (n == 9 && !memcmp(s, "localhost", 9)) ||
           has_upper(s, n);
}

/* Sets the domain, and returns the rest with "library/" put in front where it belongs. */
static char *split_domain(const char *text, struct reference *r)
{
    const char *slash = strchr(text, '/');
    const char *rest = text;

    if (slash && looks_like_domain(text, (size_t)(slash - text))) {
        r->domain = str_ndup(text, (size_t)(slash - text));
        rest = slash + 1;
        if (str_eq(r->domain, LEGACY_DOMAIN))
            str_set(&r->domain, DEFAULT_DOMAIN);
    } else {
        r->domain = xstrdup(DEFAULT_DOMAIN);
    }
    if (str_eq(r->domain, DEFAULT_DOMAIN) && !strchr(rest, '/'))
        return str_printf("%s%s", OFFICIAL, rest);
    return xstrdup(rest);
}

static int parse_rest(const char *rest, struct reference *r, struct err *e)
{
    const char *at = strchr(rest, '@');
    size_t name_end = at ? (size_t)(at - rest) : strlen(rest);
    const char *colon = memchr(rest, ':', name_end);
    size_t path_len = colon ? (size_t)(colon - rest) : name_end;

    if (has_upper(rest, path_len))
        return err_set(e, ERR_INVALID,
                       "invalid reference format: repository name (%.*s) must be lowercase",
                       (int)path_len, rest);
    if (!domain_ok(r->domain) || !path_ok(rest, path_len))
        return err_set(e, ERR_INVALID, "invalid reference format");
    if (colon) {
        size_t n = (size_t)(rest + name_end - colon - 1);

        if (!tag_ok(colon + 1, n))
            return err_set(e, ERR_INVALID, "invalid reference format");
        r->tag = str_ndup(colon + 1, n);
    }
    if (at) {
        if (digest_check(at + 1, e))
            return -1;
        r->digest = xstrdup(at + 1);
    }
    if (strlen(r->domain) + 1 + path_len > NAME_MAX_LEN)
        return err_set(e, ERR_INVALID, "repository name must not be more than %d characters",
                       NAME_MAX_LEN);
    r->path = str_ndup(rest, path_len);
    return 0;
}

int reference_parse(const char *text, struct reference *out, struct err *e)
{
    struct reference r = {0};
    cleanup_free char *rest = NULL;

    if (is_identifier(text))
        return err_set(e, ERR_INVALID,
                       "invalid repository name (%s), cannot specify 64-byte hexadecimal strings",
                       text);
    rest = split_domain(text, &r);
    if (parse_rest(rest, &r, e)) {
        reference_release(&r);
        return -1;
    }
    *out = r;
    return 0;
}

void reference_release(struct reference *r)
{
    free(r->domain);
    free(r->path);
    free(r->tag);
    free(r->digest);
    *r = (struct reference){0};
}

void reference_copy(struct reference *dst, const struct reference *src)
{
    struct reference r = {str_dup_or_null(src->domain), str_dup_or_null(src->path),
                          str_dup_or_null(src->tag), str_dup_or_null(src->digest)};

    reference_release(dst);
    *dst = r;
}

void reference_default_tag(struct reference *r)
{
    if (!r->tag && !r->digest)
        r->tag = xstrdup("latest");
}

static char *with_suffixes(const struct reference *r, const char *name)
{
    return str_printf("%s%s%s%s%s", name, r->tag ? ":" : "", r->tag ? r->tag : "",
                      r->digest ? "@" : "", r->digest ? r->digest : "");
}

char *reference_canonical(const struct reference *r)
{
    cleanup_free char *name = str_printf("%s/%s", r->domain, r->path);

    return with_suffixes(r, name);
}

char *reference_familiar_name(const struct reference *r)
{
    const char *slash = strchr(r->path, '/');

    /* Without its host, "docker.io/my.org/x" would be read as x on the host my.org. */
    if (!str_eq(r->domain, DEFAULT_DOMAIN) ||
        (slash && looks_like_domain(r->path, (size_t)(slash - r->path))))
        return str_printf("%s/%s", r->domain, r->path);
    if (str_starts(r->path, OFFICIAL) && !strchr(r->path + strlen(OFFICIAL), '/')) {
        const char *name = r->path + strlen(OFFICIAL);

        /* Alone it would be taken for an ID, which is refused as a name. */
        return is_identifier(name) ? str_printf("%s/%s", r->domain, name) : xstrdup(name);
    }
    return xstrdup(r->path);
}

char *reference_familiar(const struct reference *r)
{
    cleanup_free char *name = reference_familiar_name(r);

    return with_suffixes(r, name);
}
