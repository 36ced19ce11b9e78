/* codec_event: a message of the event stream, with the top-level keys that clients before API 1.52
 * read. */
#include "api/codec.h"
#include "base/time.h"

void event_write(struct jsonw *w, const struct event *ev)
{
    bool container = str_eq(ev->type, "container");

    jsonw_obj(w);
    if (container || str_eq(ev->type, "image")) {
        jsonw_kstr(w, "status", ev->action);
        jsonw_kstr(w, "id", ev->id);
    }
    if (container && !str_empty(kvs_get(&ev->attributes, "image")))
        jsonw_kstr(w, "from", kvs_get(&ev->attributes, "image"));
    jsonw_kstr(w, "Type", ev->type);
    jsonw_kstr(w, "Action", ev->action);
    jsonw_key(w, "Actor");
    jsonw_obj(w);
    jsonw_kstr(w, "ID", ev->id);
    jsonw_key(w, "Attributes");
    jsonw_kvs(w, &ev->attributes);
    jsonw_end_obj(w);
    jsonw_kstr(w, "scope", "local");
    jsonw_ki64(w, "time", ev->time_ns / NS_PER_SEC);
    jsonw_ki64(w, "timeNano", ev->time_ns);
    jsonw_end_obj(w);
}
