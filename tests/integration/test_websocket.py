"""GET /containers/{id}/attach/ws, spoken byte by byte."""
import base64
import hashlib
import os
import socket
import struct

import conftest


class WebSocket:
    def __init__(self, agent, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20 * conftest.SLOW)
        self.sock.connect(str(agent.sock))
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall((f"GET {path} HTTP/1.1\r\nHost: d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n").encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.sock.recv(1)
            assert byte, head
            head += byte
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        assert head.startswith(b"HTTP/1.1 101 ") and accept in head, head

    def send(self, data, op=2):
        mask = os.urandom(4)
        n = len(data)
        size = bytes([0x80 | n]) if n < 126 else bytes([0x80 | 126]) + struct.pack(">H", n)
        self.sock.sendall(bytes([0x80 | op]) + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def exactly(self, n):
        got = b""
        while len(got) < n:
            more = self.sock.recv(n - len(got))
            if not more:
                return None
            got += more
        return got

    def receive(self):
        """(type, payload) of the next frame, or None."""
        head = self.exactly(2)
        if head is None:
            return None
        n = head[1]
        n = struct.unpack(">H", self.exactly(2))[0] if n == 126 else struct.unpack(">Q", self.exactly(8))[0] if n == 127 else n
        return head[0] & 15, self.exactly(n)

    def output(self, stop):
        said = b""
        while stop not in said:
            kind, data = self.receive()
            assert kind == 2, (kind, data)
            said += data
        return said


def test_a_container_talks_over_a_websocket(clean):
    clean.docker("create", "--name", "ws1", "-i", "busybox", "sh", "-c", "while read x; do echo got $x; echo err $x >&2; done")
    ws = WebSocket(clean, "/v1.51/containers/ws1/attach/ws?stream=1&stdin=1&stdout=1&stderr=1")
    clean.docker("start", "ws1")
    ws.send(b"one\n", op=1)
    assert b"got one\n" in ws.output(b"err one\n")
    ws.send(b"ping?", op=9)
    assert ws.receive() == (10, b"ping?")
    ws.send(b"two\n" * 100)
    assert ws.output(b"err two\n" * 1)
    clean.docker("kill", "ws1")
    while (frame := ws.receive()) and frame[0] == 2:
        pass
    assert frame is not None and frame[0] == 8


def test_what_was_said_before_is_shown_and_a_close_detaches(clean):
    clean.docker("run", "-d", "--name", "ws2", "--init", "busybox", "sh", "-c", "echo before; sleep 1000")
    conftest.wait_for("it has spoken", lambda: "before" in clean.out("logs", "ws2"))
    ws = WebSocket(clean, "/containers/ws2/attach/ws?logs=1&stream=1&stdout=1")
    assert ws.output(b"\n") == b"before\n"
    ws.send(struct.pack(">H", 1000), op=8)
    assert ws.receive() == (8, struct.pack(">H", 1000))
    assert clean.inspect("ws2")["State"]["Running"]


def test_bad_handshakes_and_frames_are_refused(clean):
    clean.docker("run", "-d", "--name", "ws3", "--init", "busybox", "sleep", "1000")
    assert clean.http("GET", "/containers/ws3/attach/ws?stream=1")[0] == 400
    assert clean.http("GET", "/containers/nope/attach/ws?stream=1")[0] == 404
    ws = WebSocket(clean, "/containers/ws3/attach/ws?stream=1&stdin=1&stdout=1")
    ws.sock.sendall(b"\x82\x01x")  # not masked
    assert ws.receive() == (8, struct.pack(">H", 1002))
