/* manifest: the parser.  See manifest.h. */
#include "images/manifest.h"

#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"

static const struct {
    const char *media_type;
    bool is_index;
} kinds[] = {
    {MEDIA_DOCKER_IMAGE, false},
    {MEDIA_OCI_IMAGE,    false},
    {MEDIA_DOCKER_LIST,  true },
    {MEDIA_OCI_INDEX,    true },
};

/* What may stand where; compression is told by the bytes. */
static const char *const config_types[] = {
    "application/vnd.docker.container.image.v1+json", MEDIA_OCI_CONFIG,
    "application/octet-stream", /* written by early tools */
};
static const char *const layer_prefixes[] = {
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.docker.container.image.rootfs.diff+x-gtar",
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
};

static void descriptor_release(struct descriptor *d)
{
    free(d->media_type);
    free(d->digest);
    platform_release(&d->platform);
    kvs_release(&d->annotations);
    *d = (struct descriptor){0};
}

void manifest_release(struct manifest *m)
{
    free(m->media_type);
    descriptor_release(&m->config);
    for (size_t i = 0; i < m->n; i++)
        descriptor_release(&m->v[i]);
    free(m->v);
    *m = (struct manifest){0};
}

static int read_platform(const struct json *j, struct platform *p, struct err *e)
{
    struct json os = json_get(j, "os"), arch = json_get(j, "architecture");
    struct json variant = json_get(j, "variant");

    if (json_str(&os, &p->os, e) || json_str(&arch, &p->arch, e) ||
        json_str(&variant, &p->variant, e))
        return -1;
    return 0;
}

static int read_descriptor(const struct json *j, struct descriptor *d, struct err *e)
{
    struct json media = json_get(j, "mediaType"), digest = json_get(j, "digest");
    struct json size = json_get(j, "size"), platform = json_get(j, "platform");
    struct json notes = json_get(j, "annotations");

    d->size = -1;
    if (json_typeof(j) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "invalid manifest: %s is no descriptor", j->path);
    if (json_str(&media, &d->media_type, e) || json_str(&digest, &d->digest, e) ||
        json_i64(&size, &d->size, e) || json_kvs(&notes, &d->annotations, e) ||
        read_platform(&platform, &d->platform, e))
        return err_wrap(e, "invalid manifest");
    if (!d->media_type)
        d->media_type = xstrdup("");
    if (!d->digest || !digest_valid(d->digest))
        return err_set(e, ERR_INVALID, "invalid manifest: %s has no usable digest", j->path);
    if (d->size < 0)
        return err_set(e, ERR_INVALID, "invalid manifest: %s has no size", j->path);
    return 0;
}

static int read_list(const struct json *list, struct manifest *m, size_t max, struct err *e)
{
    size_t n = json_len(list);

    if (n > max)
        return err_set(e, ERR_INVALID, "invalid manifest: %zu entries in %s are more than %zu", n,
                       list->path, max);
    m->v = xcalloc(n + 1, sizeof(*m->v));
    for (size_t i = 0; i < n; i++) {
        struct json item = json_at(list, i);

        m->n = i + 1;
        if (read_descriptor(&item, &m->v[i], e))
            return -1;
    }
    return 0;
}

static bool has_prefix_of(const char *s, const char *const *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_starts(s, v[i]))
            return true;
    return false;
}

static int check_types(const struct manifest *m, struct err *e)
{
    if (!has_prefix_of(m->config.media_type, config_types, ARRAY_LEN(config_types)))
        return err_set(e, ERR_INVALID, "unsupported media type %s: this is not a container image",
                       m->config.media_type);
    for (size_t i = 0; i < m->n; i++)
        if (!has_prefix_of(m->v[i].media_type, layer_prefixes, ARRAY_LEN(layer_prefixes)))
            return err_set(e, ERR_INVALID, "unsupported media type %s of a layer",
                           m->v[i].media_type);
    return 0;
}

static int kind_of(const char *media_type, bool *is_index)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!str_starts(media_type, kinds[i].media_type))
            continue;
        switch (media_type[strlen(kinds[i].media_type)]) {
        case '\0':
        case ';':
        case ' ':
            *is_index = kinds[i].is_index;
            return 0;
        }
    }
    return -1;
}

/* Which of the two it is, and that nothing about it says the other. */
static int decide_kind(const struct json *root, const char *content_type, struct manifest *m,
                       struct err *e)
{
    struct json media = json_get(root, "mediaType"), version = json_get(root, "schemaVersion");
    bool manifests = json_has(root, "manifests");
    bool layers = json_has(root, "layers") || json_has(root, "config");
    int64_t schema = 0;

    if (json_i64(&version, &schema, e) || json_str(&media, &m->media_type, e))
        return err_wrap(e, "invalid manifest");
    if (schema == 1 || json_has(root, "fsLayers"))
        return err_set(e, ERR_INVALID,
                       "Docker Image Format v1 and Docker Image manifest version 2, schema 1 "
                       "support has been removed");
    if (schema != 2)
        return err_set(e, ERR_INVALID, "invalid manifest: schemaVersion %lld", (long long)schema);
    if (manifests == layers)
        return err_set(e, ERR_INVALID,
                       manifests ? "invalid manifest: it could be an image and an index"
                                 : "invalid manifest: it is neither an image nor an index");
    if (str_empty(m->media_type) && !str_empty(content_type))
        str_set(&m->media_type, content_type);
    if (str_empty(m->media_type))
        str_set(&m->media_type, manifests ? MEDIA_OCI_INDEX : MEDIA_OCI_IMAGE);
    if (kind_of(m->media_type, &m->is_index)) {
        if (json_exists(&media))
            return err_set(e, ERR_INVALID, "unsupported manifest media type %s", m->media_type);
        str_set(&m->media_type, manifests ? MEDIA_OCI_INDEX : MEDIA_OCI_IMAGE);
        m->is_index = manifests;
    }
    if (m->is_index != manifests)
        return err_set(e, ERR_INVALID, "invalid manifest: its media type %s is not what it holds",
                       m->media_type);
    m->media_type[strcspn(m->media_type, "; ")] = '\0';
    return 0;
}

int manifest_parse(const char *text, size_t len, const char *content_type, struct manifest *out,
                   struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_manifest struct manifest m = {0};
    struct json root, config, list;

    if (len > MANIFEST_MAX)
        return err_set(e, ERR_INVALID, "invalid manifest: more than %d bytes", MANIFEST_MAX);
    if (json_parse(text, len, &doc, e))
        return err_wrap(e, "invalid manifest");
    root = json_root(&doc);
    if (json_typeof(&root) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "invalid manifest: it is no object");
    if (decide_kind(&root, content_type, &m, e))
        return -1;
    list = json_get(&root, m.is_index ? "manifests" : "layers");
    if (json_exists(&list) && json_typeof(&list) != JSON_ARRAY)
        return err_set(e, ERR_INVALID, "invalid manifest: %s must be a list", list.path);
    if (read_list(&list, &m, m.is_index ? MANIFEST_ENTRIES : MANIFEST_LAYERS, e))
        return -1;
    config = json_get(&root, "config");
    if (!m.is_index && (read_descriptor(&config, &m.config, e) || check_types(&m, e)))
        return -1;
    *out = m;
    m = (struct manifest){0};
    return 0;
}
