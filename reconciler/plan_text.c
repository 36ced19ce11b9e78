/*
 * plan_text: what changed in a service, in words.
 *
 * The two models are compared, not the container: a container has its image's settings mixed in.
 * A table says how each setting is put into words; whatever the table does not know is found by
 * comparing the stored forms, so that no change is without a line.
 */
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "core/container.h"
#include "reconciler/plan_internal.h"

#define TEXT_MAX (256 * 1024)

typedef void describe_fn(const struct app_service *s, struct buf *out);

static void join(struct buf *out, const struct strv *v)
{
    for (size_t i = 0; i < v->n; i++)
        buf_addf(out, "%s%s", i ? " " : "", v->v[i]);
}

static void image(const struct app_service *s, struct buf *out)
{
    buf_addf(out, "%s", s->spec->image ? s->spec->image : "");
}

static void name(const struct app_service *s, struct buf *out)
{
    buf_addf(out, "%s", str_empty(s->container_name) ? "the default" : s->container_name);
}

static void command(const struct app_service *s, struct buf *out)
{
    join(out, &s->spec->cmd);
}

static void entrypoint(const struct app_service *s, struct buf *out)
{
    join(out, &s->spec->entrypoint);
}

static void ports(const struct app_service *s, struct buf *out)
{
    for (size_t i = 0; i < s->spec->n_ports; i++) {
        const struct port_binding *p = &s->spec->ports[i];

        buf_addf(out, "%s", i ? " " : "");
        if (!str_empty(p->host_ip))
            buf_addf(out, strchr(p->host_ip, ':') ? "[%s]:" : "%s:", p->host_ip);
        if (p->host_port)
            buf_addf(out, "%u", p->host_port);
        if (p->host_port_end)
            buf_addf(out, "-%u", p->host_port_end);
        buf_addf(out, "%s%u", p->host_port || !str_empty(p->host_ip) ? ":" : "", p->port);
        if (p->proto != PROTO_TCP)
            buf_addf(out, "/%s", proto_name(p->proto));
    }
}

static void mounts(const struct app_service *s, struct buf *out)
{
    for (size_t i = 0; i < s->spec->n_mounts; i++) {
        const struct mount_spec *m = &s->spec->mounts[i];

        buf_addf(out, "%s%s%s%s%s%s%s", i ? " " : "",
                 m->type == MOUNT_TMPFS ? "tmpfs"
                 : m->source            ? m->source
                                        : "",
                 m->type == MOUNT_TMPFS || !str_empty(m->source) ? ":" : "", m->target,
                 m->read_only ? ":ro" : "", m->tmpfs_options ? ":" : "",
                 m->tmpfs_options ? m->tmpfs_options : "");
    }
}

static void networks(const struct app_service *s, struct buf *out)
{
    if (s->spec->n_endpoints == 0)
        buf_addf(out, "%s", s->spec->network_mode ? s->spec->network_mode : "");
    for (size_t i = 0; i < s->spec->n_endpoints; i++)
        buf_addf(out, "%s%s", i ? " " : "", s->spec->endpoints[i].network);
}

static void depends(const struct app_service *s, struct buf *out)
{
    for (size_t i = 0; i < s->n_depends; i++)
        buf_addf(out, "%s%s", i ? " " : "", s->depends[i].service);
}

static void restart(const struct app_service *s, struct buf *out)
{
    const struct container_spec *c = s->spec;

    buf_addf(out, "%s", restart_policy_name(c->restart));
    if (c->restart_attempts || (c->restart == RESTART_ON_FAILURE && c->restart_max))
        buf_addf(out, ":%lld",
                 (long long)(c->restart_attempts ? c->restart_attempts : c->restart_max));
    if (c->restart_delay_ns)
        buf_addf(out, " after %lld ms", (long long)(c->restart_delay_ns / 1000000));
    if (c->restart_window_ns)
        buf_addf(out, " within %lld ms", (long long)(c->restart_window_ns / 1000000));
}

static void user(const struct app_service *s, struct buf *out)
{
    buf_addf(out, "%s", s->spec->user ? s->spec->user : "");
}

static void hostname(const struct app_service *s, struct buf *out)
{
    buf_addf(out, "%s", s->spec->hostname ? s->spec->hostname : "");
}

static void working_dir(const struct app_service *s, struct buf *out)
{
    buf_addf(out, "%s", s->spec->working_dir ? s->spec->working_dir : "");
}

static void bytes_or_none(struct buf *out, int64_t v)
{
    if (v % (1024 * 1024) == 0 && v)
        buf_addf(out, "%lldm", (long long)(v / (1024 * 1024)));
    else if (v)
        buf_addf(out, "%lld", (long long)v);
}

static void memory(const struct app_service *s, struct buf *out)
{
    bytes_or_none(out, s->spec->memory);
}

static void cpus(const struct app_service *s, struct buf *out)
{
    if (s->spec->nano_cpus)
        buf_addf(out, "%g", (double)s->spec->nano_cpus / 1e9);
}

/* In the order in which people look; the second name is the key of the stored form. */
static const struct {
    const char *label;
    describe_fn *describe;
    const char *stored[3];
} settings[] = {
    {"image",          image,       {"Image", NULL, NULL}                         },
    {"container_name", name,        {NULL, NULL, NULL}                            },
    {"command",        command,     {"Cmd", NULL, NULL}                           },
    {"entrypoint",     entrypoint,  {"Entrypoint", NULL, NULL}                    },
    {"ports",          ports,       {"PortBindings", "ExposedPorts", NULL}        },
    {"volumes",        mounts,      {"Mounts", "Tmpfs", "Volumes"}                },
    {"networks",       networks,    {"NetworkMode", "EndpointsConfig", "Networks"}},
    {"depends_on",     depends,     {NULL, NULL, NULL}                            },
    {"restart",        restart,     {"RestartPolicy", NULL, NULL}                 },
    {"user",           user,        {"User", NULL, NULL}                          },
    {"hostname",       hostname,    {"Hostname", NULL, NULL}                      },
    {"working_dir",    working_dir, {"WorkingDir", NULL, NULL}                    },
    {"mem_limit",      memory,      {"Memory", NULL, NULL}                        },
    {"cpus",           cpus,        {"NanoCpus", NULL, NULL}                      },
};

/* Names of variables only: what they hold may be secret. */
static void environment(const struct strv *was, const struct strv *want, struct strv *out)
{
    for (int pass = 0; pass < 2; pass++) {
        const struct strv *from = pass ? was : want, *other = pass ? want : was;

        for (size_t i = 0; i < from->n; i++) {
            size_t n = strcspn(from->v[i], "=");
            const char *match = NULL;

            for (size_t k = 0; k < other->n && !match; k++)
                if (strcspn(other->v[k], "=") == n && !strncmp(other->v[k], from->v[i], n))
                    match = other->v[k];
            if (!match)
                strv_addf(out, "environment: %.*s %s", (int)n, from->v[i],
                          pass ? "is gone" : "is new");
            else if (!pass && !str_eq(match, from->v[i]))
                strv_addf(out, "environment: %.*s changed", (int)n, from->v[i]);
        }
    }
}

static bool own_label(const char *key)
{
    return str_starts(key, "com.docker.compose.");
}

static void labels(const struct kvs *was, const struct kvs *want, struct strv *out)
{
    for (size_t i = 0; i < want->n; i++) {
        const char *old = kvs_get(was, want->v[i].k);

        if (own_label(want->v[i].k) || str_eq(old, want->v[i].v))
            continue;
        strv_addf(out, "labels: %s %s", want->v[i].k, old ? "changed" : "is new");
    }
    for (size_t i = 0; i < was->n; i++)
        if (!own_label(was->v[i].k) && !kvs_get(want, was->v[i].k))
            strv_addf(out, "labels: %s is gone", was->v[i].k);
}

static void described(const struct app_service *was, const struct app_service *want,
                      struct strv *out)
{
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        cleanup_buf struct buf a = BUF_INIT(TEXT_MAX), b = BUF_INIT(TEXT_MAX);

        settings[i].describe(was, &a);
        settings[i].describe(want, &b);
        if (!str_eq(a.data, b.data))
            strv_addf(out, "%s: %s -> %s", settings[i].label, a.len ? a.data : "none",
                      b.len ? b.data : "none");
    }
}

/* ------------------------------------------------ what the table has not said */

static bool is_described(const char *key)
{
    static const char *const others[] = {"Env", "Labels"};

    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        for (size_t k = 0; k < ARRAY_LEN(settings[i].stored); k++)
            if (settings[i].stored[k] && str_eq_nocase(settings[i].stored[k], key))
                return true;
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (str_eq_nocase(others[i], key))
            return true;
    return false;
}

static int stored(const struct app_service *s, struct json_doc *doc)
{
    cleanup_buf struct buf b = BUF_INIT(16 * 1024 * 1024);
    struct jsonw w = JSONW_INIT(&b);

    container_spec_store(s->spec, &w);
    return json_parse(b.data, b.len, doc, ERR_IGNORE);
}

static void compare_stored(const struct json *a, const struct json *b, struct strv *out)
{
    for (struct json_iter it = json_iter(b); json_next(&it);) {
        cleanup_buf struct buf x = BUF_INIT(TEXT_MAX), y = BUF_INIT(TEXT_MAX);
        struct json old = json_get(a, it.key);

        if (is_described(it.key))
            continue;
        json_text(&old, &x);
        json_text(&it.value, &y);
        if (str_eq(x.data, y.data))
            continue;
        if (json_typeof(&it.value) == JSON_OBJECT && json_typeof(&old) == JSON_OBJECT &&
            (str_eq(it.key, "Config") || str_eq(it.key, "HostConfig") || str_eq(it.key, "Own")))
            compare_stored(&old, &it.value, out);
        else
            strv_addf(out, "%s changed", it.key);
    }
    for (struct json_iter it = json_iter(a); json_next(&it);)
        if (!json_has(b, it.key) && !is_described(it.key))
            strv_addf(out, "%s is gone", it.key);
}

static void others(const struct app_service *was, const struct app_service *want, struct strv *out)
{
    cleanup_json struct json_doc a = {0};
    cleanup_json struct json_doc b = {0};

    if (stored(was, &a) || stored(want, &b))
        return;
    struct json x = json_root(&a), y = json_root(&b);

    compare_stored(&x, &y, out);
}

void plan_changes(const struct app_service *was, const struct app_service *want, struct strv *out)
{
    if (!was || !want)
        return;
    described(was, want, out);
    environment(&was->spec->env, &want->spec->env, out);
    labels(&was->spec->labels, &want->spec->labels, out);
    others(was, want, out);
}

char *plan_cause(const struct strv *changes, const char *otherwise)
{
    cleanup_strv struct strv subjects = {0};

    if (changes->n == 0)
        return xstrdup(otherwise);
    if (changes->n == 1)
        return xstrdup(changes->v[0]);
    for (size_t i = 0; i < changes->n; i++) {
        cleanup_free char *subject = str_ndup(changes->v[i], strcspn(changes->v[i], ": "));

        if (!strv_has(&subjects, subject))
            strv_add(&subjects, subject);
    }
    cleanup_free char *text = str_join((const char *const *)subjects.v, subjects.n, ", ");

    return str_printf("%s changed", text);
}
