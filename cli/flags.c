/*
 * flags: docker's way of writing flags, by table.
 *
 *   --name=value  --name value  --switch  --switch=false  -n value  -nvalue  -it  --
 *
 * A switch never takes the next word.  Commands that run something stop at the first word that is
 * no flag, because the rest belongs to that something.
 */
#include <stdio.h>

#include "base/mem.h"
#include "cli/cli.h"

struct parse {
    const struct command *c;
    char *options;
    int argc, at;
    char **argv;
};

static const struct flag *by_name(const struct command *c, const char *name, size_t n)
{
    for (size_t i = 0; i < c->n_flags; i++)
        if (strlen(c->flags[i].name) == n && !strncmp(c->flags[i].name, name, n))
            return &c->flags[i];
    return NULL;
}

static const struct flag *by_letter(const struct command *c, char letter)
{
    for (size_t i = 0; i < c->n_flags; i++)
        if (c->flags[i].letter == letter)
            return &c->flags[i];
    return NULL;
}

static int set_bool(const struct flag *f, bool *out, const char *value, struct err *e)
{
    if (!value || str_eq(value, "true") || str_eq(value, "1")) {
        *out = true;
        return 0;
    }
    if (str_eq(value, "false") || str_eq(value, "0")) {
        *out = false;
        return 0;
    }
    return err_set(e, ERR_INVALID, "--%s: \"%s\" is neither true nor false", f->name, value);
}

static int set(struct parse *p, const struct flag *f, const char *value, struct err *e)
{
    void *at = p->options + f->offset;

    switch (f->kind) {
    case FLAG_BOOL:
        return set_bool(f, at, value, e);
    case FLAG_STR:
        str_set(at, value);
        return 0;
    case FLAG_LIST:
        strv_add(at, value);
        return 0;
    case FLAG_INT:
        return parse_i64(value, INT64_MIN, INT64_MAX, f->name, at, e);
    }
    return 0;
}

static int next_value(struct parse *p, const char *flag, const char **value, struct err *e)
{
    if (p->at >= p->argc)
        return err_set(e, ERR_INVALID, "flag needs an argument: %s", flag);
    *value = p->argv[p->at++];
    return 0;
}

static int long_flag(struct parse *p, const char *word, struct err *e)
{
    const char *name = word + 2, *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    const struct flag *f = by_name(p->c, name, n);
    const char *value = equals ? equals + 1 : NULL;

    if (!f)
        return err_set(e, ERR_INVALID, "unknown flag: --%.*s", (int)n, name);
    if (!value && f->kind != FLAG_BOOL && next_value(p, word, &value, e))
        return -1;
    return set(p, f, value, e);
}

/* "-it", "-p80:80", "-p 80:80" */
static int short_flags(struct parse *p, const char *word, struct err *e)
{
    for (const char *s = word + 1; *s; s++) {
        const struct flag *f = by_letter(p->c, *s);
        const char *value = s[1] == '=' ? s + 2 : s + 1;

        if (!f)
            return err_set(e, ERR_INVALID, "unknown shorthand flag: '%c' in %s", *s, word);
        if (f->kind == FLAG_BOOL) {
            if (s[1] == '=')
                return set(p, f, value, e);
            if (set(p, f, NULL, e))
                return -1;
            continue;
        }
        if (!*value && next_value(p, word, &value, e))
            return -1;
        return set(p, f, value, e);
    }
    return 0;
}

int flags_parse(const struct command *c, int argc, char **argv, void *options, struct strv *args,
                bool *help, struct err *e)
{
    struct parse p = {.c = c, .options = options, .argc = argc, .argv = argv};

    *help = false;
    while (p.at < p.argc) {
        const char *word = p.argv[p.at++];

        if (str_eq(word, "--")) {
            while (p.at < p.argc)
                strv_add(args, p.argv[p.at++]);
        } else if (str_eq(word, "--help") || (str_eq(word, "-h") && !by_letter(c, 'h'))) {
            *help = true;
            return 0;
        } else if (str_starts(word, "--")) {
            if (long_flag(&p, word, e))
                return -1;
        } else if (*word == '-' && word[1]) {
            if (short_flags(&p, word, e))
                return -1;
        } else {
            strv_add(args, word);
            while (c->stop_at_first && p.at < p.argc)
                strv_add(args, p.argv[p.at++]);
        }
    }
    if (args->n < c->min_args)
        return err_set(e, ERR_INVALID,
                       "\"ballast %s\" requires at least %zu argument%s; usage: "
                       "ballast %s %s",
                       c->name, c->min_args, c->min_args == 1 ? "" : "s", c->name, c->usage);
    if (args->n > c->max_args)
        return err_set(e, ERR_INVALID,
                       "\"ballast %s\" accepts at most %zu argument%s; usage: "
                       "ballast %s %s",
                       c->name, c->max_args, c->max_args == 1 ? "" : "s", c->name, c->usage);
    return 0;
}

void flags_release(const struct command *c, void *options)
{
    for (size_t i = 0; i < c->n_flags; i++) {
        void *at = (char *)options + c->flags[i].offset;

        if (c->flags[i].kind == FLAG_STR)
            str_set(at, NULL); /* two flags may share a place */
        else if (c->flags[i].kind == FLAG_LIST)
            strv_release(at);
    }
}

void command_help(const struct command *c)
{
    int width = 0;

    printf("Usage:  ballast %s %s\n\n%s\n", c->name, c->usage, c->summary);
    if (c->n_flags)
        printf("\nOptions:\n");
    for (size_t i = 0; i < c->n_flags; i++) {
        int n = (int)strlen(c->flags[i].name) +
                (c->flags[i].value ? 1 + (int)strlen(c->flags[i].value) : 0);

        width = n > width ? n : width;
    }
    for (size_t i = 0; i < c->n_flags; i++) {
        const struct flag *f = &c->flags[i];
        cleanup_free char *name =
            str_printf("%s%s%s", f->name, f->value ? " " : "", f->value ? f->value : "");
        char letter[5] = "    ";

        if (f->letter) {
            letter[0] = '-';
            letter[1] = f->letter;
            letter[2] = ',';
        }
        printf("  %s--%-*s   %s\n", letter, width, name, f->help);
    }
}
