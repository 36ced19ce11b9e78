"""Peers of the log drivers, written against the protocols: syslog, GELF, fluentd's forward protocol, Splunk's HTTP
event collector, Amazon CloudWatch Logs.  Each listens on a port of its own and keeps what it was sent."""
import gzip
import hashlib
import hmac
import http.server
import json
import os
import re
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import zlib

import msgpack


def certificate(directory):
    """A CA and a certificate for localhost; (ca, cert, key)."""
    ca, cert, key = (str(directory / n) for n in ("ca.pem", "cert.pem", "key.pem"))
    if not os.path.exists(cert):
        run = lambda *a: subprocess.run(["openssl", *a], check=True, capture_output=True, cwd=directory)
        run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test CA", "-keyout", "ca.key",
            "-out", "ca.pem")
        run("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "req.pem")
        (directory / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:collector.example\n")
        run("x509", "-req", "-in", "req.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "ext", "-out", "cert.pem")
    return ca, cert, key


def tls(directory):
    _, cert, key = certificate(directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


class Datagrams:
    """What arrives over UDP, or at a local datagram socket."""

    def __init__(self, path=None):
        self.socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind(path or ("127.0.0.1", 0))
        self.port = None if path else self.socket.getsockname()[1]
        self.got = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while True:
                self.got.append(self.socket.recv(65536))
        except OSError:
            pass

    def close(self):
        self.socket.close()


class Stream:
    """A server for connections that may stop reading, close in the middle, go away and come back."""

    def __init__(self, path=None, context=None, port=0, host="127.0.0.1", receive=None):
        self.path, self.context, self.host, self.port = path, context, host, port
        self.got, self.connections = [], 0  # bytes of each connection
        self.reading = threading.Event()
        self.reading.set()
        self.receive = receive or (lambda s, b: None)
        self.listener = None
        self.start()

    def start(self):
        if self.path:
            if os.path.exists(self.path):
                os.unlink(self.path)
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.path)
        else:
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((self.host, self.port))
            self.port = self.listener.getsockname()[1]
        self.listener.listen(16)
        self.open = []
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()
        return self

    def _accept(self, listener):
        try:
            while True:
                s, _ = listener.accept()
                self.connections += 1
                self.open.append(s)
                threading.Thread(target=self._serve, args=(s,), daemon=True).start()
        except OSError:
            pass

    def _serve(self, s):
        try:
            if self.context:
                s = self.context.wrap_socket(s, server_side=True)
            mine = bytearray()
            self.got.append(mine)
            while True:
                self.reading.wait()
                data = s.recv(65536)
                if not data:
                    break
                mine += data
                self.receive(s, data)
        except OSError:
            pass
        finally:
            s.close()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for s in self.open:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.reading.set()

    def data(self):
        return b"".join(bytes(b) for b in self.got)


class Fluentd:
    """Message mode of the forward protocol, with acknowledgements when they are asked for."""

    def __init__(self, ack=True, **kw):
        self.records, self.ack, self.unpackers = [], ack, {}
        self.close_before_ack = 0
        self.lock = threading.Lock()
        self.stream = Stream(receive=self._receive, **kw)

    def _receive(self, s, data):
        with self.lock:
            unpacker = self.unpackers.setdefault(id(s), msgpack.Unpacker(raw=False, strict_map_key=False, unicode_errors="replace"))
            unpacker.feed(data)
            for tag, when, record, option in unpacker:
                chunk = option.get("chunk") if option else None
                if chunk and self.close_before_ack:
                    self.close_before_ack -= 1
                    s.shutdown(socket.SHUT_RDWR)
                    return
                self.records.append((tag, when, record))
                if chunk and self.ack:
                    s.sendall(msgpack.packb({"ack": chunk}))

    @property
    def port(self):
        return self.stream.port


def gelf_messages(datagrams):
    """Puts chunks together and unpacks."""
    chunks, out = {}, []
    for d in datagrams:
        if d[:2] == b"\x1e\x0f":
            number, count = d[10], d[11]
            parts = chunks.setdefault(d[2:10], {})
            parts[number] = d[12:]
            if len(parts) < count:
                continue
            d = b"".join(parts[i] for i in range(count))
        if d[:2] == b"\x1f\x8b":
            d = gzip.decompress(d)
        elif d[:1] == b"\x78":
            d = zlib.decompress(d)
        out.append(json.loads(d))
    return out


class Http:
    """An HTTP server whose handler is a method: handle(method, path, headers, body) -> (status, text)."""

    def __init__(self, context=None, address=("127.0.0.1", 0)):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, text = outer.handle(self.command, self.path, self.headers, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PUT = do_OPTIONS = _any

            def log_message(self, *a):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.server = Server(address, Handler)
        self.port = self.server.server_address[1]
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def json_values(text):
    """Several JSON values that follow each other."""
    decoder, at, out = json.JSONDecoder(), 0, []
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        out.append(value)
    return out


class Collector(Http):
    """Splunk's HTTP event collector."""

    def __init__(self, token, **kw):
        self.token, self.events, self.batches, self.verified, self.problems = token, [], [], 0, []
        self.encodings, self.hosts, self.channels = set(), set(), set()
        self.refuse = 0
        super().__init__(**kw)

    def handle(self, method, path, headers, body):
        self.hosts.add(headers["Host"])
        if path != "/services/collector/event/1.0":
            self.problems.append(path)
            return 404, "{}"
        if method == "OPTIONS":
            self.verified += 1
            return 200, ""
        if headers["Authorization"] != "Splunk " + self.token:
            self.problems.append(headers["Authorization"])
            return 403, '{"text":"Invalid token","code":4}'
        if self.refuse:
            self.refuse -= 1
            return 503, '{"text":"Server is busy","code":9}'
        self.encodings.add(headers["Content-Encoding"])
        self.channels.add(headers["X-Splunk-Request-Channel"])
        if headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        batch = json_values(body.decode())
        self.batches.append(len(batch))
        self.events += batch
        return 200, '{"text":"Success","code":0}'


class CloudWatch(Http):
    """CreateLogGroup, CreateLogStream and PutLogEvents, with the checks of signature version 4; and the endpoints
    that credentials come from."""

    def __init__(self, secrets, region="eu-test-1", groups=(), **kw):
        self.secrets, self.region = secrets, region  # {key id: (secret, session token or None)}
        self.groups = {g: {} for g in groups}
        self.problems, self.puts, self.asked, self.formats, self.fail = [], 0, [], set(), []
        super().__init__(**kw)

    def events(self, group, stream):
        return self.groups.get(group, {}).get(stream, [])

    def handle(self, method, path, headers, body):
        self.asked.append((method, path))
        if path.startswith("/creds"):
            return 200, json.dumps({"AccessKeyId": "FROMENDPOINT", "SecretAccessKey": "endpoint secret", "Token": "session",
                                    "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))})
        problem = self._check_signature(method, path, headers, body)
        if problem:
            self.problems.append(problem)
            return 400, json.dumps({"__type": "InvalidSignatureException", "message": problem})
        name = headers["X-Amz-Target"].removeprefix("Logs_20140328.")
        if self.fail:
            return self.fail.pop(0)
        self.formats.add(headers["x-amzn-logs-format"])
        return getattr(self, "_" + name)(json.loads(body))

    def _error(self, kind, message=""):
        return 400, json.dumps({"__type": "com.amazonaws.logs#" + kind, "message": message})

    def _CreateLogGroup(self, q):
        self.groups[q["logGroupName"]] = {}
        return 200, "{}"

    def _CreateLogStream(self, q):
        if q["logGroupName"] not in self.groups:
            return self._error("ResourceNotFoundException", "The specified log group does not exist.")
        if q["logStreamName"] in self.groups[q["logGroupName"]]:
            return self._error("ResourceAlreadyExistsException", "The specified log stream already exists")
        self.groups[q["logGroupName"]][q["logStreamName"]] = []
        return 200, "{}"

    def _PutLogEvents(self, q):
        events = q["logEvents"]
        times = [e["timestamp"] for e in events]
        size = sum(len(e["message"].encode()) + 26 for e in events)
        if times != sorted(times) or size > 1048576 or not 0 < len(events) <= 10000:
            self.problems.append(f"a batch of {len(events)} events and {size} bytes")
            return self._error("InvalidParameterException")
        self.puts += 1
        self.groups[q["logGroupName"]][q["logStreamName"]] += events
        return 200, json.dumps({"nextSequenceToken": str(self.puts)})

    def _check_signature(self, method, path, headers, body):
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/logs/aws4_request, "
                             r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})", headers["Authorization"] or "")
        if not found:
            return "Authorization: %r" % headers["Authorization"]
        key, day, region, signed, signature = found.groups()
        secret, token = self.secrets.get(key, (None, None))
        if secret is None:
            return f"unknown key {key}"
        if headers["X-Amz-Security-Token"] != token:
            return "session token"
        if region != self.region or not headers["X-Amz-Date"].startswith(day):
            return f"scope {region} {day}"
        for name in ("host", "x-amz-date", "x-amz-target", "content-type"):
            if name not in signed.split(";"):
                return f"{name} is not signed"
        if token and "x-amz-security-token" not in signed:
            return "the session token is not signed"
        lines = "".join(f"{n}:{headers[n].strip()}\n" for n in signed.split(";"))
        canonical = f"{method}\n{path}\n\n{lines}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
        text = "\n".join(["AWS4-HMAC-SHA256", headers["X-Amz-Date"], f"{day}/{region}/logs/aws4_request",
                          hashlib.sha256(canonical.encode()).hexdigest()])
        sign = ("AWS4" + secret).encode()
        for part in (day, region, "logs", "aws4_request"):
            sign = hmac.new(sign, part.encode(), hashlib.sha256).digest()
        wanted = hmac.new(sign, text.encode(), hashlib.sha256).hexdigest()
        return None if hmac.compare_digest(wanted, signature) else "the signature does not match"
