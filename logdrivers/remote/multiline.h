/*
 * multiline: which line begins an event of several lines.
 *
 * awslogs-multiline-pattern is a regular expression of Go's, awslogs-datetime-format a strftime()
 * format for the time that such a line has in it.  Both become a POSIX extended expression: \d, \D
 * and (?: are translated, the rest of what Go knows beyond POSIX is refused by regcomp().
 */
#pragma once

#include <regex.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct multiline {
    bool on;
    regex_t re;
};

int multiline_init(struct multiline *m, const struct kvs *opts, struct err *e) MUST_USE;
bool multiline_begins(const struct multiline *m, const char *line, size_t len);
void multiline_release(struct multiline *m);
