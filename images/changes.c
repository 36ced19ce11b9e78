/* changes: see changes.h. */
#include "images/changes.h"

#include <ctype.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"

#define WORD_MAX (64 * 1024)

struct change {
    struct container_spec *config;
    const char *name; /* upper case */
    const char *rest;
    bool cmd_given; /* a CMD of these changes: ENTRYPOINT leaves it alone */
};

/* ---- words */

/* The next word, quotes and backslashes taken away; NULL at the end. */
static char *next_word(const char **p)
{
    cleanup_buf struct buf out = BUF_INIT(WORD_MAX);
    char quote = 0;

    while (isspace((unsigned char)**p))
        (*p)++;
    if (!**p)
        return NULL;
    for (; **p && (quote || !isspace((unsigned char)**p)); (*p)++) {
        char c = **p;

        if (c == quote)
            quote = 0;
        else if (!quote && (c == '"' || c == '\''))
            quote = c;
        else if (c == '\\' && quote != '\'' && (*p)[1])
            buf_add(&out, ++*p, 1);
        else
            buf_add(&out, *p, 1);
    }
    return buf_take(&out);
}

static void words(const char *text, struct strv *out)
{
    char *w;

    while ((w = next_word(&text)))
        strv_take(out, w);
}

/* ["a","b"], if that is what it is. */
static bool json_form(const char *text, struct strv *out)
{
    cleanup_json struct json_doc doc = {0};
    struct json root;

    if (text[0] != '[' || json_parse(text, strlen(text), &doc, ERR_IGNORE))
        return false;
    root = json_root(&doc);
    return json_typeof(&root) == JSON_ARRAY && !json_strv(&root, out, ERR_IGNORE);
}

/* A command: the list as given, or the text for a shell. */
static void command(const struct change *c, struct strv *out)
{
    strv_release(out);
    if (json_form(c->rest, out))
        return;
    strv_release(out);
    if (!*c->rest)
        return;
    if (c->config->shell.n)
        strv_copy(out, &c->config->shell);
    else {
        strv_add(out, "/bin/sh");
        strv_add(out, "-c");
    }
    strv_add(out, c->rest);
}

/* "K=V K2=V2", or "K the rest of the line". */
static int pairs(const struct change *c, struct kvs *out, struct err *e)
{
    cleanup_strv struct strv ws = {0};
    const char *eq;

    words(c->rest, &ws);
    if (ws.n == 0)
        return err_set(e, ERR_INVALID, "%s requires at least one argument", c->name);
    if (!strchr(ws.v[0], '=')) {
        const char *value = c->rest + strcspn(c->rest, " \t");

        if (ws.n < 2)
            return err_set(e, ERR_INVALID, "%s must have two arguments", c->name);
        kvs_set(out, ws.v[0], value + strspn(value, " \t"));
        return 0;
    }
    for (size_t i = 0; i < ws.n; i++) {
        cleanup_free char *key = NULL;

        eq = strchr(ws.v[i], '=');
        if (!eq)
            return err_set(e, ERR_INVALID,
                           "Syntax error - can't find = in \"%.100s\". Must be of the form: "
                           "name=value",
                           ws.v[i]);
        if (eq == ws.v[i])
            return err_set(e, ERR_INVALID, "%s names can not be blank", c->name);
        key = str_ndup(ws.v[i], (size_t)(eq - ws.v[i]));
        kvs_set(out, key, eq + 1);
    }
    return 0;
}

/* ---- instructions */

static int do_cmd(struct change *c, struct err *e)
{
    (void)e;
    command(c, &c->config->cmd);
    c->config->cmd_set = c->cmd_given = true;
    return 0;
}

static int do_entrypoint(struct change *c, struct err *e)
{
    (void)e;
    command(c, &c->config->entrypoint);
    c->config->entrypoint_set = true;
    if (!c->cmd_given) {
        strv_release(&c->config->cmd);
        c->config->cmd_set = false;
    }
    return 0;
}

static void set_env(struct strv *env, const char *key, const char *value)
{
    cleanup_free char *prefix = str_printf("%s=", key);

    for (size_t i = 0; i < env->n; i++)
        if (str_starts(env->v[i], prefix)) {
            free(env->v[i]);
            env->v[i] = str_printf("%s%s", prefix, value);
            return;
        }
    strv_addf(env, "%s%s", prefix, value);
}

static int do_env(struct change *c, struct err *e)
{
    cleanup_kvs struct kvs kvs = {0};

    if (pairs(c, &kvs, e))
        return -1;
    for (size_t i = 0; i < kvs.n; i++)
        set_env(&c->config->env, kvs.v[i].k, kvs.v[i].v);
    return 0;
}

static int do_label(struct change *c, struct err *e)
{
    cleanup_kvs struct kvs kvs = {0};

    if (pairs(c, &kvs, e))
        return -1;
    for (size_t i = 0; i < kvs.n; i++)
        kvs_set(&c->config->labels, kvs.v[i].k, kvs.v[i].v);
    return 0;
}

static void expose(struct container_spec *s, uint16_t port, enum proto proto)
{
    for (size_t i = 0; i < s->n_exposed; i++)
        if (s->exposed[i].port == port && s->exposed[i].proto == proto)
            return;
    *ARRAY_ADD(s->exposed, s->n_exposed) = (struct exposed_port){port, proto};
}

static int do_expose(struct change *c, struct err *e)
{
    cleanup_strv struct strv ws = {0};

    words(c->rest, &ws);
    if (ws.n == 0)
        return err_set(e, ERR_INVALID, "EXPOSE requires at least one argument");
    for (size_t i = 0; i < ws.n; i++) {
        uint16_t first, last;
        enum proto proto;

        if (port_parse(ws.v[i], &first, &last, &proto, ERR_IGNORE))
            return err_set(e, ERR_INVALID, "Invalid containerPort: %s", ws.v[i]);
        for (unsigned p = first; p <= last; p++)
            expose(c->config, (uint16_t)p, proto);
    }
    return 0;
}

static int one_argument(struct change *c, char **dst, struct err *e)
{
    cleanup_strv struct strv ws = {0};

    words(c->rest, &ws);
    if (ws.n != 1)
        return err_set(e, ERR_INVALID, "%s requires exactly one argument", c->name);
    str_set(dst, ws.v[0]);
    return 0;
}

static int do_user(struct change *c, struct err *e)
{
    return one_argument(c, &c->config->user, e);
}

static int do_stopsignal(struct change *c, struct err *e)
{
    return one_argument(c, &c->config->stop_signal, e);
}

static int do_workdir(struct change *c, struct err *e)
{
    cleanup_free char *dir = NULL, *joined = NULL;

    if (one_argument(c, &dir, e))
        return -1;
    if (path_is_abs(dir)) {
        joined = path_clean(dir);
    } else {
        const char *base = str_empty(c->config->working_dir) ? "/" : c->config->working_dir;

        joined = path_join(base, dir);
    }
    str_set(&c->config->working_dir, joined);
    return 0;
}

static int do_volume(struct change *c, struct err *e)
{
    cleanup_strv struct strv paths = {0};

    if (!json_form(c->rest, &paths)) {
        strv_release(&paths);
        words(c->rest, &paths);
    }
    if (paths.n == 0)
        return err_set(e, ERR_INVALID, "VOLUME requires at least one argument");
    for (size_t i = 0; i < paths.n; i++) {
        if (!*paths.v[i])
            return err_set(e, ERR_INVALID, "VOLUME specified can not be an empty string");
        if (!strv_has(&c->config->volumes, paths.v[i]))
            strv_add(&c->config->volumes, paths.v[i]);
    }
    return 0;
}

static int do_onbuild(struct change *c, struct err *e)
{
    if (!*c->rest)
        return err_set(e, ERR_INVALID, "ONBUILD requires at least one argument");
    strv_add(&c->config->on_build, c->rest);
    return 0;
}

/* One --option=value of HEALTHCHECK; 1 when the word is none. */
static int health_option(struct health_spec *h, const char *word, struct err *e)
{
    const struct {
        const char *prefix;
        int64_t *out;
    } durations[] = {
        {"--interval=",       &h->interval_ns      },
        {"--timeout=",        &h->timeout_ns       },
        {"--start-period=",   &h->start_period_ns  },
        {"--start-interval=", &h->start_interval_ns},
    };

    if (!str_starts(word, "--"))
        return 1;
    for (size_t i = 0; i < ARRAY_LEN(durations); i++)
        if (str_starts(word, durations[i].prefix))
            return parse_duration(word + strlen(durations[i].prefix), word, durations[i].out, e);
    if (str_starts(word, "--retries="))
        return parse_i64(word + strlen("--retries="), 0, INT32_MAX, word, &h->retries, e);
    return err_set(e, ERR_INVALID, "unknown flag: %.100s", word);
}

static int do_healthcheck(struct change *c, struct err *e)
{
    struct health_spec h = {.set = true};
    struct strv list = {0};

    for (;;) {
        size_t n = strcspn(c->rest, " \t");
        cleanup_free char *word = str_ndup(c->rest, n);
        int rc = health_option(&h, word, e);

        if (rc < 0)
            return -1;
        if (rc == 0) {
            c->rest += n + strspn(c->rest + n, " \t");
            continue;
        }
        if (str_eq_nocase(word, "NONE")) {
            strv_add(&h.test, "NONE");
            break;
        }
        if (!str_eq_nocase(word, "CMD"))
            return err_set(e, ERR_INVALID,
                           "Unknown type \"%.40s\" in HEALTHCHECK (try CMD or NONE)", word);
        c->rest += n + strspn(c->rest + n, " \t");
        if (!*c->rest)
            return err_set(e, ERR_INVALID, "Missing command after HEALTHCHECK CMD");
        if (json_form(c->rest, &list)) {
            strv_add(&h.test, "CMD");
            for (size_t i = 0; i < list.n; i++)
                strv_add(&h.test, list.v[i]);
        } else {
            strv_add(&h.test, "CMD-SHELL");
            strv_add(&h.test, c->rest);
        }
        strv_release(&list);
        break;
    }
    strv_release(&c->config->health.test);
    c->config->health = h;
    return 0;
}

static const struct {
    const char *name;
    int (*run)(struct change *c, struct err *e);
} instructions[] = {
    {"CMD",         do_cmd        },
    {"ENTRYPOINT",  do_entrypoint },
    {"ENV",         do_env        },
    {"EXPOSE",      do_expose     },
    {"HEALTHCHECK", do_healthcheck},
    {"LABEL",       do_label      },
    {"ONBUILD",     do_onbuild    },
    {"STOPSIGNAL",  do_stopsignal },
    {"USER",        do_user       },
    {"VOLUME",      do_volume     },
    {"WORKDIR",     do_workdir    },
};

static int apply_line(struct change *c, const char *line, struct err *e)
{
    cleanup_free char *copy = xstrdup(line);
    char *text = str_trim(copy);
    size_t n = strcspn(text, " \t");
    cleanup_free char *word = str_ndup(text, n);

    if (!*text)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(instructions); i++) {
        if (!str_eq_nocase(word, instructions[i].name))
            continue;
        c->name = instructions[i].name;
        c->rest = text + n + strspn(text + n, " \t");
        return instructions[i].run(c, e);
    }
    return err_set(e, ERR_INVALID, "%s is not a valid change command", word);
}

int changes_apply(struct container_spec *config, const struct strv *changes, struct err *e)
{
    struct change c = {.config = config};
    cleanup_free char *text = str_join((const char *const *)changes->v, changes->n, "\n");
    cleanup_strv struct strv lines = {0};

    strv_split(&lines, text, '\n'); /* one of them may be several */
    for (size_t i = 0; i < lines.n; i++)
        if (lines.v[i][strspn(lines.v[i], " \t\r")] && apply_line(&c, lines.v[i], e))
            return -1;
    return 0;
}
