/* capture: what a function prints, as a string. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

struct capture {
    FILE *saved;
    char *text;
    size_t n;
};

static inline void capture_begin(struct capture *c)
{
    fflush(stdout);
    c->saved = stdout;
    stdout = open_memstream(&c->text, &c->n);
}

/* The caller frees it. */
static inline char *capture_end(struct capture *c)
{
    fclose(stdout);
    stdout = c->saved;
    return c->text;
}
