/*
 * plugin_find: where a plugin is, by the rules of Docker's plugin discovery.
 *
 * A socket wins over a file: <sockets>/NAME.sock, then <sockets>/NAME/NAME.sock; then, in each
 * directory for specs, NAME.spec, NAME/NAME.spec, NAME.json, NAME/NAME.json.  Nothing is kept: what
 * the directories say now is what counts, so a plugin may come, go and move.
 */
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "voldrivers/plugin_internal.h"

#define SPEC_MAX (64 * 1024)

void plugin_address_release(struct plugin_address *a)
{
    free(a->name);
    free(a->url);
    free(a->ca);
    free(a->cert);
    free(a->key);
    *a = (struct plugin_address){0};
}

/* A name becomes part of paths. */
static bool name_ok(const char *name)
{
    return *name && *name != '.' && !strchr(name, '/') && strlen(name) <= 200;
}

static bool is_socket(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* ------------------------------------------------------------------ files */

static int check_url(const char *url, struct err *e)
{
    static const char *const schemes[] = {"unix://", "tcp://", "http://", "https://"};

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (str_starts(url, schemes[i]) && url[strlen(schemes[i])])
            return 0;
    return err_set(e, ERR_INVALID, "unknown protocol in the plugin's address \"%.200s\"", url);
}

int plugin_spec_parse(const char *text, size_t len, struct plugin_address *out, struct err *e)
{
    cleanup_free char *copy = str_ndup(text, len);

    str_set(&out->url, str_trim(copy));
    return check_url(out->url, e);
}

int plugin_json_parse(const char *text, size_t len, struct plugin_address *out, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    struct json root, addr, tls, ca, cert, key, insecure;

    if (json_parse(text, len, &doc, e))
        return -1;
    root = json_root(&doc);
    addr = json_get(&root, "Addr");
    tls = json_get(&root, "TLSConfig");
    ca = json_get(&tls, "CAFile");
    cert = json_get(&tls, "CertFile");
    key = json_get(&tls, "KeyFile");
    insecure = json_get(&tls, "InsecureSkipVerify");
    if (json_str(&addr, &out->url, e) || json_str(&ca, &out->ca, e) ||
        json_str(&cert, &out->cert, e) || json_str(&key, &out->key, e) ||
        json_bool(&insecure, &out->insecure, e))
        return -1;
    out->tls = json_exists(&tls);
    out->insecure = out->insecure || str_empty(out->ca);
    return check_url(out->url ? out->url : "", e);
}

static int read_file(const char *path, struct plugin_address *out, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(SPEC_MAX);
    int r;

    if (fs_read(path, &text, e) || buf_check(&text, path, e))
        return -1;
    r = str_ends(path, ".json") ? plugin_json_parse(text.data, text.len, out, e)
                                : plugin_spec_parse(text.data, text.len, out, e);
    return r ? err_wrap(e, "%s", path) : 0;
}

/* ------------------------------------------------------------------ one name */

/* <dir>/NAME<ext> or <dir>/NAME/NAME<ext>; NULL: neither. */
static char *place(const char *dir, const char *name, const char *ext, bool (*there)(const char *))
{
    for (int below = 0; below < 2; below++) {
        char *path = below ? str_printf("%s/%s/%s%s", dir, name, name, ext)
                           : str_printf("%s/%s%s", dir, name, ext);

        if (there(path))
            return path;
        free(path);
    }
    return NULL;
}

int plugin_find(const struct vol_env *env, const char *name, struct plugin_address *out,
                struct err *e)
{
    static const char *const extensions[] = {".spec", ".json"};
    cleanup_free char *socket = NULL;

    *out = (struct plugin_address){0};
    if (!name_ok(name) || !env->plugin_sockets)
        return err_set(e, ERR_NOT_FOUND, "plugin \"%.200s\" not found", name);
    out->name = xstrdup(name);
    socket = place(env->plugin_sockets, name, ".sock", is_socket);
    if (socket) {
        out->url = str_printf("unix://%s", socket);
        return 0;
    }
    for (size_t i = 0; env->plugin_specs && i < env->plugin_specs->n; i++)
        for (size_t k = 0; k < ARRAY_LEN(extensions); k++) {
            cleanup_free char *path =
                place(env->plugin_specs->v[i], name, extensions[k], fs_exists);

            if (path)
                return read_file(path, out, e);
        }
    return err_set(e, ERR_NOT_FOUND, "plugin \"%s\" not found", name);
}

/* ------------------------------------------------------------------ all names */

static void add_once(struct strv *out, const char *file, size_t len)
{
    cleanup_free char *name = str_ndup(file, len);

    if (name_ok(name) && !strv_has(out, name))
        strv_add(out, name);
}

/* A directory NAME counts when it holds NAME.<ext>, which plugin_find() tells. */
static void names_in(const char *dir, struct strv *out)
{
    static const char *const extensions[] = {".sock", ".spec", ".json"};
    cleanup_strv struct strv files = {0};

    if (fs_list(dir, &files, ERR_IGNORE))
        return;
    for (size_t i = 0; i < files.n; i++) {
        cleanup_free char *path = path_join(dir, files.v[i]);

        for (size_t k = 0; k < ARRAY_LEN(extensions); k++)
            if (str_ends(files.v[i], extensions[k]))
                add_once(out, files.v[i], strlen(files.v[i]) - strlen(extensions[k]));
        if (fs_is_dir(path))
            add_once(out, files.v[i], strlen(files.v[i]));
    }
}

void plugin_names(const struct vol_env *env, struct strv *out)
{
    cleanup_strv struct strv all = {0};

    if (!env->plugin_sockets)
        return;
    names_in(env->plugin_sockets, &all);
    for (size_t i = 0; env->plugin_specs && i < env->plugin_specs->n; i++)
        names_in(env->plugin_specs->v[i], &all);
    strv_sort(&all);
    for (size_t i = 0; i < all.n; i++) {
        cleanup_plugin_address struct plugin_address a = {0};

        if (plugin_find(env, all.v[i], &a, ERR_IGNORE) == 0)
            strv_add(out, all.v[i]);
    }
}
