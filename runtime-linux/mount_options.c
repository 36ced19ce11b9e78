/* mount_options: one row per word.  See mount_options.h. */
#include "runtime-linux/mount_options.h"

#include <sys/mount.h>

enum word_kind { SET, CLEAR, ATIME, PROPAGATION, BIND, COPY_UP, IGNORED };

/* A leading 'r' ("rro", "rnosuid") makes an attribute recursive. */
static const struct {
    const char *word;
    enum word_kind kind;
    uint64_t value;
} words[] = {
    {"ro",            SET,         MOUNT_ATTR_RDONLY     },
    {"rw",            CLEAR,       MOUNT_ATTR_RDONLY     },
    {"nosuid",        SET,         MOUNT_ATTR_NOSUID     },
    {"suid",          CLEAR,       MOUNT_ATTR_NOSUID     },
    {"nodev",         SET,         MOUNT_ATTR_NODEV      },
    {"dev",           CLEAR,       MOUNT_ATTR_NODEV      },
    {"noexec",        SET,         MOUNT_ATTR_NOEXEC     },
    {"exec",          CLEAR,       MOUNT_ATTR_NOEXEC     },
    {"nodiratime",    SET,         MOUNT_ATTR_NODIRATIME },
    {"diratime",      CLEAR,       MOUNT_ATTR_NODIRATIME },
    {"nosymfollow",   SET,         MOUNT_ATTR_NOSYMFOLLOW},
    {"symfollow",     CLEAR,       MOUNT_ATTR_NOSYMFOLLOW},
    {"noatime",       ATIME,       MOUNT_ATTR_NOATIME    },
    {"strictatime",   ATIME,       MOUNT_ATTR_STRICTATIME},
    {"relatime",      ATIME,       MOUNT_ATTR_RELATIME   },
    {"private",       PROPAGATION, MS_PRIVATE            },
    {"shared",        PROPAGATION, MS_SHARED             },
    {"slave",         PROPAGATION, MS_SLAVE              },
    {"unbindable",    PROPAGATION, MS_UNBINDABLE         },
    {"bind",          BIND,        0                     },
    {"tmpcopyup",     COPY_UP,     0                     },
    {"defaults",      IGNORED,     0                     },
    {"async",         IGNORED,     0                     },
    {"atime",         IGNORED,     0                     },
    {"norelatime",    IGNORED,     0                     },
    {"nostrictatime", IGNORED,     0                     },
    {"newinstance",   IGNORED,     0                     }, /* devpts: always, since 4.7 */
};

static void take(struct mount_options *o, enum word_kind kind, uint64_t value, bool recursive)
{
    uint64_t *set = recursive ? &o->rec_set : &o->set;
    uint64_t *clear = recursive ? &o->rec_clear : &o->clear;

    switch (kind) {
    case SET:
        *set |= value;
        *clear &= ~value;
        break;
    case CLEAR:
        *clear |= value;
        *set &= ~value;
        break;
    case ATIME: /* a number, not a bit */
        *set = (*set & ~(uint64_t)MOUNT_ATTR__ATIME) | value;
        *clear |= MOUNT_ATTR__ATIME;
        break;
    case PROPAGATION:
        o->propagation = value;
        o->propagation_recursive = recursive;
        break;
    case BIND:
        o->bind = true;
        o->recursive |= recursive;
        break;
    case COPY_UP:
        o->copy_up = true;
        break;
    case IGNORED:
        break;
    }
}

static bool lookup(const char *word, size_t *i)
{
    for (*i = 0; *i < ARRAY_LEN(words); (*i)++)
        if (str_eq(words[*i].word, word))
            return true;
    return false;
}

void mount_options_parse(const struct strv *list, struct mount_options *out)
{
    *out = (struct mount_options){0};
    for (size_t k = 0; k < list->n; k++) {
        const char *word = list->v[k];
        size_t i;

        if (!*word)
            continue;
        if (lookup(word, &i))
            take(out, words[i].kind, words[i].value, false);
        else if (*word == 'r' && lookup(word + 1, &i) && words[i].kind <= BIND)
            take(out, words[i].kind, words[i].value, true);
        else
            strv_add(&out->data, word);
    }
}

void mount_options_release(struct mount_options *o)
{
    strv_release(&o->data);
}
