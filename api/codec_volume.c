/* codec_volume: a volume; what was not given prints as null. */
#include <time.h>

#include "api/codec.h"
#include "base/time.h"

static void write_kvs_or_null(struct jsonw *w, const char *key, const struct kvs *kvs, bool set)
{
    jsonw_key(w, key);
    if (set || kvs->n)
        jsonw_kvs(w, kvs);
    else
        jsonw_null(w);
}

void volume_write(struct jsonw *w, const struct volume *v, int64_t ref_count, int64_t size)
{
    jsonw_obj(w);
    jsonw_key(w, "CreatedAt");
    /* Whole seconds, unlike every other time. */
    jsonw_time(w, v->created_ns - v->created_ns % NS_PER_SEC);
    jsonw_kstr(w, "Driver", str_empty(v->driver) ? "local" : v->driver);
    write_kvs_or_null(w, "Labels", &v->labels, v->labels_set);
    jsonw_kstr(w, "Mountpoint", v->mountpoint);
    jsonw_kstr(w, "Name", v->name);
    write_kvs_or_null(w, "Options", &v->options, v->options_set);
    jsonw_kstr(w, "Scope", str_empty(v->scope) ? "local" : v->scope);
    if (v->status) {
        jsonw_key(w, "Status");
        jsonw_raw(w, v->status);
    }
    if (ref_count >= 0) {
        jsonw_key(w, "UsageData");
        jsonw_obj(w);
        jsonw_ki64(w, "RefCount", ref_count);
        jsonw_ki64(w, "Size", size);
        jsonw_end_obj(w);
    }
    jsonw_end_obj(w);
}
