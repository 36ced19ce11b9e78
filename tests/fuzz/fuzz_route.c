/* fuzz_route: any bytes as a request target: decoding, the query, the version and the table. */
#include <stdlib.h>
#include <string.h>

#include "api/request.h"
#include "api/route.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS"};
    char *target = str_ndup((const char *)data, size);
    struct http_head head = {.method = "GET", .target = target};
    struct request rq = {0};
    char version[ROUTE_VERSION_MAX];
    struct route_args args;
    int64_t n = 0;
    bool plain;
    int minor;

    if (!request_init(&rq, &head, ERR_IGNORE)) {
        const char *path = route_version(rq.path, version);

        for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
            const struct route *r =
                route_find(routes, n_routes, methods[i], path, &args, ERR_IGNORE);

            if (r && args.n > 0 && args.arg[0].at + args.arg[0].len > path + strlen(path))
                abort();
        }
        (void)!version_parse(version, &minor, &plain, ERR_IGNORE);
        for (size_t i = 0; i < rq.query.n; i++) {
            query_bool(&rq, rq.query.v[i].key, false);
            (void)!query_int(&rq, rq.query.v[i].key, &n, ERR_IGNORE);
            (void)!query_time(&rq, rq.query.v[i].key, &n, ERR_IGNORE);
        }
    }
    request_release(&rq);
    free(target);
    return 0;
}
