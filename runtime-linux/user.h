/*
 * user: "name[:group]" to numbers, by the files of the image.
 *
 * No NSS: the image's /etc/passwd and /etc/group are read below the given root and nothing else is
 * asked.  Rules and error texts are those of moby/sys/user, which Docker and runc share.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define USER_GROUPS_MAX 1024

struct user {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* the primary one is among them */
    size_t n_groups;
    char *home; /* "/" when the passwd file does not say */
};
void user_release(struct user *u);
#define cleanup_user CLEANUP(user_release)

/* `extra`: additional groups, names or numbers. */
int user_resolve(int root_fd, const char *text, const struct strv *extra, struct user *out,
                 struct err *e) MUST_USE;
/* By numbers; only the home directory is looked up. */
int user_numeric(int root_fd, int64_t uid, int64_t gid, const int64_t *groups, size_t n_groups,
                 struct user *out, struct err *e) MUST_USE;
