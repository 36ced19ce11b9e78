/* mount_options: see mount_options.h.  Words and their meaning are mount(8)'s; a word that no row
 * knows belongs to the file system. */
#include "voldrivers/mount_options.h"

#include <sys/mount.h>

#define ADDR "addr="

static const struct {
    const char *word;
    unsigned long set, clear;
} rows[] = {
    {"async",         0,                MS_SYNCHRONOUS              },
    {"atime",         0,                MS_NOATIME                  },
    {"bind",          MS_BIND,          0                           },
    {"defaults",      0,                0                           },
    {"dev",           0,                MS_NODEV                    },
    {"diratime",      0,                MS_NODIRATIME               },
    {"dirsync",       MS_DIRSYNC,       0                           },
    {"exec",          0,                MS_NOEXEC                   },
    {"mand",          MS_MANDLOCK,      0                           },
    {"noatime",       MS_NOATIME,       MS_RELATIME | MS_STRICTATIME},
    {"nodev",         MS_NODEV,         0                           },
    {"nodiratime",    MS_NODIRATIME,    0                           },
    {"noexec",        MS_NOEXEC,        0                           },
    {"nomand",        0,                MS_MANDLOCK                 },
    {"norelatime",    0,                MS_RELATIME                 },
    {"nostrictatime", 0,                MS_STRICTATIME              },
    {"nosuid",        MS_NOSUID,        0                           },
    {"rbind",         MS_BIND | MS_REC, 0                           },
    {"relatime",      MS_RELATIME,      MS_NOATIME | MS_STRICTATIME },
    {"ro",            MS_RDONLY,        0                           },
    {"rw",            0,                MS_RDONLY                   },
    {"strictatime",   MS_STRICTATIME,   MS_NOATIME | MS_RELATIME    },
    {"suid",          0,                MS_NOSUID                   },
    {"sync",          MS_SYNCHRONOUS,   0                           },
};

static bool apply(const char *word, unsigned long *flags)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!str_eq(word, rows[i].word))
            continue;
        *flags = (*flags & ~rows[i].clear) | rows[i].set;
        return true;
    }
    return false;
}

void mount_options_parse(const char *text, struct mount_options *out)
{
    cleanup_strv struct strv words = {0};

    *out = (struct mount_options){0};
    if (str_empty(text))
        return;
    strv_split(&words, text, ',');
    for (size_t i = 0; i < words.n; i++)
        if (*words.v[i] && !apply(words.v[i], &out->flags))
            strv_add(&out->data, words.v[i]);
}

void mount_options_release(struct mount_options *o)
{
    strv_release(&o->data);
}

static const char *find_addr(const struct mount_options *o, size_t *at)
{
    for (*at = 0; *at < o->data.n; (*at)++)
        if (str_starts(o->data.v[*at], ADDR))
            return o->data.v[*at] + strlen(ADDR);
    return NULL;
}

const char *mount_options_addr(const struct mount_options *o)
{
    size_t at;

    return find_addr(o, &at);
}

void mount_options_set_addr(struct mount_options *o, const char *addr)
{
    size_t at;

    if (!find_addr(o, &at))
        return;
    free(o->data.v[at]);
    o->data.v[at] = str_printf(ADDR "%s", addr);
}
