/* container_codec_rates: limits of single block devices: five fields of one shape. */
#include <stdlib.h>
#include <string.h>

#include "core/core_internal.h"

static const char *const names[DEVICE_LIMITS] = {
    [DEVICE_WEIGHT] = "BlkioWeightDevice",        [DEVICE_READ_BPS] = "BlkioDeviceReadBps",
    [DEVICE_WRITE_BPS] = "BlkioDeviceWriteBps",   [DEVICE_READ_IOPS] = "BlkioDeviceReadIOps",
    [DEVICE_WRITE_IOPS] = "BlkioDeviceWriteIOps",
};

static int decode(const struct json *j, struct container_spec *s, enum device_limit kind,
                  struct err *e)
{
    struct device_rates *rates = &s->device_rates[kind];

    if (want_type(j, JSON_ARRAY, e))
        return -1;
    for (size_t i = 0; i < json_len(j); i++) {
        struct json item = json_at(j, i);
        struct device_rate *r = ARRAY_ADD(rates->v, rates->n);

        r->path = xstrdup("");
        if (want_type(&item, JSON_OBJECT, e) || get_str(&item, "Path", &r->path, e) ||
            get_i64(&item, kind == DEVICE_WEIGHT ? "Weight" : "Rate", &r->rate, e))
            return -1;
        if (r->rate < 0)
            return err_set(e, ERR_INVALID,
                           "invalid JSON: json: cannot unmarshal number %lld into Go struct field "
                           ".HostConfig.%s.%zu.Rate of type uint64",
                           (long long)r->rate, names[kind], i);
    }
    return 0;
}

static void encode(const struct container_spec *s, struct jsonw *w, enum device_limit kind)
{
    const struct device_rates *rates = &s->device_rates[kind];

    jsonw_arr(w);
    for (size_t i = 0; i < rates->n; i++) {
        jsonw_obj(w);
        jsonw_kstr(w, "Path", rates->v[i].path);
        jsonw_ki64(w, kind == DEVICE_WEIGHT ? "Weight" : "Rate", rates->v[i].rate);
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
}

static void copy(struct container_spec *d, const struct container_spec *s, enum device_limit kind)
{
    const struct device_rates *rates = &s->device_rates[kind];

    for (size_t i = 0; i < rates->n; i++) {
        struct device_rate *r = ARRAY_ADD(d->device_rates[kind].v, d->device_rates[kind].n);

        r->path = str_dup_or_null(rates->v[i].path);
        r->rate = rates->v[i].rate;
    }
}

void device_rates_release(struct device_rates *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->v[i].path);
    free(r->v);
    *r = (struct device_rates){0};
}

/* A codec does not know its row, so each field has functions of its own. */
#define RATES(name, kind)                                                                   \
    static int name##_decode(const struct json *j, struct container_spec *s, bool stored,   \
                             struct err *e)                                                 \
    {                                                                                       \
        (void)stored;                                                                       \
        return decode(j, s, kind, e);                                                       \
    }                                                                                       \
    static void name##_encode(const struct container_spec *s, struct jsonw *w, bool stored) \
    {                                                                                       \
        (void)stored;                                                                       \
        encode(s, w, kind);                                                                 \
    }                                                                                       \
    static bool name##_absent(const struct container_spec *s)                               \
    {                                                                                       \
        return s->device_rates[kind].n == 0;                                                \
    }                                                                                       \
    static void name##_copy(struct container_spec *d, const struct container_spec *s)       \
    {                                                                                       \
        copy(d, s, kind);                                                                   \
    }                                                                                       \
    static void name##_release(struct container_spec *s)                                    \
    {                                                                                       \
        device_rates_release(&s->device_rates[kind]);                                       \
    }                                                                                       \
    const struct spec_codec codec_##name = {name##_decode, name##_encode, name##_absent,    \
                                            name##_copy, name##_release};

RATES(weight_device, DEVICE_WEIGHT)
RATES(read_bps, DEVICE_READ_BPS)
RATES(write_bps, DEVICE_WRITE_BPS)
RATES(read_iops, DEVICE_READ_IOPS)
RATES(write_iops, DEVICE_WRITE_IOPS)
