/* fuzz_yaml: any bytes as YAML; and the parts of compose/ that read a text of their own. */
#include "base/mem.h"
#include "compose/compose_internal.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yaml_doc doc;
    struct err e = ERR_INIT;
    cleanup_kvs struct kvs vars = {0}, out = {0};
    cleanup_strv struct strv words = {0};
    cleanup_free char *text = str_ndup((const char *)data, size);

    kvs_set(&vars, "A", "value");
    kvs_set(&vars, "EMPTY", "");
    if (!yaml_parse((const char *)data, size, "f", &doc, &e)) {
        if (!interpolate_tree(doc.root, &vars, &e))
            yaml_scalar_type(doc.root);
        yaml_release(&doc);
    }
    if (dotenv_parse((const char *)data, size, ".env", size & 1, &vars, &out, &e) ||
        shell_split(text, &words, &e))
        return 0;
    return 0;
}
