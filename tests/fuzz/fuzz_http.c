/* fuzz_http: any bytes as a connection: heads and bodies are read until one is refused. */
#include "base/http.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/mem_stream.h"

static void as_requests(const char *text, size_t size, size_t piece)
{
    struct http_reader r;
    struct mem_stream m;
    bool eof = false;

    mem_stream_init(&m, text, size, piece);
    http_reader_init(&r, &m.base, NULL);
    while (!eof) {
        cleanup_http_head struct http_head h = {0};
        struct http_body b;
        int status;

        if (http_read_request(&r, &h, &eof, &status, ERR_IGNORE) || eof)
            break;
        http_body_init(&b, &r, &h);
        if (!http_body_drain(&b, 1 << 20))
            break;
    }
    http_reader_release(&r);
    stream_free(&m.base);
}

static void as_response(const char *text, size_t size)
{
    cleanup_http_head struct http_head h = {0};
    struct http_reader r;
    struct mem_stream m;
    struct http_body b;

    mem_stream_init(&m, text, size, 3);
    http_reader_init(&r, &m.base, NULL);
    if (!http_read_response(&r, "GET", &h, ERR_IGNORE)) {
        http_body_init(&b, &r, &h);
        (void)http_body_drain(&b, 1 << 20);
    }
    http_reader_release(&r);
    stream_free(&m.base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_requests((const char *)data, size, 0);
    as_requests((const char *)data, size, 5);
    as_response((const char *)data, size);
    return 0;
}
