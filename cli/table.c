/* table: see table.h. */
#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#define GAP 3

void table_init(struct table *t, const char *const *keys, const char *const *titles, size_t columns)
{
    *t = (struct table){.keys = keys, .titles = titles, .columns = columns};
}

void table_addc(struct table *t, enum color c, const char *cell)
{
    strv_add(&t->cells, cell ? cell : "");
    t->colors = xrealloc(t->colors, t->cells.n * sizeof *t->colors);
    t->colors[t->n_colors++] = c;
}

void table_add(struct table *t, const char *cell)
{
    table_addc(t, COLOR_NONE, cell);
}

void table_addf(struct table *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    cleanup_free char *text = str_vprintf(fmt, ap);
    va_end(ap);
    table_add(t, text);
}

void table_release(struct table *t)
{
    strv_release(&t->cells);
    free(t->colors);
    *t = (struct table){0};
}

static int width_of(const char *s)
{
    int n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void print_row(const struct cli *cli, const struct table *t, const int *widths,
                      const char *const *cells, const enum color *colors)
{
    size_t last = t->columns; /* no blanks at the end of a line */

    while (last > 1 && !*cells[last - 1])
        last--;
    for (size_t i = 0; i < last; i++) {
        int pad = i + 1 == last ? 0 : widths[i] - width_of(cells[i]) + GAP;
        enum color c = colors ? colors[i] : COLOR_NONE;

        printf("%s%s%s%*s", color_on(cli, c), cells[i], c ? color_off(cli) : "", pad, "");
    }
    printf("\n");
}

static void print_objects(const struct table *t)
{
    for (size_t row = 0; row + t->columns <= t->cells.n; row += t->columns) {
        cleanup_buf struct buf b = BUF_INIT(4 * 1024 * 1024);
        struct jsonw w = JSONW_INIT(&b);

        jsonw_obj(&w);
        for (size_t i = 0; i < t->columns; i++)
            jsonw_kstr(&w, t->keys[i], t->cells.v[row + i]);
        jsonw_end_obj(&w);
        printf("%s\n", b.data);
    }
}

void table_print(const struct cli *cli, const struct table *t, bool json, bool titles)
{
    int widths[TABLE_COLUMNS] = {0};

    if (json) {
        print_objects(t);
        return;
    }
    for (size_t i = 0; i < t->columns; i++) {
        widths[i] = titles ? width_of(t->titles[i]) : 0;
        for (size_t row = 0; row + t->columns <= t->cells.n; row += t->columns) {
            int n = width_of(t->cells.v[row + i]);

            widths[i] = n > widths[i] ? n : widths[i];
        }
    }
    if (titles)
        print_row(cli, t, widths, t->titles, NULL);
    for (size_t row = 0; row + t->columns <= t->cells.n; row += t->columns)
        print_row(cli, t, widths, (const char *const *)t->cells.v + row, t->colors + row);
}
