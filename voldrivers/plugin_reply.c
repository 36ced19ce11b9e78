/*
 * plugin_reply: a plugin's JSON as a struct.
 *
 * A plugin is somebody else's program: whatever it sends is an error with a name or a reply whose
 * members have the right types, and its size was bounded before it got here.
 */
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "voldrivers/plugin_internal.h"

#define VOLUMES_MAX 100000
#define STATUS_MAX  (1024 * 1024)

static void volume_release(struct plugin_volume *v)
{
    free(v->name);
    free(v->mountpoint);
    free(v->status);
    *v = (struct plugin_volume){0};
}

void plugin_reply_release(struct plugin_reply *r)
{
    free(r->err);
    free(r->mountpoint);
    free(r->scope);
    strv_release(&r->implements);
    volume_release(&r->volume);
    for (size_t i = 0; i < r->n_volumes; i++)
        volume_release(&r->volumes[i]);
    free(r->volumes);
    *r = (struct plugin_reply){0};
}

static int read_status(const struct json *j, struct plugin_volume *v, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(STATUS_MAX);

    if (!json_exists(j) || json_len(j) == 0)
        return 0;
    if (json_typeof(j) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "%s: must be an object", j->path);
    json_text(j, &text);
    if (buf_check(&text, "a volume's Status", e))
        return -1;
    v->status = buf_take(&text);
    return 0;
}

static int read_volume(const struct json *j, struct plugin_volume *v, struct err *e)
{
    struct json name = json_get(j, "Name"), mountpoint = json_get(j, "Mountpoint");
    struct json created = json_get(j, "CreatedAt"), status = json_get(j, "Status");
    cleanup_free char *at = NULL;

    if (json_typeof(j) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "%s: must be an object", j->path);
    if (json_str(&name, &v->name, e) || json_str(&mountpoint, &v->mountpoint, e) ||
        json_str(&created, &at, e) || read_status(&status, v, e))
        return -1;
    if (!str_empty(at) && time_parse(at, &v->created_ns, ERR_IGNORE))
        v->created_ns = 0; /* in a form of its own: as good as not told */
    if (v->created_ns == TIME_ZERO)
        v->created_ns = 0;
    return 0;
}

static int read_volumes(const struct json *j, struct plugin_reply *r, struct err *e)
{
    if (!json_exists(j))
        return 0;
    if (json_typeof(j) != JSON_ARRAY || json_len(j) > VOLUMES_MAX)
        return err_set(e, ERR_INVALID, "Volumes: must be an array of at most %d", VOLUMES_MAX);
    r->volumes = xcalloc(json_len(j), sizeof(*r->volumes));
    for (size_t i = 0; i < json_len(j); i++) {
        struct json item = json_at(j, i);

        if (read_volume(&item, &r->volumes[r->n_volumes++], e))
            return -1;
    }
    return 0;
}

static int read_all(const struct json *root, struct plugin_reply *r, struct err *e)
{
    struct json err = json_get(root, "Err"), mountpoint = json_get(root, "Mountpoint");
    struct json volume = json_get(root, "Volume"), volumes = json_get(root, "Volumes");
    struct json caps = json_get(root, "Capabilities"), scope = json_get(&caps, "Scope");
    struct json implements = json_get(root, "Implements");

    if (json_typeof(root) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "not a JSON object");
    if (json_str(&err, &r->err, e) || json_str(&mountpoint, &r->mountpoint, e) ||
        json_str(&scope, &r->scope, e) || json_strv(&implements, &r->implements, e))
        return -1;
    r->has_volume = json_exists(&volume);
    if (r->has_volume && read_volume(&volume, &r->volume, e))
        return -1;
    return read_volumes(&volumes, r, e);
}

int plugin_reply_parse(const char *text, size_t len, struct plugin_reply *out, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    struct json root;

    *out = (struct plugin_reply){0};
    if (json_parse(text, len, &doc, e))
        return -1;
    root = json_root(&doc);
    if (read_all(&root, out, e)) {
        plugin_reply_release(out);
        return -1;
    }
    return 0;
}
