/*
 * config_security: settings that say how far containers are kept apart from the machine.
 *
 * userns-remap names a user and a group.  Their ranges in /etc/subuid and /etc/subgid (user:first:
 * count, subuid(5)) are the ids that containers get; data-root becomes its subdirectory
 * "<uid>.<gid>", as with dockerd, because the files of one range are not those of another.  Our map
 * has one range for both, so the two files have to agree.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config_table.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"

#define FILE_MAX (1 << 20)

/* ------------------------------------------------------------ ulimits */

int config_add_ulimit(struct strv *out, const char *text, struct err *e)
{
    cleanup_free char *name = NULL, *soft_text = NULL;
    const char *eq = strchr(text, '='), *colon = eq ? strchr(eq, ':') : NULL;
    int64_t soft, hard;

    if (!eq || eq == text)
        return err_set(e, ERR_INVALID, "invalid ulimit argument: %s", text);
    name = str_ndup(text, (size_t)(eq - text));
    soft_text = str_ndup(eq + 1, colon ? (size_t)(colon - eq - 1) : strlen(eq + 1));
    if (parse_i64(soft_text, -1, INT64_MAX, "ulimit", &soft, e) ||
        parse_i64(colon ? colon + 1 : soft_text, -1, INT64_MAX, "ulimit", &hard, e))
        return err_wrap(e, "invalid ulimit argument: %s", text);
    if (hard != -1 && (soft == -1 || soft > hard))
        return err_set(e, ERR_INVALID,
                       "ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
                       (long long)soft, (long long)hard);
    for (size_t i = 0; i < out->n; i++)
        if (str_starts(out->v[i], name) && out->v[i][strlen(name)] == '=') {
            free(out->v[i]);
            out->v[i] = str_printf("%s=%lld:%lld", name, (long long)soft, (long long)hard);
            return 0;
        }
    strv_addf(out, "%s=%lld:%lld", name, (long long)soft, (long long)hard);
    return 0;
}

/* ------------------------------------------------------------ userns-remap */

/* A field of the line of a passwd(5)-like file whose first or (a number) third field is who. */
static int look_up(const char *file, const char *what, const char *who, char **name, int64_t *id,
                   struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(FILE_MAX);
    cleanup_strv struct strv lines = {0};

    if (fs_read(file, &text, e))
        return err_wrap(e, "userns-remap: look up %s %s", what, who);
    strv_split(&lines, text.data, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        cleanup_strv struct strv f = {0};

        strv_split(&f, lines.v[i], ':');
        if (f.n < 3 || (!str_eq(f.v[0], who) && !str_eq(f.v[2], who)))
            continue;
        if (parse_i64(f.v[2], 0, UINT32_MAX, what, id, e))
            return -1;
        str_set(name, f.v[0]);
        return 0;
    }
    return err_set(e, ERR_NOT_FOUND, "userns-remap: there is no %s \"%s\" in %s", what, who, file);
}

/* The first range of the user in /etc/subuid or of the group in /etc/subgid. */
static int first_range(const char *file, const char *kind, const char *name, int64_t id,
                       int64_t *base, int64_t *count, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(FILE_MAX);
    cleanup_strv struct strv lines = {0};
    cleanup_free char *number = str_printf("%lld", (long long)id);

    if (fs_read(file, &text, e))
        return err_wrap(e, "Can't create ID mappings");
    strv_split(&lines, text.data, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        cleanup_strv struct strv f = {0};

        strv_split(&f, lines.v[i], ':');
        if (f.n != 3 || (!str_eq(f.v[0], name) && !str_eq(f.v[0], number)))
            continue;
        if (parse_i64(f.v[1], 1, UINT32_MAX, "the first id", base, e) ||
            parse_i64(f.v[2], 1, UINT32_MAX, "the number of ids", count, e))
            return err_wrap(e, "%s: %s", file, lines.v[i]);
        return 0;
    }
    return err_set(e, ERR_NOT_FOUND,
                   "Can't create ID mappings: No sub%s ranges found for %s \"%s\"", kind,
                   strcmp(kind, "uid") == 0 ? "user" : "group", name);
}

/*
 * The data of one range apart from the others'.  Whoever passes here can run what is in images,
 * programs that become the machine's root among it: so that is a container's root, by its group,
 * and nobody else on this machine.
 */
static int own_directory(struct config *c, struct err *e)
{
    cleanup_free char *top = xstrdup(c->data_root);

    free(c->data_root);
    c->data_root =
        str_printf("%s/%lld.%lld", top, (long long)c->remap_base, (long long)c->remap_base);
    if (c->validate)
        return 0;
    if (fs_mkdir_p(top, 0711, e) || fs_mkdir_p(c->data_root, 0710, e))
        return -1;
    if (chmod(top, 0711) || chown(c->data_root, 0, (gid_t)c->remap_base) ||
        chmod(c->data_root, 0710))
        return err_set(e, ERR_IO, "userns-remap: open %s to the containers' ids: %m", top);
    return 0;
}

static int remap(struct config *c, struct err *e)
{
    cleanup_free char *user = NULL, *user_name = NULL, *group_name = NULL;
    const char *colon = strchr(c->userns_remap, ':');
    int64_t uid, gid, gid_base, gid_count;

    if (colon && strchr(colon + 1, ':'))
        return err_set(e, ERR_INVALID, "invalid user/group specification in --userns-remap: \"%s\"",
                       c->userns_remap);
    user = str_ndup(c->userns_remap,
                    colon ? (size_t)(colon - c->userns_remap) : strlen(c->userns_remap));
    if (str_eq(user, "default"))
        str_set(&user, "dockremap");
    if (look_up("/etc/passwd", "user", user, &user_name, &uid, e) ||
        look_up("/etc/group", "group", colon ? colon + 1 : user_name, &group_name, &gid, e))
        return -1;
    if (first_range("/etc/subuid", "uid", user_name, uid, &c->remap_base, &c->remap_count, e) ||
        first_range("/etc/subgid", "gid", group_name, gid, &gid_base, &gid_count, e))
        return -1;
    if (gid_base != c->remap_base || gid_count != c->remap_count)
        return err_set(e, ERR_UNSUPPORTED,
                       "userns-remap: /etc/subuid has %lld:%lld for %s, /etc/subgid has %lld:%lld "
                       "for %s; they have to be the same",
                       (long long)c->remap_base, (long long)c->remap_count, user_name,
                       (long long)gid_base, (long long)gid_count, group_name);
    return own_directory(c, e);
}

/* ------------------------------------------------------------ the whole */

static int read_seccomp(struct config *c, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(FILE_MAX);

    if (str_empty(c->seccomp_profile) || str_eq(c->seccomp_profile, "builtin") ||
        str_eq(c->seccomp_profile, "default"))
        return 0;
    if (str_eq(c->seccomp_profile, "unconfined")) {
        c->seccomp_text = xstrdup("unconfined");
        return 0;
    }
    if (fs_read(c->seccomp_profile, &text, e))
        return err_wrap(e, "opening seccomp profile (%s) failed", c->seccomp_profile);
    c->seccomp_text = xstrdup(text.data);
    return 0;
}

int config_security(struct config *c, struct err *e)
{
    if (!str_empty(c->default_cgroupns) && !str_eq(c->default_cgroupns, "private") &&
        !str_eq(c->default_cgroupns, "host"))
        return err_set(e, ERR_INVALID, "default cgroup namespace mode (%s) is invalid",
                       c->default_cgroupns);
    if (!str_empty(c->default_ipc) && !str_eq(c->default_ipc, "private") &&
        !str_eq(c->default_ipc, "shareable"))
        return err_set(e, ERR_INVALID,
                       "IPC mode \"%s\" is not supported as default value; use \"private\" or "
                       "\"shareable\" mode",
                       c->default_ipc);
    if (read_seccomp(c, e))
        return -1;
    return str_empty(c->userns_remap) ? 0 : remap(c, e);
}
