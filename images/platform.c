/*
 * platform: names of machines, and which runs what.  Names are Go's (GOOS, GOARCH); spellings of
 * uname are accepted as containerd accepts them.
 */
#include "base/mem.h"
#include "images/manifest.h"

#if defined(__x86_64__)
#define HOST_ARCH "amd64"
#elif defined(__aarch64__)
#define HOST_ARCH "arm64"
#elif defined(__arm__)
#define HOST_ARCH "arm"
#elif defined(__i386__)
#define HOST_ARCH "386"
#elif defined(__riscv)
#define HOST_ARCH "riscv64"
#elif defined(__powerpc64__)
#define HOST_ARCH "ppc64le"
#elif defined(__s390x__)
#define HOST_ARCH "s390x"
#elif defined(__loongarch64)
#define HOST_ARCH "loong64"
#else
#error "name this architecture as Go does"
#endif

static const struct {
    const char *from, *arch, *variant;
} spellings[] = {
    {"x86_64",  "amd64", NULL},
    {"x86-64",  "amd64", NULL},
    {"aarch64", "arm64", NULL},
    {"armhf",   "arm",   "v7"},
    {"armel",   "arm",   "v6"},
    {"i386",    "386",   NULL},
    {"i686",    "386",   NULL},
};

/* Variants in order; a machine runs its own and those before it. */
static const struct {
    const char *arch;
    const char *variants[6];
    const char *usual; /* what "" means */
} orders[] = {
    {"amd64", {"v1", "v2", "v3", "v4"}, "v1"},
    {"arm",   {"v5", "v6", "v7", "v8"}, "v7"},
    {"arm64", {"v8", "v9"},             "v8"},
};

void platform_release(struct platform *p)
{
    free(p->os);
    free(p->arch);
    free(p->variant);
    *p = (struct platform){0};
}

static void normalize(struct platform *p)
{
    for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
        if (!str_eq(p->arch, spellings[i].from))
            continue;
        str_set(&p->arch, spellings[i].arch);
        if (spellings[i].variant && str_empty(p->variant))
            str_set(&p->variant, spellings[i].variant);
        break;
    }
}

/* One word alone is an operating system, or else an architecture. */
static int one_word(const char *word, struct platform *out, struct err *e)
{
    static const char *const systems[] = {"linux",   "windows", "darwin",  "freebsd", "netbsd",
                                          "openbsd", "solaris", "illumos", "android", "wasip1"};
    static const char *const arches[] = {"amd64",   "arm64",    "arm",     "386",  "riscv64",
                                         "ppc64le", "ppc64",    "s390x",   "mips", "mips64",
                                         "mipsle",  "mips64le", "loong64", "wasm"};
    struct platform p = {xstrdup("linux"), xstrdup(word), xstrdup("")};
    bool known = false;

    normalize(&p);
    for (size_t i = 0; i < ARRAY_LEN(arches); i++)
        known = known || str_eq(p.arch, arches[i]);
    for (size_t i = 0; i < ARRAY_LEN(systems); i++) {
        if (!str_eq(word, systems[i]))
            continue;
        known = true;
        str_set(&p.os, word);
        str_set(&p.arch, HOST_ARCH);
    }
    if (!known) {
        platform_release(&p);
        return err_set(e, ERR_INVALID,
                       "\"%s\": unknown operating system or architecture: invalid argument", word);
    }
    *out = p;
    return 0;
}

int platform_parse(const char *text, struct platform *out, struct err *e)
{
    cleanup_strv struct strv parts = {0};
    struct platform p = {0};

    if (str_empty(text)) {
        *out = (struct platform){xstrdup("linux"), xstrdup(HOST_ARCH), xstrdup("")};
        return 0;
    }
    strv_split(&parts, text, '/');
    for (size_t i = 0; i < parts.n; i++)
        if (!*parts.v[i] ||
            strspn(parts.v[i],
                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") !=
                strlen(parts.v[i]))
            return err_set(e, ERR_INVALID,
                           "\"%s\" is an invalid OS component of \"%s\": OSAndVersion specifier "
                           "component must match "
                           "\"^([A-Za-z0-9_-]+)(?:\\\\(([A-Za-z0-9_.-]*)\\\\))?$\": invalid "
                           "argument",
                           parts.v[i], text);
    if (parts.n > 3)
        return err_set(e, ERR_INVALID, "\"%s\": cannot parse platform specifier: invalid argument",
                       text);
    if (parts.n == 1)
        return one_word(text, out, e);
    p = (struct platform){xstrdup(parts.v[0]), xstrdup(parts.v[1]),
                          xstrdup(parts.n > 2 ? parts.v[2] : "")};
    normalize(&p);
    *out = p;
    return 0;
}

char *platform_text(const struct platform *p)
{
    return str_printf("%s/%s%s%s", p->os ? p->os : "", p->arch ? p->arch : "",
                      str_empty(p->variant) ? "" : "/", str_empty(p->variant) ? "" : p->variant);
}

static int variant_rank(const char *arch, const char *have, const char *want, bool strict)
{
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        int h = -1, w = -1;

        if (!str_eq(orders[i].arch, arch))
            continue;
        for (int k = 0; k < 6 && orders[i].variants[k]; k++) {
            if (str_eq(orders[i].variants[k], str_empty(have) ? orders[i].usual : have))
                h = k;
            if (str_eq(orders[i].variants[k], str_empty(want) ? orders[i].usual : want))
                w = k;
        }
        if (h < 0 || w < 0)
            break;
        return h > w || (strict && h != w) ? -1 : w - h;
    }
    return str_eq(have ? have : "", want ? want : "") ? 0 : -1;
}

int platform_rank(const struct platform *have, const struct platform *want, bool strict)
{
    static const struct {
        const char *want, *also, *up_to;
    } also[] = {
        {"amd64", "386", ""  },
        {"arm64", "arm", "v8"}
    };
    struct platform h = {0};
    int rank = -1;

    if (str_empty(have->os) && str_empty(have->arch))
        return 1000; /* it does not say; better than nothing */
    if (!str_eq(have->os, want->os))
        return -1;
    h = (struct platform){NULL, str_dup_or_null(have->arch), str_dup_or_null(have->variant)};
    normalize(&h);
    if (str_eq(h.arch, want->arch))
        rank = variant_rank(want->arch, h.variant, want->variant, strict);
    for (size_t i = 0; rank < 0 && !strict && i < ARRAY_LEN(also); i++) {
        if (!str_eq(want->arch, also[i].want) || !str_eq(h.arch, also[i].also))
            continue;
        rank = variant_rank(h.arch, h.variant, also[i].up_to, false);
        rank = rank < 0 ? -1 : rank + 100;
    }
    platform_release(&h);
    return rank;
}

const struct descriptor *manifest_choose(const struct manifest *index, const struct platform *want,
                                         bool strict)
{
    const struct descriptor *best = NULL;
    int best_rank = -1;

    for (size_t i = 0; i < index->n; i++) {
        int rank = platform_rank(&index->v[i].platform, want, strict);

        if (rank < 0 || (best && rank >= best_rank))
            continue;
        best = &index->v[i];
        best_rank = rank;
    }
    return best;
}
