/*
 * table: columns that align.
 *
 * Rows are collected and printed at the end; a cell's width is counted in characters of UTF-8, and
 * colours do not count.  The last column is never padded.  With --format json each row is an object
 * with the columns' keys instead.
 */
#pragma once

#include "base/str.h"
#include "cli/cli.h"

#define TABLE_COLUMNS 12

struct table {
    const char *const *keys;   /* for JSON */
    const char *const *titles; /* for people */
    size_t columns;
    struct strv cells;
    enum color *colors; /* one per cell */
    size_t n_colors;
};

void table_init(struct table *t, const char *const *keys, const char *const *titles,
                size_t columns);
void table_add(struct table *t, const char *cell);
void table_addc(struct table *t, enum color c, const char *cell);
void table_addf(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void table_print(const struct cli *cli, const struct table *t, bool json, bool titles);
void table_release(struct table *t);
#define cleanup_table CLEANUP(table_release)
