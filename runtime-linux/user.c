/* user: users and groups of an image.  See user.h. */
#include "runtime-linux/user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"

#define FILE_MAX_BYTES (10u << 20)
#define ID_MAX         2147483647LL

void user_release(struct user *u)
{
    free(u->groups);
    free(u->home);
    *u = (struct user){0};
}

/*
 * Only a file, and the one that was looked at: what a container puts there instead is not opened,
 * as to open a device can do things, and we may be outside of its device cgroup.  -1, errno.
 */
static int open_file(int root_fd, const char *path, int place)
{
    const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    char self[32];
    int fd;

    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", place);
    fd = open(self, flags);
    if (fd < 0) /* a new pid namespace, or no proc yet */
        fd = fs_open_in_root(root_fd, path, flags, 0, ERR_IGNORE);
    return fd;
}

/* What is missing, or no file, is an empty one. */
static int read_below(int root_fd, const char *path, struct buf *out, struct err *e)
{
    struct err why = ERR_INIT;
    cleanup_fd int place = fs_open_in_root(root_fd, path, O_PATH | O_CLOEXEC, 0, &why), fd = -1;
    char chunk[16384];
    struct stat st;
    ssize_t n;

    if (place < 0 && (why.os_code == ENOENT || why.os_code == ENOTDIR || why.kind == ERR_NOT_FOUND))
        return 0;
    if (place < 0) {
        *e = why;
        return err_wrap(e, "read the image's %s", path);
    }
    if (fstat(place, &st))
        return err_os(e, errno, "look at the image's %s", path);
    if (!S_ISREG(st.st_mode))
        return 0;
    fd = open_file(root_fd, path, place);
    if (fd < 0)
        return err_os(e, errno, "read the image's %s", path);
    while (!out->overflow && (n = read(fd, chunk, sizeof(chunk))) != 0) {
        if (n < 0)
            return err_os(e, errno, "read the image's %s", path);
        buf_add(out, chunk, (size_t)n);
    }
    return buf_check(out, path, e);
}

static bool number(const char *s, int64_t *out)
{
    return s && *s && parse_i64(s, INT64_MIN, INT64_MAX, "id", out, ERR_IGNORE) == 0;
}

/*
 * Next line of *text cut at its colons into at most n fields; missing fields are "".  The text is
 * cut up in place.
 */
static bool next_record(char **text, const char **fields, size_t n)
{
    char *line, *end;

    do {
        line = *text;
        if (!line || !*line)
            return false;
        end = strchr(line, '\n');
        *text = end ? end + 1 : line + strlen(line);
        if (end)
            *end = '\0';
        line = str_trim(line);
    } while (!*line || *line == '#');
    for (size_t i = 0; i < n; i++) {
        char *colon = line ? strchr(line, ':') : NULL;

        fields[i] = line ? line : "";
        if (colon && i + 1 < n)
            *colon++ = '\0';
        line = colon;
    }
    return true;
}

static void add_group(struct user *u, gid_t gid)
{
    for (size_t i = 0; i < u->n_groups; i++)
        if (u->groups[i] == gid)
            return;
    if (u->n_groups >= USER_GROUPS_MAX)
        return;
    u->groups = xrealloc(u->groups, (u->n_groups + 1) * sizeof(*u->groups));
    u->groups[u->n_groups++] = gid;
}

enum { PW_NAME, PW_PASSWORD, PW_UID, PW_GID, PW_GECOS, PW_HOME, PW_SHELL, PW_FIELDS };
enum { GR_NAME, GR_PASSWORD, GR_GID, GR_MEMBERS, GR_FIELDS };

/* The passwd entry of a name or number.  Returns its name (heap) or NULL. */
static char *find_user(char *passwd, const char *who, bool is_number, int64_t id, struct user *u)
{
    const char *f[PW_FIELDS];

    while (next_record(&passwd, f, PW_FIELDS)) {
        int64_t uid, gid;

        if (!number(f[PW_UID], &uid) || !number(f[PW_GID], &gid))
            continue;
        if (!str_eq(f[PW_NAME], who) && !(is_number && uid == id))
            continue;
        if (uid < 0 || uid > ID_MAX || gid < 0 || gid > ID_MAX)
            continue;
        u->uid = (uid_t)uid;
        u->gid = (gid_t)gid;
        if (!str_empty(f[PW_HOME]))
            str_set(&u->home, f[PW_HOME]);
        return xstrdup(f[PW_NAME]);
    }
    return NULL;
}

static bool is_member(const char *members, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = members; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, name, n) == 0 && (p[n] == ',' || p[n] == '\0'))
            return true;
    return false;
}

static void add_memberships(const char *group_file, const char *name, struct user *u)
{
    cleanup_free char *text = xstrdup(group_file);
    const char *f[GR_FIELDS];
    char *rest = text;
    int64_t gid;

    while (next_record(&rest, f, GR_FIELDS))
        if (is_member(f[GR_MEMBERS], name) && number(f[GR_GID], &gid) && gid >= 0 && gid <= ID_MAX)
            add_group(u, (gid_t)gid);
}

static int find_group(const char *group_file, const char *who, gid_t *out, struct err *e)
{
    cleanup_free char *text = xstrdup(group_file);
    const char *f[GR_FIELDS];
    char *rest = text;
    int64_t id = 0, gid;
    bool is_number = number(who, &id);

    while (next_record(&rest, f, GR_FIELDS)) {
        if (!number(f[GR_GID], &gid) || gid < 0 || gid > ID_MAX)
            continue;
        if (str_eq(f[GR_NAME], who) || (is_number && gid == id)) {
            *out = (gid_t)gid;
            return 0;
        }
    }
    if (!is_number)
        return err_set(e, ERR_NOT_FOUND,
                       "unable to find group %s: no matching entries in group file", who);
    if (id < 0 || id > ID_MAX)
        return err_set(e, ERR_INVALID, "uids and gids must be in range 0-2147483647");
    *out = (gid_t)id;
    return 0;
}

static int find_or_number(char *passwd, const char *who, struct user *u, char **name, struct err *e)
{
    int64_t id = 0;
    bool is_number = number(who, &id);

    *name = find_user(passwd, who, is_number, id, u);
    if (*name)
        return 0;
    if (!is_number)
        return err_set(e, ERR_NOT_FOUND,
                       "unable to find user %s: no matching entries in passwd file", who);
    if (id < 0 || id > ID_MAX)
        return err_set(e, ERR_INVALID, "uids and gids must be in range 0-2147483647");
    u->uid = (uid_t)id;
    return 0;
}

/* A missing home is "/": what Docker sets HOME to. */
static void default_home(struct user *u)
{
    if (!u->home)
        u->home = xstrdup("/");
}

int user_resolve(int root_fd, const char *text, const struct strv *extra, struct user *out,
                 struct err *e)
{
    cleanup_buf struct buf passwd = BUF_INIT(FILE_MAX_BYTES), group = BUF_INIT(FILE_MAX_BYTES);
    cleanup_user struct user u = {0};
    cleanup_free char *who = xstrdup(text), *name = NULL;
    char *group_text = strchr(who, ':');

    if (group_text)
        *group_text++ = '\0';
    if (read_below(root_fd, "/etc/passwd", &passwd, e) ||
        read_below(root_fd, "/etc/group", &group, e))
        return -1;
    if (find_or_number(passwd.data, *who ? who : "0", &u, &name, e))
        return -1;
    if (!str_empty(group_text)) {
        if (find_group(group.data, group_text, &u.gid, e))
            return -1;
        add_group(&u, u.gid);
    } else {
        add_group(&u, u.gid);
        if (name)
            add_memberships(group.data, name, &u);
    }
    for (size_t i = 0; extra && i < extra->n; i++) {
        gid_t gid;

        if (find_group(group.data, extra->v[i], &gid, e))
            return -1;
        add_group(&u, gid);
    }
    default_home(&u);
    *out = u;
    u = (struct user){0};
    return 0;
}

int user_numeric(int root_fd, int64_t uid, int64_t gid, const int64_t *groups, size_t n_groups,
                 struct user *out, struct err *e)
{
    cleanup_buf struct buf passwd = BUF_INIT(FILE_MAX_BYTES);
    cleanup_user struct user u = {0};
    cleanup_free char *name = NULL, *who = str_printf("%lld", (long long)uid);

    if (read_below(root_fd, "/etc/passwd", &passwd, e))
        return -1;
    name = find_user(passwd.data, who, true, uid, &u);
    u.uid = (uid_t)uid;
    u.gid = (gid_t)gid;
    for (size_t i = 0; i < n_groups; i++)
        add_group(&u, (gid_t)groups[i]);
    default_home(&u);
    *out = u;
    u = (struct user){0};
    return 0;
}
