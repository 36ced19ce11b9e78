/* container_codec_config: the members of Config that have a shape of their own. */
#include <stdlib.h>
#include <string.h>

#include "core/core_internal.h"

/* ------------------------------------------------------------ ExposedPorts: {"80/tcp":{}} */

/* A range counts for each of its ports.  Enough for a telephone exchange, and few enough that a
 * hostile image cannot keep anyone busy. */
#define EXPOSED_MAX 16384

/* Which ports are in the list already, a bit each: a range would else be looked for in itself. */
struct exposed_set {
    uint8_t bits[PROTO_SCTP + 1][65536 / 8];
};

static struct exposed_set *set_of(const struct container_spec *s)
{
    struct exposed_set *set = xcalloc(1, sizeof(*set));

    for (size_t i = 0; i < s->n_exposed; i++)
        set->bits[s->exposed[i].proto][s->exposed[i].port / 8] |=
            (uint8_t)(1 << s->exposed[i].port % 8);
    return set;
}

static int exposed_add(struct container_spec *s, struct exposed_set *set, const char *text,
                       struct err *e)
{
    uint16_t first, last;
    enum proto proto;
    size_t room;

    if (port_parse(text, &first, &last, &proto, e))
        return -1;
    room = s->n_exposed + last - first + 1u;
    if (room > EXPOSED_MAX)
        return err_set(e, ERR_INVALID, "ExposedPorts: more than %d ports", EXPOSED_MAX);
    s->exposed = xrealloc(s->exposed, room * sizeof(*s->exposed));
    for (unsigned p = first; p <= last; p++) {
        uint8_t *byte = &set->bits[proto][p / 8], bit = (uint8_t)(1 << p % 8);

        if (!(*byte & bit))
            s->exposed[s->n_exposed++] = (struct exposed_port){(uint16_t)p, proto};
        *byte |= bit;
    }
    return 0;
}

static int exposed_decode(const struct json *j, struct container_spec *s, bool stored,
                          struct err *e)
{
    cleanup_free struct exposed_set *set = set_of(s);
    struct json_iter it = json_iter(j);

    (void)stored;
    if (want_type(j, JSON_OBJECT, e))
        return -1;
    while (json_next(&it))
        if (exposed_add(s, set, it.key, e))
            return -1;
    return 0;
}

int exposed_decode_leniently(const struct json *j, struct container_spec *s, struct err *e)
{
    cleanup_free struct exposed_set *set = set_of(s);
    struct json_iter it = json_iter(j);

    if (want_type(j, JSON_OBJECT, e))
        return -1;
    while (json_next(&it)) {
        uint16_t first, last;
        enum proto proto;

        if (port_parse(it.key, &first, &last, &proto, ERR_IGNORE) == 0 &&
            exposed_add(s, set, it.key, e))
            return -1;
    }
    return 0;
}

/* Go sorts the keys as text, so 443/tcp comes before 80/tcp. */
static int compare_exposed(const void *pa, const void *pb)
{
    const struct exposed_port *a = pa, *b = pb;
    char ta[16], tb[16];

    port_text(a->port, a->proto, ta);
    port_text(b->port, b->proto, tb);
    return strcmp(ta, tb);
}

static void exposed_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    struct exposed_port *v = xcalloc(s->n_exposed + 1, sizeof(*v));

    for (size_t i = 0; i < s->n_exposed; i++)
        v[i] = s->exposed[i];
    if (!stored)
        qsort(v, s->n_exposed, sizeof(*v), compare_exposed);
    jsonw_obj(w);
    for (size_t i = 0; i < s->n_exposed; i++) {
        char text[16];

        port_text(v[i].port, v[i].proto, text);
        jsonw_key(w, text);
        jsonw_raw(w, "{}");
    }
    jsonw_end_obj(w);
    free(v);
}

static bool exposed_absent(const struct container_spec *s)
{
    return s->n_exposed == 0;
}

static void exposed_copy(struct container_spec *d, const struct container_spec *s)
{
    if (s->n_exposed == 0)
        return;
    d->exposed = xmalloc(s->n_exposed * sizeof(*d->exposed));
    memcpy(d->exposed, s->exposed, s->n_exposed * sizeof(*d->exposed));
    d->n_exposed = s->n_exposed;
}

static void exposed_release(struct container_spec *s)
{
    free(s->exposed);
    s->exposed = NULL;
    s->n_exposed = 0;
}

const struct spec_codec codec_exposed = {exposed_decode, exposed_encode, exposed_absent,
                                         exposed_copy, exposed_release};

/* ------------------------------------------------------------ Cmd, Entrypoint: text or list */

static int words_decode(const struct json *j, struct strv *out, bool *set, struct err *e)
{
    *set = true;
    if (json_typeof(j) == JSON_STRING) {
        char *one = NULL;

        if (json_str(j, &one, e))
            return -1;
        strv_release(out);
        strv_take(out, one);
        return 0;
    }
    return json_strv(j, out, e);
}

static int cmd_decode(const struct json *j, struct container_spec *s, bool stored, struct err *e)
{
    (void)stored;
    return words_decode(j, &s->cmd, &s->cmd_set, e);
}

static void cmd_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    (void)stored;
    jsonw_strv(w, &s->cmd);
}

static bool cmd_absent(const struct container_spec *s)
{
    return !s->cmd_set && s->cmd.n == 0;
}

static void cmd_copy(struct container_spec *d, const struct container_spec *s)
{
    strv_copy(&d->cmd, &s->cmd);
    d->cmd_set = s->cmd_set;
}

static void cmd_release(struct container_spec *s)
{
    strv_release(&s->cmd);
    s->cmd_set = false;
}

const struct spec_codec codec_cmd = {cmd_decode, cmd_encode, cmd_absent, cmd_copy, cmd_release};

static int entrypoint_decode(const struct json *j, struct container_spec *s, bool stored,
                             struct err *e)
{
    (void)stored;
    return words_decode(j, &s->entrypoint, &s->entrypoint_set, e);
}

static void entrypoint_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    (void)stored;
    jsonw_strv(w, &s->entrypoint);
}

static bool entrypoint_absent(const struct container_spec *s)
{
    return !s->entrypoint_set && s->entrypoint.n == 0;
}

static void entrypoint_copy(struct container_spec *d, const struct container_spec *s)
{
    strv_copy(&d->entrypoint, &s->entrypoint);
    d->entrypoint_set = s->entrypoint_set;
}

static void entrypoint_release(struct container_spec *s)
{
    strv_release(&s->entrypoint);
    s->entrypoint_set = false;
}

const struct spec_codec codec_entrypoint = {entrypoint_decode, entrypoint_encode, entrypoint_absent,
                                            entrypoint_copy, entrypoint_release};

/* ------------------------------------------------------------ Healthcheck */

static int health_decode(const struct json *j, struct container_spec *s, bool stored, struct err *e)
{
    struct health_spec *h = &s->health;

    (void)stored;
    h->set = true;
    if (want_type(j, JSON_OBJECT, e) || get_strv(j, "Test", &h->test, e) ||
        get_i64(j, "Interval", &h->interval_ns, e) || get_i64(j, "Timeout", &h->timeout_ns, e) ||
        get_i64(j, "StartPeriod", &h->start_period_ns, e) ||
        get_i64(j, "StartInterval", &h->start_interval_ns, e) ||
        get_i64(j, "Retries", &h->retries, e))
        return -1;
    return 0;
}

static void health_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    const struct health_spec *h = &s->health;

    (void)stored;
    jsonw_obj(w);
    jsonw_opt_strv(w, "Test", &h->test);
    jsonw_opt_i64(w, "Interval", h->interval_ns);
    jsonw_opt_i64(w, "Timeout", h->timeout_ns);
    jsonw_opt_i64(w, "StartPeriod", h->start_period_ns);
    jsonw_opt_i64(w, "StartInterval", h->start_interval_ns);
    jsonw_opt_i64(w, "Retries", h->retries);
    jsonw_end_obj(w);
}

static bool health_absent(const struct container_spec *s)
{
    return !s->health.set;
}

static void health_copy(struct container_spec *d, const struct container_spec *s)
{
    d->health = s->health;
    d->health.test = (struct strv){0};
    strv_copy(&d->health.test, &s->health.test);
}

static void health_release(struct container_spec *s)
{
    strv_release(&s->health.test);
    memset(&s->health, 0, sizeof(s->health));
}

const struct spec_codec codec_health = {health_decode, health_encode, health_absent, health_copy,
                                        health_release};

/* ------------------------------------------------------------ Volumes: {"/data":{}} */

static int volumes_decode(const struct json *j, struct container_spec *s, bool stored,
                          struct err *e)
{
    struct json_iter it = json_iter(j);

    (void)stored;
    if (want_type(j, JSON_OBJECT, e))
        return -1;
    while (json_next(&it))
        if (!strv_has(&s->volumes, it.key))
            strv_add(&s->volumes, it.key);
    return 0;
}

static void volumes_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    cleanup_strv struct strv v = {0};

    strv_copy(&v, &s->volumes);
    if (!stored)
        strv_sort(&v);
    jsonw_obj(w);
    for (size_t i = 0; i < v.n; i++) {
        jsonw_key(w, v.v[i]);
        jsonw_raw(w, "{}");
    }
    jsonw_end_obj(w);
}

static bool volumes_absent(const struct container_spec *s)
{
    return s->volumes.n == 0;
}

static void volumes_copy(struct container_spec *d, const struct container_spec *s)
{
    strv_copy(&d->volumes, &s->volumes);
}

static void volumes_release(struct container_spec *s)
{
    strv_release(&s->volumes);
}

const struct spec_codec codec_volumes = {volumes_decode, volumes_encode, volumes_absent,
                                         volumes_copy, volumes_release};
