/* What a volume plugin answers, and the files that say where one is. */
#include <stdlib.h>

#include "base/str.h"
#include "tests/fuzz/fuzz.h"
#include "voldrivers/plugin_internal.h"

static void check_volume(const struct plugin_volume *v)
{
    struct json_doc doc = {0};

    if (!v->status)
        return;
    if (json_parse(v->status, strlen(v->status), &doc, ERR_IGNORE))
        abort(); /* it is printed as it is */
    json_release(&doc);
}

static void reply(const char *text, size_t n)
{
    struct plugin_reply r;

    if (plugin_reply_parse(text, n, &r, ERR_IGNORE))
        return;
    check_volume(&r.volume);
    for (size_t i = 0; i < r.n_volumes; i++)
        check_volume(&r.volumes[i]);
    plugin_reply_release(&r);
}

static void address(int (*parse)(const char *, size_t, struct plugin_address *, struct err *),
                    const char *text, size_t n)
{
    struct plugin_address a = {0};

    if (parse(text, n, &a, ERR_IGNORE) == 0 && !strstr(a.url, "://"))
        abort();
    plugin_address_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;

    if (size == 0)
        return 0;
    if (*data == 'r')
        reply(text, size - 1);
    else if (*data == 's')
        address(plugin_spec_parse, text, size - 1);
    else
        address(plugin_json_parse, text, size - 1);
    return 0;
}
