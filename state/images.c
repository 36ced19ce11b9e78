/*
 * images: images, the names that point at them, and layers.
 *
 * A name may be written before its image and outlive it: the two are put in the order that images/
 * finds safe, so there is no foreign key between them.
 */
#include "state/state_internal.h"

static const char image_put_sql[] =
    "INSERT INTO image (id, parent, created_ns, manifest_digest, manifest_media_type,"
    " manifest_size, size, layer_blobs) VALUES (?1,?2,?3,?4,?5,?6,?7,?8)"
    " ON CONFLICT (id) DO UPDATE SET parent=?2, created_ns=?3, manifest_digest=?4,"
    " manifest_media_type=?5, manifest_size=?6, size=?7, layer_blobs=?8";
static const char image_delete_sql[] = "DELETE FROM image WHERE id = ?1";
static const char image_each_sql[] =
    "SELECT id, parent, created_ns, manifest_digest, manifest_media_type, manifest_size, size,"
    " layer_blobs FROM image ORDER BY rowid";

static const char ref_put_sql[] =
    "INSERT INTO image_ref (ref, image_id, tagged_ns) VALUES (?1,?2,?3)"
    " ON CONFLICT (ref) DO UPDATE SET image_id=?2, tagged_ns=?3";
static const char ref_delete_sql[] = "DELETE FROM image_ref WHERE ref = ?1";
static const char ref_each_sql[] = "SELECT ref, image_id, tagged_ns FROM image_ref ORDER BY ref";

static const char layer_put_sql[] =
    "INSERT INTO layer (chain_id, diff_id, blob, size) VALUES (?1,?2,?3,?4)"
    " ON CONFLICT (chain_id) DO UPDATE SET diff_id=?2, blob=?3, size=?4";
static const char layer_delete_sql[] = "DELETE FROM layer WHERE chain_id = ?1";
static const char layer_each_sql[] =
    "SELECT chain_id, diff_id, blob, size FROM layer ORDER BY chain_id";

/* ------------------------------------------------------------ images */

void image_record_release(struct image_record *r)
{
    free(r->id);
    free(r->parent);
    free(r->manifest_digest);
    free(r->manifest_media_type);
    strv_release(&r->layer_blobs);
    *r = (struct image_record){0};
}

int state_image_put(struct state *st, const struct image_record *r, struct err *e)
{
    cleanup_buf struct buf b = BUF_INIT(RECORD_MAX);
    struct jsonw w = JSONW_INIT(&b);

    jsonw_strv(&w, &r->layer_blobs);
    if (buf_check(&b, "image record", e))
        return -1;
    return write_one(st, true, image_put_sql, "write an image", e, "ttittiit", r->id, r->parent,
                     r->created_ns, r->manifest_digest, r->manifest_media_type, r->manifest_size,
                     r->size, b.data);
}

int state_image_delete(struct state *st, const char *id, struct err *e)
{
    return write_one(st, true, image_delete_sql, "delete an image", e, "t", id);
}

static void drop_image(void *p)
{
    image_record_release(p);
    free(p);
}

static void *make_image(struct state *st, sqlite3_stmt *s, struct err *e)
{
    struct image_record *r = xcalloc(1, sizeof(*r));
    cleanup_json struct json_doc doc = {0};
    struct json blobs;

    r->id = col_dup(s, 0);
    r->parent = col_dup(s, 1);
    r->created_ns = sqlite3_column_int64(s, 2);
    r->manifest_digest = col_dup(s, 3);
    r->manifest_media_type = col_dup(s, 4);
    r->manifest_size = sqlite3_column_int64(s, 5);
    r->size = sqlite3_column_int64(s, 6);
    if (col_json(st, s, 7, "layers of an image", &doc, e)) {
        drop_image(r);
        return NULL;
    }
    blobs = json_root(&doc);
    if (json_strv(&blobs, &r->layer_blobs, e)) {
        drop_image(r);
        return NULL;
    }
    return r;
}

int state_image_each(struct state *st, state_image_fn *fn, void *arg, struct err *e)
{
    cleanup_rows struct rows rows = {0};

    if (read_rows(st, image_each_sql, "read images", make_image, drop_image, &rows, e, ""))
        return -1;
    for (size_t i = 0; i < rows.n; i++)
        if (fn(arg, rows.v[i], e))
            return -1;
    return 0;
}

/* ------------------------------------------------------------ names */

int state_image_ref_put(struct state *st, const char *ref, const char *id, int64_t tagged_ns,
                        struct err *e)
{
    return write_one(st, true, ref_put_sql, "write an image's name", e, "tti", ref, id, tagged_ns);
}

int state_image_ref_delete(struct state *st, const char *ref, struct err *e)
{
    return write_one(st, true, ref_delete_sql, "delete an image's name", e, "t", ref);
}

struct ref_row {
    char *ref, *id;
    int64_t tagged_ns;
};

static void *make_ref(struct state *st, sqlite3_stmt *s, struct err *e)
{
    struct ref_row *r = xcalloc(1, sizeof(*r));

    (void)st;
    (void)e;
    r->ref = col_dup(s, 0);
    r->id = col_dup(s, 1);
    r->tagged_ns = sqlite3_column_int64(s, 2);
    return r;
}

static void drop_ref(void *p)
{
    struct ref_row *r = p;

    free(r->ref);
    free(r->id);
    free(r);
}

int state_image_ref_each(struct state *st, state_image_ref_fn *fn, void *arg, struct err *e)
{
    cleanup_rows struct rows rows = {0};

    if (read_rows(st, ref_each_sql, "read image names", make_ref, drop_ref, &rows, e, ""))
        return -1;
    for (size_t i = 0; i < rows.n; i++) {
        const struct ref_row *r = rows.v[i];

        if (fn(arg, r->ref, r->id, r->tagged_ns, e))
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------ layers */

void layer_record_release(struct layer_record *r)
{
    free(r->chain_id);
    free(r->diff_id);
    free(r->blob);
    *r = (struct layer_record){0};
}

/* Not durable by itself: the image that makes a layer reachable is written after it, durably, and
 * takes it along. */
int state_layer_put(struct state *st, const struct layer_record *r, struct err *e)
{
    return write_one(st, false, layer_put_sql, "write a layer", e, "ttti", r->chain_id, r->diff_id,
                     r->blob, r->size);
}

int state_layer_delete(struct state *st, const char *chain_id, struct err *e)
{
    return write_one(st, true, layer_delete_sql, "delete a layer", e, "t", chain_id);
}

static void *make_layer(struct state *st, sqlite3_stmt *s, struct err *e)
{
    struct layer_record *r = xcalloc(1, sizeof(*r));

    (void)st;
    (void)e;
    r->chain_id = col_dup(s, 0);
    r->diff_id = col_dup(s, 1);
    r->blob = col_dup(s, 2);
    r->size = sqlite3_column_int64(s, 3);
    return r;
}

static void drop_layer(void *p)
{
    layer_record_release(p);
    free(p);
}

int state_layer_each(struct state *st, state_layer_fn *fn, void *arg, struct err *e)
{
    cleanup_rows struct rows rows = {0};

    if (read_rows(st, layer_each_sql, "read layers", make_layer, drop_layer, &rows, e, ""))
        return -1;
    for (size_t i = 0; i < rows.n; i++)
        if (fn(arg, rows.v[i], e))
            return -1;
    return 0;
}
