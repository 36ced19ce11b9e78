/* config: what the agent has worked out for the driver, as the shim hands it over: one JSON object.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "logdrivers/remote/remote.h"

#define CONFIG_MAX (1024 * 1024)

void remote_config_release(struct remote_config *c)
{
    char *const texts[] = {c->driver,  c->id,      c->name, c->image_name, c->image_id,
                           c->command, c->created, c->host, c->tag};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    kvs_release(&c->opts);
    kvs_release(&c->attrs);
    kvs_release(&c->env);
    *c = (struct remote_config){0};
}

static int read_all(int fd, struct buf *out, struct err *e)
{
    char bytes[8192];
    ssize_t n;

    /* From the beginning: an earlier instance has had the same description. */
    for (off_t at = 0; (n = pread(fd, bytes, sizeof(bytes), at)) != 0; at += n) {
        if (n < 0)
            return err_os(e, errno, "read the log configuration");
        buf_add(out, bytes, (size_t)n);
    }
    return buf_check(out, "the log configuration", e);
}

int remote_config_read(int fd, struct remote_config *out, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(CONFIG_MAX);
    cleanup_json struct json_doc doc = {0};
    struct {
        const char *key;
        char **to;
    } const texts[] = {
        {"driver",     &out->driver    },
        {"id",         &out->id        },
        {"name",       &out->name      },
        {"image_name", &out->image_name},
        {"image_id",   &out->image_id  },
        {"command",    &out->command   },
        {"created",    &out->created   },
        {"host",       &out->host      },
        {"tag",        &out->tag       },
    };
    struct {
        const char *key;
        struct kvs *to;
    } const maps[] = {
        {"opts",  &out->opts },
        {"attrs", &out->attrs},
        {"env",   &out->env  },
    };
    struct json root;

    if (read_all(fd, &text, e) || json_parse(text.data, text.len, &doc, e))
        return -1;
    root = json_root(&doc);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct json j = json_get(&root, texts[i].key);

        *texts[i].to = xstrdup("");
        if (json_str(&j, texts[i].to, e))
            return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        struct json j = json_get(&root, maps[i].key);

        if (json_kvs(&j, maps[i].to, e))
            return -1;
    }
    return 0;
}

bool remote_bool(const struct remote_config *c, const char *key, bool fallback)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    const char *v = kvs_get(&c->opts, key);

    if (str_empty(v))
        return fallback;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        if (str_eq(v, yes[i]))
            return true;
    return false;
}

int64_t remote_i64(const struct remote_config *c, const char *key, int64_t fallback)
{
    const char *v = kvs_get(&c->opts, key);
    int64_t n;

    return str_empty(v) || parse_i64(v, INT64_MIN, INT64_MAX, key, &n, ERR_IGNORE) ? fallback : n;
}
