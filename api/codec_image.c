/* codec_image: an image in lists and in inspect; what depends on the version is asked by name. */
#include "api/codec.h"
#include "api/version.h"
#include "base/time.h"

static void write_tags(struct jsonw *w, const struct strv *tags, const struct strv *digests,
                       int version, bool usage)
{
    bool dangling = tags->n == 0 && digests->n == 0;

    jsonw_key(w, "RepoDigests");
    if (dangling && shape_holds(version, SHAPE_NONE_TAGS)) {
        jsonw_raw(w, "[\"<none>@<none>\"]");
    } else if (digests->n == 0 && (usage || shape_holds(version, SHAPE_NULL_DIGESTS))) {
        jsonw_null(w);
    } else {
        jsonw_strv(w, digests);
    }
    jsonw_key(w, "RepoTags");
    if (dangling && shape_holds(version, SHAPE_NONE_TAGS))
        jsonw_raw(w, "[\"<none>:<none>\"]");
    else
        jsonw_strv(w, tags);
}

static const struct kvs *labels_of(const struct image *i)
{
    return i->config && i->config->labels.n ? &i->config->labels : NULL;
}

void image_write_summary(struct jsonw *w, const struct image *i, const struct strv *tags,
                         const struct strv *digests, int version, int64_t containers,
                         int64_t shared)
{
    bool usage = shared >= 0;

    jsonw_obj(w);
    jsonw_ki64(w, "Containers",
               usage || shape_holds(version, SHAPE_IMAGE_CONTAINERS) ? containers : -1);
    jsonw_ki64(w, "Created", i->created_ns == TIME_ZERO ? 0 : i->created_ns / NS_PER_SEC);
    jsonw_kstr(w, "Id", i->id);
    jsonw_key(w, "Labels");
    if (labels_of(i))
        jsonw_kvs(w, labels_of(i));
    else
        jsonw_null(w);
    jsonw_kstr(w, "ParentId", i->parent);
    write_tags(w, tags ? tags : &i->repo_tags, digests ? digests : &i->repo_digests, version,
               usage);
    jsonw_ki64(w, "SharedSize", shared);
    jsonw_ki64(w, "Size", i->size);
    if (shape_holds(version, SHAPE_VIRTUAL_SIZE))
        jsonw_ki64(w, "VirtualSize", i->size);
    jsonw_end_obj(w);
}

static void write_container_config(struct jsonw *w)
{
    jsonw_key(w, "ContainerConfig");
    jsonw_raw(w, "{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":false,"
                 "\"AttachStdout\":false,\"AttachStderr\":false,\"Tty\":false,\"OpenStdin\":false,"
                 "\"StdinOnce\":false,\"Env\":null,\"Cmd\":null,\"Image\":\"\",\"Volumes\":null,"
                 "\"WorkingDir\":\"\",\"Entrypoint\":null,\"OnBuild\":null,\"Labels\":null}");
}

/* Before API 1.50 an image's Config had the container's keys too, always at rest. */
static void write_whole_config(struct jsonw *w, const struct container_spec *config)
{
    cleanup_buf struct buf text = BUF_INIT(REPLY_MAX);
    struct jsonw cw = JSONW_INIT(&text);

    container_spec_encode_image(config, &cw);
    if (text.len < 2)
        return;
    text.data[--text.len] = '\0'; /* the closing brace */
    buf_addf(&text, ",\"Hostname\":\"\",\"Domainname\":\"\",\"AttachStdin\":false,"
                    "\"AttachStdout\":false,\"AttachStderr\":false,\"Tty\":false,"
                    "\"OpenStdin\":false,\"StdinOnce\":false,\"Image\":\"\"}");
    jsonw_raw(w, text.data);
}

static void write_config(struct jsonw *w, const struct image *i, int version)
{
    jsonw_key(w, "Config");
    if (!i->config)
        jsonw_null(w);
    else if (shape_holds(version, SHAPE_IMAGE_CONFIG_WHOLE))
        write_whole_config(w, i->config);
    else
        container_spec_encode_image(i->config, w);
}

static void write_layers(struct jsonw *w, const struct image *i)
{
    jsonw_key(w, "RootFS");
    jsonw_obj(w);
    jsonw_kstr(w, "Type", "layers");
    if (i->diff_ids.n) {
        jsonw_key(w, "Layers");
        jsonw_strv(w, &i->diff_ids);
    }
    jsonw_end_obj(w);
}

void image_write_inspect(struct jsonw *w, const struct image *i, int version, const char *driver)
{
    jsonw_obj(w);
    jsonw_kstr(w, "Id", i->id);
    jsonw_key(w, "RepoTags");
    jsonw_strv(w, &i->repo_tags);
    jsonw_key(w, "RepoDigests");
    jsonw_strv(w, &i->repo_digests);
    jsonw_kstr(w, "Parent", i->parent);
    jsonw_kstr(w, "Comment", i->comment);
    if (i->created_ns != TIME_ZERO) {
        jsonw_key(w, "Created");
        jsonw_time(w, i->created_ns);
    }
    if (shape_holds(version, SHAPE_CONTAINER_CONFIG))
        write_container_config(w);
    jsonw_kstr(w, "DockerVersion", i->docker_version);
    jsonw_kstr(w, "Author", i->author);
    write_config(w, i, version);
    jsonw_kstr(w, "Architecture", i->architecture);
    if (!str_empty(i->variant))
        jsonw_kstr(w, "Variant", i->variant);
    jsonw_kstr(w, "Os", i->os);
    jsonw_ki64(w, "Size", i->size);
    if (shape_holds(version, SHAPE_VIRTUAL_SIZE))
        jsonw_ki64(w, "VirtualSize", i->size);
    jsonw_key(w, "GraphDriver");
    jsonw_obj(w);
    jsonw_key(w, "Data");
    jsonw_null(w);
    jsonw_kstr(w, "Name", driver);
    jsonw_end_obj(w);
    write_layers(w, i);
    jsonw_key(w, "Metadata");
    jsonw_obj(w);
    jsonw_key(w, "LastTagTime");
    jsonw_time(w, i->last_tag_ns);
    jsonw_end_obj(w);
    jsonw_end_obj(w);
}
