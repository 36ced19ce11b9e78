/* multiline: see multiline.h. */
#include "logdrivers/remote/multiline.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define PATTERN_MAX (64 * 1024)

#define DIGITS(n)   "[0-9]{" #n "}"

static const struct {
    char letter;
    const char *pattern;
} times[] = {
    {'a', "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)"                                                     },
    {'A', "(Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"                        },
    {'w', "[0-6]"                                                                             },
    {'d', "(0[1-9]|[1-2][0-9]|3[0-1])"                                                        },
    {'b', "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"                                 },
    {'B',
     "(January|February|March|April|May|June|July|August|September|October|November|December)"},
    {'m', "(0[1-9]|1[0-2])"                                                                   },
    {'Y', DIGITS(4)                                                                           },
    {'y', DIGITS(2)                                                                           },
    {'H', "([0-1][0-9]|2[0-3])"                                                               },
    {'I', "(0[0-9]|1[0-2])"                                                                   },
    {'p', "[AP]M"                                                                             },
    {'M', "[0-5][0-9]"                                                                        },
    {'S', "[0-5][0-9]"                                                                        },
    {'f', DIGITS(6)                                                                           },
    {'z', "[+-]" DIGITS(4)                                                                    },
    {'Z', "[A-Z]{1,4}T"                                                                       },
    {'j', "(0[0-9][1-9]|[1-2][0-9][0-9]|3[0-5][0-9]|36[0-6])"                                 },
    {'L', "\\." DIGITS(3)                                                                     },
};

static void add(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

/* What is no conversion is a part of the expression, as for dockerd; an unknown one is nothing. */
static void from_time(const char *format, struct buf *out)
{
    for (; *format; format++) {
        if (*format != '%' || !format[1]) {
            buf_add(out, format, 1);
            continue;
        }
        format++;
        for (size_t i = 0; i < ARRAY_LEN(times); i++)
            if (times[i].letter == *format)
                add(out, times[i].pattern);
    }
}

static void from_go(const char *pattern, struct buf *out)
{
    bool set = false; /* inside of [] */

    for (const char *p = pattern; *p; p++) {
        if (*p == '\\' && p[1] == 'd') {
            add(out, set ? "0-9" : "[0-9]");
            p++;
        } else if (*p == '\\' && p[1] == 'D' && !set) {
            add(out, "[^0-9]");
            p++;
        } else if (*p == '\\' && p[1]) {
            buf_add(out, set ? p + 1 : p, set ? 1 : 2);
            p++;
        } else if (!set && str_starts(p, "(?:")) {
            add(out, "(");
            p += 2;
        } else {
            set = *p == '[' ? true : *p == ']' ? false : set;
            buf_add(out, p, 1);
        }
    }
}

int multiline_init(struct multiline *m, const struct kvs *opts, struct err *e)
{
    const char *format = kvs_get(opts, "awslogs-datetime-format");
    const char *pattern = kvs_get(opts, "awslogs-multiline-pattern");
    cleanup_buf struct buf text = BUF_INIT(PATTERN_MAX);
    char why[128];
    int r;

    if (str_empty(format) && str_empty(pattern))
        return 0;
    if (!str_empty(format))
        from_time(format, &text);
    else
        from_go(pattern, &text);
    if (buf_check(&text, "a multiline pattern", e))
        return -1;
    r = regcomp(&m->re, text.data, REG_EXTENDED | REG_NOSUB);
    if (r) {
        regerror(r, &m->re, why, sizeof(why));
        return err_set(e, ERR_INVALID,
                       "awslogs could not parse multiline pattern key \"%s\": error parsing "
                       "regexp: %s",
                       str_empty(format) ? pattern : format, why);
    }
    m->on = true;
    return 0;
}

bool multiline_begins(const struct multiline *m, const char *line, size_t len)
{
    cleanup_free char *text = str_ndup(line, len);

    return regexec(&m->re, text, 0, NULL, 0) == 0;
}

void multiline_release(struct multiline *m)
{
    if (m->on)
        regfree(&m->re);
    m->on = false;
}
