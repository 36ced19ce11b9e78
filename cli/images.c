/* images: images, pull, load. */
#include "cli/images.h"

#include <stdio.h>

#include "base/mem.h"
#include "cli/http_client.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/term.h"

/* --------------------------------------------------------------------- pull */

/* Where the tag begins: after the last colon that no slash follows; NULL when there is none. */
static const char *tag_of(const char *ref)
{
    const char *colon = strrchr(ref, ':');

    if (strchr(ref, '@'))
        return strchr(ref, '@');
    return colon && !strchr(colon, '/') ? colon : NULL;
}

int image_pull(struct cli *cli, const char *ref, const struct pull_options *o, bool json,
               struct err *e)
{
    cleanup_reply struct reply r = {0};
    cleanup_target struct target t = {0};
    const char *tag = tag_of(ref);
    cleanup_free char *name = tag ? str_ndup(ref, (size_t)(tag - ref)) : xstrdup(ref);

    target_init(&t, "/images/create");
    target_add(&t, "fromImage", name);
    target_add(&t, "tag", tag ? tag + 1 : "latest");
    target_add(&t, "platform", o->platform);
    if (client_send(cli, "POST", &t, NULL, &r, e))
        return -1;
    return progress_show(&r, o->on_stderr, o->quiet, json, e);
}

static int run_pull(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    const struct pull_options *o = options;
    bool json;

    if (format_is_json(o->format, &json, e))
        return -1;
    if (!tag_of(args->v[0]) && !o->quiet && !json)
        printf("Using default tag: latest\n");
    if (image_pull(cli, args->v[0], o, json, e))
        return -1;
    if (o->quiet)
        printf("%s\n", args->v[0]);
    return 0;
}

/* --------------------------------------------------------------------- load */

struct load_options {
    char *input, *format;
    bool quiet;
};

static int read_archive(void *arg, void *bytes, size_t n, size_t *got, struct err *e)
{
    return term_read_file(*(int *)arg, bytes, n, got, e);
}

static int run_load(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    const struct load_options *o = options;
    cleanup_reply struct reply r = {0};
    cleanup_target struct target t = {0};
    bool json;
    int fd;

    (void)args;
    if (format_is_json(o->format, &json, e))
        return -1;
    if (!o->input && term_is_tty(0))
        return err_set(e, ERR_INVALID,
                       "requested load from stdin, but stdin is empty; name a file with -i");
    if (term_open_file(o->input ? o->input : "-", &fd, e))
        return -1;
    target_init(&t, "/images/load");
    target_add(&t, "quiet", o->quiet ? "1" : "0");
    int rc = client_upload(cli, "POST", &t, "application/x-tar", read_archive, &fd, &r, e);

    term_close_file(fd);
    return rc ? -1 : progress_show(&r, false, false, json, e);
}

/* ------------------------------------------------------------------- images */

struct images_options {
    char *format;
    bool all, quiet, no_trunc;
};

static const char *short_id(const char *id, bool whole, char out[80])
{
    const char *hex = str_starts(id, "sha256:") ? id + strlen("sha256:") : id;

    snprintf(out, 80, whole ? "%.75s" : "%.12s", whole ? id : hex);
    return out;
}

static void add_image(struct table *t, const struct json *image, const char *tag, bool no_trunc)
{
    const char *at = tag_of(tag);
    cleanup_free char *name = at ? str_ndup(tag, (size_t)(at - tag)) : xstrdup(tag);
    cleanup_free char *ago = ago_from_seconds(json_get_i64(image, "Created"));
    char id[80], size[32];

    format_size(json_get_i64(image, "Size"), size, sizeof(size));
    table_add(t, name);
    table_add(t, at ? at + 1 : "<none>");
    table_add(t, short_id(json_get_str(image, "Id"), no_trunc, id));
    table_add(t, ago);
    table_add(t, size);
}

static int run_images(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    static const char *const titles[] = {"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"};
    static const char *const keys[] = {"Repository", "Tag", "ID", "CreatedSince", "Size"};
    const struct images_options *o = options;
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};
    cleanup_table struct table table = {0};
    bool json;

    target_init(&t, "/images/json");
    target_add(&t, "all", o->all ? "1" : NULL);
    if (args->n) {
        cleanup_strv struct strv one = {0};
        cleanup_buf struct buf filter = BUF_INIT(4096);

        strv_addf(&one, "reference=%s", args->v[0]);
        if (filters_json(&one, &filter, e))
            return -1;
        target_add(&t, "filters", filter.data);
    }
    if (format_is_json(o->format, &json, e) || client_json(cli, "GET", &t, NULL, &doc, e))
        return -1;
    struct json root = json_root(&doc);

    table_init(&table, keys, titles, ARRAY_LEN(titles));
    for (size_t i = 0; i < json_len(&root); i++) {
        struct json image = json_at(&root, i), tags = json_get(&image, "RepoTags");
        char id[80];

        if (o->quiet) {
            printf("%s\n", short_id(json_get_str(&image, "Id"), o->no_trunc, id));
            continue;
        }
        if (json_len(&tags) == 0)
            add_image(&table, &image, "<none>", o->no_trunc);
        for (size_t k = 0; k < json_len(&tags); k++) {
            struct json tag = json_at(&tags, k);
            cleanup_free char *text = NULL;

            if (!json_str(&tag, &text, ERR_IGNORE) && text)
                add_image(&table, &image, text, o->no_trunc);
        }
    }
    if (!o->quiet)
        table_print(cli, &table, json, true);
    return 0;
}

/* ------------------------------------------------------------------- tables */

#define PULL(member) offsetof(struct pull_options, member)
static const struct flag pull_flags[] = {
    {"platform", 0,   FLAG_STR,  PULL(platform), "OS/ARCH", "of an image that has several"},
    {"quiet",    'q', FLAG_BOOL, PULL(quiet),    NULL,      "no progress"                 },
    {"format",   0,   FLAG_STR,  PULL(format),   "FORMAT",  "json: progress, one per line"},
};

const struct command cmd_pull = {
    .name = "pull",
    .usage = "IMAGE[:TAG|@DIGEST]",
    .summary = "Fetch an image from its registry",
    .flags = pull_flags,
    .n_flags = ARRAY_LEN(pull_flags),
    .options_size = sizeof(struct pull_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_pull,
};

#define LOAD(member) offsetof(struct load_options, member)
static const struct flag load_flags[] = {
    {"input",  'i', FLAG_STR,  LOAD(input),  "FILE",   "archive to read instead of stdin"},
    {"quiet",  'q', FLAG_BOOL, LOAD(quiet),  NULL,     "no progress"                     },
    {"format", 0,   FLAG_STR,  LOAD(format), "FORMAT", "json: progress, one per line"    },
};

const struct command cmd_load = {
    .name = "load",
    .usage = "[-i FILE]",
    .summary = "Load images from an archive",
    .flags = load_flags,
    .n_flags = ARRAY_LEN(load_flags),
    .options_size = sizeof(struct load_options),
    .run = run_load,
};

#define IMAGES(member) offsetof(struct images_options, member)
static const struct flag images_flags[] = {
    {"all",      'a', FLAG_BOOL, IMAGES(all),      NULL,     "also those without a name"},
    {"quiet",    'q', FLAG_BOOL, IMAGES(quiet),    NULL,     "only IDs"                 },
    {"no-trunc", 0,   FLAG_BOOL, IMAGES(no_trunc), NULL,     "whole IDs"                },
    {"format",   0,   FLAG_STR,  IMAGES(format),   "FORMAT", "json or table"            },
};

const struct command cmd_images = {
    .name = "images",
    .usage = "[REPOSITORY[:TAG]]",
    .summary = "List images",
    .flags = images_flags,
    .n_flags = ARRAY_LEN(images_flags),
    .options_size = sizeof(struct images_options),
    .max_args = 1,
    .run = run_images,
};
