/* fuzz_filters: any text as a filters parameter, then every way to match with it. */
#include "api/filters.h"
#include "base/str.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const allowed[] = {"label", "name", "until", NULL};
    char *text = str_ndup((const char *)data, size);
    cleanup_filters struct filters f = {0};
    cleanup_kvs struct kvs labels = {0};
    bool flag = false, set;
    int64_t until;

    kvs_set(&labels, "a", "b");
    if (!filters_parse(text, &f, ERR_IGNORE)) {
        (void)!filters_check(&f, allowed, ERR_IGNORE);
        for (size_t i = 0; i < f.n; i++) {
            filters_exact(&f, f.v[i].key, "abc");
            filters_prefix(&f, f.v[i].key, "abc");
            filters_match(&f, f.v[i].key, "shop-web-1");
            filters_labels(&f, f.v[i].key, &labels);
            filters_no_labels(&f, f.v[i].key, &labels);
            (void)!filters_bool(&f, f.v[i].key, &flag, ERR_IGNORE);
        }
        (void)!filters_until(&f, &until, &set, ERR_IGNORE);
    }
    free(text);
    return 0;
}
