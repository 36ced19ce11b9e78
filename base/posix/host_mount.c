/* host_mount: which mount a path is on, by /proc/self/mountinfo (proc(5)). */
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/host.h"
#include "base/mem.h"
#include "base/str.h"

#define MOUNTINFO_MAX (64 * 1024 * 1024)

/* "\040" and the like, in place. */
static void unescape(char *s)
{
    char *out = s;

    for (; *s; s++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
            s[3] >= '0' && s[3] <= '7') {
            *out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
            s += 3;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
}

static bool is_below(const char *path, const char *point)
{
    size_t n = strlen(point);

    return str_eq(point, "/") ||
           (strncmp(path, point, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

/* "36 35 98:0 /root /point rw,noatime master:1 shared:2 - ext4 /dev/x rw" */
static void look_at_line(char *line, const char *path, char **point, enum host_propagation *is)
{
    cleanup_strv struct strv words = {0};
    enum host_propagation found = HOST_PRIVATE;

    strv_split(&words, line, ' ');
    if (words.n < 7)
        return;
    unescape(words.v[4]);
    /* The later of two on one place is the one that is seen. */
    if (!is_below(path, words.v[4]) || (*point && strlen(words.v[4]) < strlen(*point)))
        return;
    for (size_t i = 6; i < words.n && !str_eq(words.v[i], "-"); i++) {
        if (str_starts(words.v[i], "shared:"))
            found = HOST_SHARED;
        else if (str_starts(words.v[i], "master:") && found == HOST_PRIVATE)
            found = HOST_SLAVE;
    }
    str_set(point, words.v[4]);
    *is = found;
}

int host_mount_of(const char *path, char **point, enum host_propagation *is, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(MOUNTINFO_MAX);
    cleanup_strv struct strv lines = {0};
    cleanup_free char *real = NULL, *found = NULL;

    *is = HOST_PRIVATE;
    if (fs_real_path(path, &real, e) || fs_read("/proc/thread-self/mountinfo", &text, e))
        return -1;
    strv_split(&lines, text.data, '\n');
    for (size_t i = 0; i < lines.n; i++)
        look_at_line(lines.v[i], real, &found, is);
    if (!found)
        return err_set(e, ERR_INVALID, "Could not find source mount of %s", path);
    *point = take_ptr(found);
    return 0;
}
