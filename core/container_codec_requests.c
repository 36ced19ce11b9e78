/* container_codec_requests: HostConfig.DeviceRequests: devices that are asked for by what they can
 * or by a CDI name.  Who has them is known when the container starts. */
#include <stdlib.h>
#include <string.h>

#include "core/core_internal.h"

static void release(struct device_request *r)
{
    free(r->driver);
    strv_release(&r->ids);
    strv_release(&r->capabilities);
    kvs_release(&r->options);
}

/* [["gpu", "compute"], ["x"]] -> "gpu\ncompute", "x" */
static int read_capabilities(const struct json *groups, struct device_request *r, struct err *e)
{
    r->capabilities_set = json_exists(groups);
    if (!r->capabilities_set)
        return 0;
    if (want_type(groups, JSON_ARRAY, e))
        return -1;
    for (size_t i = 0; i < json_len(groups); i++) {
        struct json group = json_at(groups, i);
        cleanup_strv struct strv words = {0};
        cleanup_free char *joined = NULL;

        if (json_strv(&group, &words, e))
            return -1;
        joined = str_join((const char *const *)words.v, words.n, "\n");
        strv_add(&r->capabilities, joined);
    }
    return 0;
}

static int decode(const struct json *j, struct container_spec *s, bool stored, struct err *e)
{
    (void)stored;
    if (want_type(j, JSON_ARRAY, e))
        return -1;
    for (size_t i = 0; i < json_len(j); i++) {
        struct json item = json_at(j, i);
        struct device_request *r = ARRAY_ADD(s->device_requests, s->n_device_requests);
        struct json ids, groups;

        *r = (struct device_request){.driver = xstrdup("")};
        if (want_type(&item, JSON_OBJECT, e))
            return -1;
        ids = json_get(&item, "DeviceIDs");
        groups = json_get(&item, "Capabilities");
        r->ids_set = json_exists(&ids);
        if (get_str(&item, "Driver", &r->driver, e) || get_i64(&item, "Count", &r->count, e) ||
            get_strv(&item, "DeviceIDs", &r->ids, e) || read_capabilities(&groups, r, e) ||
            get_kvs(&item, "Options", &r->options, e))
            return -1;
    }
    return 0;
}

static void write_list(struct jsonw *w, const char *key, const struct strv *v, bool set)
{
    jsonw_key(w, key);
    if (set)
        jsonw_strv(w, v);
    else
        jsonw_null(w);
}

static void write_capabilities(struct jsonw *w, const struct device_request *r)
{
    jsonw_key(w, "Capabilities");
    if (!r->capabilities_set) {
        jsonw_null(w);
        return;
    }
    jsonw_arr(w);
    for (size_t i = 0; i < r->capabilities.n; i++) {
        cleanup_strv struct strv words = {0};

        if (*r->capabilities.v[i])
            strv_split(&words, r->capabilities.v[i], '\n');
        jsonw_strv(w, &words);
    }
    jsonw_end_arr(w);
}

static void encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    (void)stored;
    jsonw_arr(w);
    for (size_t i = 0; i < s->n_device_requests; i++) {
        const struct device_request *r = &s->device_requests[i];

        jsonw_obj(w);
        jsonw_kstr(w, "Driver", r->driver);
        jsonw_ki64(w, "Count", r->count);
        write_list(w, "DeviceIDs", &r->ids, r->ids_set);
        write_capabilities(w, r);
        jsonw_key(w, "Options");
        jsonw_kvs_sorted(w, &r->options);
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
}

static bool absent(const struct container_spec *s)
{
    return s->n_device_requests == 0;
}

static void copy_all(struct container_spec *d, const struct container_spec *s)
{
    for (size_t i = 0; i < s->n_device_requests; i++) {
        const struct device_request *from = &s->device_requests[i];
        struct device_request *to = ARRAY_ADD(d->device_requests, d->n_device_requests);

        *to = (struct device_request){.driver = str_dup_or_null(from->driver),
                                      .count = from->count,
                                      .ids_set = from->ids_set,
                                      .capabilities_set = from->capabilities_set};
        strv_copy(&to->ids, &from->ids);
        strv_copy(&to->capabilities, &from->capabilities);
        kvs_copy(&to->options, &from->options);
    }
}

static void release_all(struct container_spec *s)
{
    for (size_t i = 0; i < s->n_device_requests; i++)
        release(&s->device_requests[i]);
    free(s->device_requests);
    s->device_requests = NULL;
    s->n_device_requests = 0;
}

const struct spec_codec codec_device_requests = {decode, encode, absent, copy_all, release_all};
