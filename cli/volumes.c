/* volumes: volume ls, create, inspect, rm, prune. */
#include <stdio.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/http_client.h"
#include "cli/table.h"

#define BODY_MAX (1024 * 1024)

struct volume_options {
    struct strv filter, label, opt;
    char *driver, *format;
    bool quiet, force, all;
};

typedef int volume_verb(struct cli *cli, const struct volume_options *o, const struct strv *names,
                        struct err *e);

/* ---------------------------------------------------------------- ls, inspect */

static int list(struct cli *cli, const struct volume_options *o, const struct strv *names,
                struct err *e)
{
    static const char *const titles[] = {"DRIVER", "VOLUME NAME"};
    static const char *const keys[] = {"Driver", "Name"};
    cleanup_buf struct buf filter = BUF_INIT(64 * 1024);
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};
    cleanup_table struct table table = {0};
    bool json;

    (void)names;
    target_init(&t, "/volumes");
    if (o->filter.n && filters_json(&o->filter, &filter, e))
        return -1;
    target_add(&t, "filters", o->filter.n ? filter.data : NULL);
    if (format_is_json(o->format, &json, e) || client_json(cli, "GET", &t, NULL, &doc, e))
        return -1;
    struct json root = json_root(&doc), volumes = json_get(&root, "Volumes");

    table_init(&table, keys, titles, ARRAY_LEN(titles));
    for (size_t i = 0; i < json_len(&volumes); i++) {
        struct json v = json_at(&volumes, i);

        if (o->quiet)
            printf("%s\n", json_get_str(&v, "Name"));
        table_add(&table, json_get_str(&v, "Driver"));
        table_add(&table, json_get_str(&v, "Name"));
    }
    if (!o->quiet)
        table_print(cli, &table, json, true);
    return 0;
}

static void name_target(struct target *t, const char *name)
{
    target_init(t, "/volumes/");
    target_path(t, name);
}

static int inspect(struct cli *cli, const struct volume_options *o, const struct strv *names,
                   struct err *e)
{
    (void)o;
    for (size_t i = 0; i < names->n; i++) {
        cleanup_json struct json_doc doc = {0};
        cleanup_target struct target t = {0};

        name_target(&t, names->v[i]);
        if (client_json(cli, "GET", &t, NULL, &doc, e))
            return -1;
        struct json root = json_root(&doc);

        print_json(&root);
    }
    return 0;
}

/* ---------------------------------------------------------------- create, rm, prune */

static void write_pairs(struct jsonw *w, const char *key, const struct strv *pairs)
{
    cleanup_kvs struct kvs kvs = {0};

    for (size_t i = 0; i < pairs->n; i++) {
        size_t n = strcspn(pairs->v[i], "=");
        cleanup_free char *k = str_ndup(pairs->v[i], n);

        kvs_set(&kvs, k, pairs->v[i][n] ? pairs->v[i] + n + 1 : "");
    }
    jsonw_key(w, key);
    jsonw_kvs(w, &kvs);
}

static int create(struct cli *cli, const struct volume_options *o, const struct strv *names,
                  struct err *e)
{
    cleanup_buf struct buf body = BUF_INIT(BODY_MAX);
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};
    struct jsonw w = JSONW_INIT(&body);

    jsonw_obj(&w);
    jsonw_kstr(&w, "Name", names->n ? names->v[0] : "");
    jsonw_kstr(&w, "Driver", o->driver ? o->driver : "");
    write_pairs(&w, "DriverOpts", &o->opt);
    write_pairs(&w, "Labels", &o->label);
    jsonw_end_obj(&w);
    target_init(&t, "/volumes/create");
    if (buf_check(&body, "the request", e) || client_json(cli, "POST", &t, &body, &doc, e))
        return -1;
    struct json root = json_root(&doc);

    printf("%s\n", json_get_str(&root, "Name"));
    return 0;
}

static int remove_all(struct cli *cli, const struct volume_options *o, const struct strv *names,
                      struct err *e)
{
    for (size_t i = 0; i < names->n; i++) {
        cleanup_reply struct reply r = {0};
        cleanup_target struct target t = {0};

        name_target(&t, names->v[i]);
        target_add(&t, "force", o->force ? "1" : NULL);
        if (client_send(cli, "DELETE", &t, NULL, &r, e))
            return -1;
        printf("%s\n", names->v[i]);
    }
    return 0;
}

static int prune(struct cli *cli, const struct volume_options *o, const struct strv *names,
                 struct err *e)
{
    cleanup_buf struct buf filter = BUF_INIT(64 * 1024);
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};
    cleanup_strv struct strv words = {0};
    char size[32];

    (void)names;
    strv_copy(&words, &o->filter);
    if (o->all)
        strv_add(&words, "all=true");
    target_init(&t, "/volumes/prune");
    if (words.n && filters_json(&words, &filter, e))
        return -1;
    target_add(&t, "filters", words.n ? filter.data : NULL);
    if (client_json(cli, "POST", &t, NULL, &doc, e))
        return -1;
    struct json root = json_root(&doc), gone = json_get(&root, "VolumesDeleted");

    for (size_t i = 0; i < json_len(&gone); i++) {
        struct json name = json_at(&gone, i);
        cleanup_free char *text = NULL;

        if (!json_str(&name, &text, ERR_IGNORE) && text)
            printf("%s\n", text);
    }
    format_size(json_get_i64(&root, "SpaceReclaimed"), size, sizeof(size));
    printf("Total reclaimed space: %s\n", size);
    return 0;
}

/* ---------------------------------------------------------------- the command */

static const struct {
    const char *name;
    volume_verb *run;
    size_t min, max; /* names */
} verbs[] = {
    {"ls",      list,       0, 0       },
    {"create",  create,     0, 1       },
    {"inspect", inspect,    1, SIZE_MAX},
    {"rm",      remove_all, 1, SIZE_MAX},
    {"prune",   prune,      0, 0       },
};

static int run_volume(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    struct strv names = {.v = args->v + 1, .n = args->n - 1};

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (!str_eq(verbs[i].name, args->v[0]))
            continue;
        if (names.n < verbs[i].min || names.n > verbs[i].max)
            return err_set(e, ERR_INVALID, "volume %s takes %s", verbs[i].name,
                           verbs[i].min        ? "names of volumes"
                           : verbs[i].max == 1 ? "at most one name"
                                               : "no names");
        return verbs[i].run(cli, options, &names, e);
    }
    return err_set(e, ERR_INVALID, "volume %s: there are ls, create, inspect, rm and prune",
                   args->v[0]);
}

#define VOLUME(member) offsetof(struct volume_options, member)
static const struct flag flags[] = {
    {"driver", 'd', FLAG_STR,  VOLUME(driver), "NAME",      "create: local, or a plugin"   },
    {"opt",    'o', FLAG_LIST, VOLUME(opt),    "KEY=VALUE", "create: option of the driver" },
    {"label",  0,   FLAG_LIST, VOLUME(label),  "KEY=VALUE", "create: label"                },
    {"filter", 'f', FLAG_LIST, VOLUME(filter), "KEY=VALUE", "ls, prune: only those"        },
    {"all",    'a', FLAG_BOOL, VOLUME(all),    NULL,        "prune: those with a name, too"},
    {"force",  0,   FLAG_BOOL, VOLUME(force),  NULL,        "rm: though the plugin is gone"},
    {"quiet",  'q', FLAG_BOOL, VOLUME(quiet),  NULL,        "ls: only names"               },
    {"format", 0,   FLAG_STR,  VOLUME(format), "FORMAT",    "ls: json or table"            },
};

const struct command cmd_volume = {
    .name = "volume",
    .usage = "ls | create [NAME] | inspect NAME... | rm NAME... | prune",
    .summary = "Volumes",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .options_size = sizeof(struct volume_options),
    .min_args = 1,
    .max_args = 1000,
    .run = run_volume,
};
