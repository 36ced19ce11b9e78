/*
 * log_attrs: see log_attrs.h.
 *
 * A tag is a Go template for dockerd.  Here it is text with {{.Field}} in it, for the fields that
 * dockerd documents; pipelines and functions are refused rather than printed as they stand.
 */
#include "logdrivers/log_attrs.h"

#include <regex.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

#define SHORT_ID 12

enum tag_field {
    TAG_ID,
    TAG_FULL_ID,
    TAG_NAME,
    TAG_IMAGE_ID,
    TAG_IMAGE_FULL_ID,
    TAG_IMAGE_NAME,
    TAG_DAEMON_NAME,
};

static const struct {
    const char *text;
    enum tag_field field;
} tag_fields[] = {
    {".ID",          TAG_ID           },
    {".FullID",      TAG_FULL_ID      },
    {".Name",        TAG_NAME         },
    {".ImageID",     TAG_IMAGE_ID     },
    {".ImageFullID", TAG_IMAGE_FULL_ID},
    {".ImageName",   TAG_IMAGE_NAME   },
    {".DaemonName",  TAG_DAEMON_NAME  },
};

static void add_text(struct buf *out, const char *s)
{
    buf_add(out, s, strlen(s));
}

static void add_tag_field(enum tag_field field, const struct log_attrs_source *src, struct buf *out)
{
    const char *image_id = src->image_id ? src->image_id : "";

    switch (field) {
    case TAG_ID:
        buf_add(out, src->id, strnlen(src->id, SHORT_ID));
        break;
    case TAG_FULL_ID:
        add_text(out, src->id);
        break;
    case TAG_NAME:
        add_text(out, src->name);
        break;
    case TAG_IMAGE_ID:
        buf_add(out, image_id, strnlen(image_id, SHORT_ID)); /* "sha256:cee3d", as in dockerd */
        break;
    case TAG_IMAGE_FULL_ID:
        add_text(out, src->image_id ? src->image_id : "");
        break;
    case TAG_IMAGE_NAME:
        add_text(out, src->image ? src->image : "");
        break;
    case TAG_DAEMON_NAME:
        add_text(out, "docker"); /* what dockerd answers here; scripts match it */
        break;
    }
}

/* src and out NULL: only looks whether the template can be used. */
static int render_tag(const char *tag, const struct log_attrs_source *src, struct buf *out,
                      struct err *e)
{
    static const struct log_attrs_source nobody = {.id = "", .name = ""};
    const char *open, *close;

    for (;; tag = close + 2) {
        cleanup_free char *name = NULL;
        size_t i = 0;

        open = strstr(tag, "{{");
        buf_add(out, tag, open ? (size_t)(open - tag) : strlen(tag));
        if (!open)
            return 0;
        close = strstr(open, "}}");
        if (!close)
            return err_set(e, ERR_INVALID, "log opt tag: unclosed action in template %s", tag);
        name = str_ndup(open + 2, (size_t)(close - open - 2));
        while (i < ARRAY_LEN(tag_fields) && !str_eq(tag_fields[i].text, str_trim(name)))
            i++;
        if (i == ARRAY_LEN(tag_fields))
            return err_set(e, ERR_INVALID, "log opt tag: unsupported template action {{%s}}", name);
        add_tag_field(tag_fields[i].field, src ? src : &nobody, out);
    }
}

static int compile(const struct kvs *opts, const char *key, regex_t *re, bool *set, struct err *e)
{
    const char *text = kvs_get(opts, key);
    char why[128];
    int r;

    *set = false;
    if (str_empty(text))
        return 0;
    r = regcomp(re, text, REG_EXTENDED | REG_NOSUB);
    if (r) {
        regerror(r, re, why, sizeof(why));
        return err_set(e, ERR_INVALID, "log opt %s: %s: %s", key, text, why);
    }
    *set = true;
    return 0;
}

int log_attrs_check(const struct kvs *opts, struct err *e)
{
    static const char *const patterns[] = {"labels-regex", "env-regex"};
    cleanup_buf struct buf scratch = BUF_INIT(LOG_ATTRS_MAX);
    const char *tag = kvs_get(opts, "tag");

    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        regex_t re;
        bool set;

        if (compile(opts, patterns[i], &re, &set, e))
            return -1;
        if (set)
            regfree(&re);
    }
    return tag ? render_tag(tag, NULL, &scratch, e) : 0;
}

/* One of labels/env: the names listed in opts[key], and those that opts[key-regex] matches. */
static int pick(const struct kvs *opts, const char *key, const char *regex_key,
                const struct kvs *from, struct kvs *attrs, struct err *e)
{
    cleanup_strv struct strv names = {0};
    const char *list = kvs_get(opts, key);
    regex_t re;
    bool has_re;

    if (!str_empty(list))
        strv_split(&names, list, ',');
    for (size_t i = 0; i < names.n; i++) {
        const char *v = kvs_get(from, str_trim(names.v[i]));

        if (v)
            kvs_set(attrs, str_trim(names.v[i]), v);
    }
    if (compile(opts, regex_key, &re, &has_re, e))
        return -1;
    if (!has_re)
        return 0;
    for (size_t i = 0; i < from->n; i++)
        if (regexec(&re, from->v[i].k, 0, NULL, 0) == 0)
            kvs_set(attrs, from->v[i].k, from->v[i].v);
    regfree(&re);
    return 0;
}

static void split_env(const struct strv *env, struct kvs *out)
{
    for (size_t i = 0; i < env->n; i++) {
        const char *eq = strchr(env->v[i], '=');
        cleanup_free char *k = NULL;

        if (!eq)
            continue;
        k = str_ndup(env->v[i], (size_t)(eq - env->v[i]));
        kvs_set(out, k, eq + 1);
    }
}

int log_tag_render(const struct kvs *opts, const char *fallback, const struct log_attrs_source *src,
                   struct buf *out, struct err *e)
{
    const char *tag = kvs_get(opts, "tag");

    return render_tag(str_empty(tag) ? fallback : tag, src, out, e) ||
                   buf_check(out, "the log tag", e)
               ? -1
               : 0;
}

int log_attrs_pick(const struct kvs *opts, const struct log_attrs_source *src, struct kvs *attrs,
                   struct err *e)
{
    cleanup_kvs struct kvs env = {0};
    static const struct kvs none;

    if (src->env)
        split_env(src->env, &env);
    return pick(opts, "labels", "labels-regex", src->labels ? src->labels : &none, attrs, e) ||
                   pick(opts, "env", "env-regex", &env, attrs, e)
               ? -1
               : 0;
}

int log_attrs_build(const struct kvs *opts, const struct log_attrs_source *src, struct buf *out,
                    struct err *e)
{
    cleanup_kvs struct kvs attrs = {0};
    const char *tag = kvs_get(opts, "tag");
    struct jsonw w = JSONW_INIT(out);

    if (log_attrs_pick(opts, src, &attrs, e))
        return -1;
    if (!str_empty(tag)) {
        cleanup_buf struct buf text = BUF_INIT(LOG_ATTRS_MAX);

        if (log_tag_render(opts, "", src, &text, e))
            return -1;
        kvs_set(&attrs, "tag", text.data);
    }
    if (attrs.n == 0)
        return 0;
    kvs_sort(&attrs); /* as Go prints a map */
    jsonw_kvs(&w, &attrs);
    return buf_check(out, "log attributes", e);
}
