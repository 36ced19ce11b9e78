/* path: paths as text, with '/'.  Nothing here looks at a file system. */
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

/* Drops the last component of out, but never a leading "..". */
static bool drop_last(struct buf *out, bool absolute)
{
    size_t n = out->len;

    while (n > 0 && out->data[n - 1] != '/')
        n--;
    if (out->len == 0 || strcmp(out->data + n, "..") == 0)
        return absolute; /* above the root is the root */
    if (n > 0)
        n--;
    out->len = n;
    out->data[n] = '\0';
    return true;
}

char *path_clean(const char *p)
{
    bool absolute = *p == '/';
    cleanup_buf struct buf out = BUF_INIT(strlen(p) + 1);

    while (*p) {
        size_t n = strcspn(p, "/");

        if (n == 2 && p[0] == '.' && p[1] == '.') {
            if (!drop_last(&out, absolute))
                buf_addf(&out, "%s..", out.len ? "/" : "");
        } else if (n > 0 && !(n == 1 && p[0] == '.')) {
            if (out.len || absolute)
                buf_add(&out, "/", out.len ? 1 : 0);
            buf_add(&out, p, n);
        }
        p += n + (p[n] == '/');
    }
    if (absolute)
        return str_printf("/%s", out.data);
    return out.len ? buf_take(&out) : xstrdup(".");
}

char *path_join(const char *a, const char *b)
{
    cleanup_free char *both = str_printf("%s%s%s", a, *a && *b ? "/" : "", b);

    return path_clean(both);
}

const char *path_base(const char *p)
{
    const char *slash = strrchr(p, '/');

    return slash ? slash + 1 : p;
}

char *path_dir(const char *p)
{
    cleanup_free char *dir = str_ndup(p, (size_t)(path_base(p) - p));

    return path_clean(dir);
}
