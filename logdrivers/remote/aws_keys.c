/* aws_keys: where credentials come from; see aws.h for the order. */
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "logdrivers/remote/aws.h"
#include "logdrivers/remote/http.h"

#define CONTAINER_ENDPOINT "http://169.254.170.2"
#define INSTANCE_ENDPOINT  "http://169.254.169.254"
#define FILE_MAX           (256 * 1024)

void aws_keys_release(struct aws_keys *k)
{
    free(k->id);
    free(k->secret);
    free(k->token);
    *k = (struct aws_keys){0};
}

static int missing(const char *where, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "no credentials in %s", where);
}

/* ------------------------------------------------------------------ environment and file */

static int from_env(const struct kvs *env, struct aws_keys *out, struct err *e)
{
    const char *id = kvs_get(env, "AWS_ACCESS_KEY_ID");
    const char *secret = kvs_get(env, "AWS_SECRET_ACCESS_KEY");

    if (str_empty(id) || str_empty(secret))
        return missing("the environment", e);
    str_set(&out->id, id);
    str_set(&out->secret, secret);
    str_set(&out->token, kvs_get(env, "AWS_SESSION_TOKEN"));
    return 0;
}

/* One line of an INI file; *in_profile says whether the section is ours. */
static void take_line(char *line, const char *profile, bool *in_profile, struct aws_keys *out)
{
    const struct {
        const char *key;
        char **to;
    } keys[] = {
        {"aws_access_key_id",     &out->id    },
        {"aws_secret_access_key", &out->secret},
        {"aws_session_token",     &out->token },
    };
    char *value;

    line = str_trim(line);
    if (*line == '[') {
        line[strcspn(line, "]")] = '\0';
        *in_profile = str_eq(str_trim(line + 1), profile);
        return;
    }
    value = strchr(line, '=');
    if (!*in_profile || !value || *line == '#' || *line == ';')
        return;
    *value++ = '\0';
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (str_eq_nocase(str_trim(line), keys[i].key))
            str_set(keys[i].to, str_trim(value));
}

static int from_file(const struct kvs *env, struct aws_keys *out, struct err *e)
{
    const char *given = kvs_get(env, "AWS_SHARED_CREDENTIALS_FILE");
    const char *profile = kvs_get(env, "AWS_PROFILE"), *home = kvs_get(env, "HOME");
    cleanup_free char *path = !str_empty(given)
                                  ? xstrdup(given)
                                  : str_printf("%s/.aws/credentials", home ? home : "/root");
    cleanup_buf struct buf text = BUF_INIT(FILE_MAX);
    cleanup_strv struct strv lines = {0};
    bool in_profile = false;

    if (fs_read(path, &text, e))
        return -1;
    strv_split(&lines, text.data, '\n');
    for (size_t i = 0; i < lines.n; i++)
        take_line(lines.v[i], str_empty(profile) ? "default" : profile, &in_profile, out);
    return str_empty(out->id) || str_empty(out->secret) ? missing(path, e) : 0;
}

/* ------------------------------------------------------------------ endpoints */

static int get(struct http *h, const char *method, const char *url, const struct kvs *headers,
               struct buf *reply, struct err *e)
{
    const struct http_call call = {
        .method = method, .url = url, .headers = headers, .direct = true};
    long status = 0;

    if (http_do(h, &call, &status, reply, e))
        return -1;
    if (status != 200)
        return err_set(e, ERR_UNAVAILABLE, "%s \"%s\": status %ld", method, url, status);
    return buf_check(reply, url, e);
}

/* {"AccessKeyId","SecretAccessKey","Token","Expiration"}: both endpoints answer so. */
static int take_reply(const struct buf *reply, const char *url, struct aws_keys *out, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    struct json root;

    if (json_parse(reply->data, reply->len, &doc, e))
        return err_wrap(e, "%s", url);
    root = json_root(&doc);
    str_set(&out->id, json_get_str(&root, "AccessKeyId"));
    str_set(&out->secret, json_get_str(&root, "SecretAccessKey"));
    str_set(&out->token, json_get_str(&root, "Token"));
    if (time_parse(json_get_str(&root, "Expiration"), &out->expires_ns, ERR_IGNORE))
        out->expires_ns = 0;
    return str_empty(out->id) || str_empty(out->secret) ? missing(url, e) : 0;
}

static int from_container(struct http *h, const struct kvs *env, const char *relative,
                          struct aws_keys *out, struct err *e)
{
    const char *full = kvs_get(env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    const char *token = kvs_get(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    cleanup_buf struct buf reply = BUF_INIT(HTTP_REPLY_MAX);
    cleanup_kvs struct kvs headers = {0};
    cleanup_free char *url = NULL;

    if (str_empty(relative))
        relative = kvs_get(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    if (str_empty(relative) && str_empty(full))
        return missing("the container's endpoint", e);
    url = str_empty(relative) ? xstrdup(full) : str_printf(CONTAINER_ENDPOINT "%s", relative);
    if (!str_empty(token))
        kvs_set(&headers, "Authorization", token);
    return get(h, "GET", url, &headers, &reply, e) || take_reply(&reply, url, out, e) ? -1 : 0;
}

static const char *instance_endpoint(const struct kvs *env)
{
    const char *given = kvs_get(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT");

    return str_empty(given) ? INSTANCE_ENDPOINT : given;
}

/* The second version of the service wants a token first; the first one has none. */
static int ask_instance(struct http *h, const struct kvs *env, const char *path, struct buf *reply,
                        struct err *e)
{
    const char *endpoint = instance_endpoint(env);
    size_t n = strlen(endpoint) - (str_ends(endpoint, "/") ? 1 : 0);
    cleanup_free char *token_url = str_printf("%.*s/latest/api/token", (int)n, endpoint);
    cleanup_free char *url = str_printf("%.*s%s", (int)n, endpoint, path);
    cleanup_kvs struct kvs ask = {0}, headers = {0};
    cleanup_buf struct buf token = BUF_INIT(4096);

    if (str_eq_nocase(kvs_get(env, "AWS_EC2_METADATA_DISABLED"), "true"))
        return missing("the instance's metadata, which AWS_EC2_METADATA_DISABLED forbids", e);
    kvs_set(&ask, "X-aws-ec2-metadata-token-ttl-seconds", "300");
    if (get(h, "PUT", token_url, &ask, &token, ERR_IGNORE) == 0)
        kvs_set(&headers, "X-aws-ec2-metadata-token", token.data);
    return get(h, "GET", url, &headers, reply, e);
}

static int from_instance(struct http *h, const struct kvs *env, struct aws_keys *out, struct err *e)
{
    static const char roles[] = "/latest/meta-data/iam/security-credentials/";
    cleanup_buf struct buf role = BUF_INIT(4096), reply = BUF_INIT(HTTP_REPLY_MAX);
    cleanup_free char *path = NULL;

    if (ask_instance(h, env, roles, &role, e))
        return -1;
    role.data[strcspn(role.data, "\r\n")] = '\0';
    path = str_printf("%s%s", roles, role.data);
    return ask_instance(h, env, path, &reply, e) || take_reply(&reply, path, out, e) ? -1 : 0;
}

int aws_keys_find(struct http *h, const struct kvs *env, const char *relative_uri,
                  struct aws_keys *out, struct err *e)
{
    cleanup_aws_keys struct aws_keys found = {0};

    if (!str_empty(relative_uri)) {
        if (from_container(h, env, relative_uri, &found, e))
            return -1;
    } else if (from_env(env, &found, e) && from_file(env, &found, e) &&
               from_container(h, env, NULL, &found, e) && from_instance(h, env, &found, e)) {
        return err_wrap(e, "get credentials");
    }
    aws_keys_release(out);
    *out = found;
    found = (struct aws_keys){0};
    return 0;
}

int aws_region_find(struct http *h, const struct kvs *env, struct buf *out, struct err *e)
{
    cleanup_buf struct buf reply = BUF_INIT(HTTP_REPLY_MAX);
    cleanup_json struct json_doc doc = {0};
    const char *region;
    struct json root;

    if (ask_instance(h, env, "/latest/dynamic/instance-identity/document", &reply, e) ||
        json_parse(reply.data, reply.len, &doc, e))
        return err_wrap(e, "cannot determine region for awslogs driver");
    root = json_root(&doc);
    region = json_get_str(&root, "region");
    if (!*region)
        return err_set(e, ERR_INVALID, "cannot determine region for awslogs driver");
    buf_addf(out, "%s", region);
    return buf_check(out, "the region", e);
}
