/*
 * shell: a command line to words, as Compose reads `command: a "b c"`.
 *
 * Quotes and backslashes and nothing else: a backslash outside single quotes takes the next
 * character as it is, also where POSIX would keep it.  Operators of a shell (; | & < >) outside of
 * quotes are refused: Compose drops the rest of the line there, which nobody means.  A text without
 * words is an empty list, which clears the image's command.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "compose/compose_internal.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* One quoted part; *p is after the opening quote, and after the closing one when it returns. */
static int quoted(const char **p, char quote, struct buf *word, struct err *e)
{
    const char *s = *p;

    for (; *s && *s != quote; s++) {
        if (quote == '"' && *s == '\\' && s[1])
            s++;
        buf_add(word, s, 1);
    }
    if (!*s)
        return err_set(e, ERR_INVALID, "the quote %c is never closed", quote);
    *p = s + 1;
    return 0;
}

int shell_split(const char *s, struct strv *out, struct err *e)
{
    cleanup_buf struct buf word = BUF_INIT(YAML_MAX_BYTES);
    bool in_word = false;

    for (;;) {
        if (!*s || is_space(*s)) {
            if (in_word)
                strv_add(out, word.data);
            buf_reset(&word);
            in_word = false;
            if (!*s)
                return 0;
            s++;
            continue;
        }
        if (strchr(";|&<>", *s))
            return err_set(e, ERR_INVALID,
                           "no shell runs this, so '%c' must be quoted; or write [sh, -c, \"...\"]",
                           *s);
        in_word = true;
        if (*s == '\'' || *s == '"') {
            char quote = *s++;

            if (quoted(&s, quote, &word, e))
                return -1;
        } else if (*s == '\\') {
            if (!s[1])
                return err_set(e, ERR_INVALID, "nothing follows the last backslash");
            if (s[1] != '\n')
                buf_add(&word, s + 1, 1);
            s += 2;
        } else {
            buf_add(&word, s++, 1);
        }
    }
}
