/* A client's websocket frames, in pieces of any size: never more payload than bytes, no endless
 * loop. */
#include <stdlib.h>
#include <string.h>

#include "api/websocket.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ws_parser p = {0};
    size_t step = size ? 1 + data[0] % 32 : 1;
    uint8_t *copy = malloc(size + 1);
    size_t at = 0, payload = 0;

    memcpy(copy, data, size);
    while (at < size) {
        size_t n = size - at < step ? size - at : step, used = 0;
        struct ws_piece piece;

        if (ws_parse(&p, copy + at, n, &used, &piece, ERR_IGNORE))
            break;
        if (used > n || (used == 0 && piece.kind == WS_NOTHING))
            abort();
        if (piece.kind == WS_DATA) {
            payload += piece.len;
            if (piece.bytes < copy || piece.bytes + piece.len > copy + size)
                abort();
        } else if (piece.kind != WS_NOTHING && piece.len > WS_CONTROL_MAX) {
            abort();
        }
        at += used;
    }
    if (payload > size)
        abort();
    free(copy);
    return 0;
}
