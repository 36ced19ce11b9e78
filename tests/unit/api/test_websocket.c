/* The frames of a websocket, whole and in pieces; what no client may send. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/websocket.h"
#include "base/buf.h"
#include "base/cancel.h"
#include "base/http.h"
#include "base/str.h"
#include "base/stream_fd.h"
#include "tests/unit/unit.h"

/* Everything in steps of `step` bytes: data is gathered, control frames leave their letter. */
static int feed(const char *bytes, size_t n, size_t step, struct buf *data, struct buf *controls,
                struct err *e)
{
    struct ws_parser p = {0};
    uint8_t copy[1024];
    size_t at = 0;

    memcpy(copy, bytes, n);
    while (at < n) {
        size_t room = n - at < step ? n - at : step, used;
        struct ws_piece piece;

        if (ws_parse(&p, copy + at, room, &used, &piece, e))
            return -1;
        if (piece.kind == WS_DATA)
            buf_add(data, (const char *)piece.bytes, piece.len);
        else if (piece.kind != WS_NOTHING)
            buf_addf(controls, "%c%.*s", "-dPOC"[piece.kind], (int)piece.len, piece.bytes);
        at += used;
    }
    return 0;
}

/* Masked with zeros, so that the payload is plain. */
#define FRAME(head, n) head n "\0\0\0\0"

static void messages_come_out_whole_whatever_the_pieces(void **state)
{
    static const char text[] = FRAME("\x01", "\x83") "one" FRAME("\x89", "\x82") "hi" FRAME(
        "\x80", "\x84") "+two" FRAME("\x82", "\xfe\0\x05") "three" FRAME("\x88", "\x80");

    (void)state;
    for (size_t step = 1; step < sizeof(text); step++) {
        cleanup_buf struct buf data = BUF_INIT(1024), controls = BUF_INIT(1024);

        assert_ok(feed(text, sizeof(text) - 1, step, &data, &controls, ERR_IGNORE));
        assert_string_equal(data.data, "one+twothree");
        assert_string_equal(controls.data, "PhiC");
    }
}

static void the_mask_is_taken_off(void **state)
{
    cleanup_buf struct buf data = BUF_INIT(1024), controls = BUF_INIT(1024);
    static const char text[] = "\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

    (void)state;
    assert_ok(feed(text, sizeof(text) - 1, 3, &data, &controls, ERR_IGNORE));
    assert_string_equal(data.data, "Hello");
}

static void what_no_client_may_send_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {
        {"\x82\x01\0\0\0\0x",                  7 }, /* not masked */
        {"\xc2\x81\0\0\0\0x",                  7 }, /* a reserved bit */
        {"\x80\x81\0\0\0\0x",                  7 }, /* goes on, but nothing began */
        {"\x09\x80\0\0\0\0",                   6 }, /* a ping in parts */
        {"\x89\xfe\0\x7e\0\0\0\0",             8 }, /* a ping of 126 bytes */
        {"\x83\x80\0\0\0\0",                   6 }, /* an unknown type */
        {"\x82\xff\xff\0\0\0\0\0\0\0\0\0\0\0", 14}, /* longer than anything */
        {"\x02\x81\0\0\0\0x\x82\x81\0\0\0\0y", 14}, /* one begins before the other ends */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cleanup_buf struct buf data = BUF_INIT(1024), controls = BUF_INIT(1024);
        struct err e = ERR_INIT;

        if (feed(bad[i].bytes, bad[i].n, 64, &data, &controls, &e) == 0)
            fail_msg("row %zu was taken", i);
        assert_int_equal(e.kind, ERR_INVALID);
    }
}

static void the_handshake_is_that_of_the_specification(void **state)
{
    char accept[32];

    (void)state;
    ws_accept("dGhlIHNhbXBsZSBub25jZQ==", accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

/* The last frame does not fit, since nobody reads: the server's end waits for that no longer. */
static void who_reads_nothing_holds_up_no_end(void **state)
{
    struct cancel *closing = cancel_new();
    char chunk[4096] = {0};
    struct stream *io, *ws;
    struct http_reader in;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    while (send(pair[0], chunk, sizeof(chunk), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        ;
    io = stream_fd_new(pair[0], "client");
    http_reader_init(&in, io, NULL);
    ws = ws_stream_new(&in, io, closing);
    cancel_fire(closing);
    assert_ok(stream_close_write(ws, &e));
    stream_free(ws);
    http_reader_release(&in);
    stream_free(io);
    cancel_free(closing);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_whole_whatever_the_pieces),
        cmocka_unit_test(the_mask_is_taken_off),
        cmocka_unit_test(what_no_client_may_send_is_refused),
        cmocka_unit_test(the_handshake_is_that_of_the_specification),
        cmocka_unit_test(who_reads_nothing_holds_up_no_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
