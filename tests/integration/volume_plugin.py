#!/usr/bin/env python3
"""A volume plugin, written against the Docker plugin protocol: a process of its own, as people run them.

    volume_plugin.py DIR ADDRESS        unix:PATH, tcp:PORT, or tls:PORT (certificates in DIR)

Its volumes are directories below DIR/volumes; what it knows is in DIR/state.json, so it can die and come back.
Every call is a line of DIR/calls: "Mount {...}".  DIR/fail says what goes wrong: {"Mount": "no luck"} is an Err,
{"Mount": [500, "text"]} an answer with that status, {"Mount": "!die"} ends the process before it answers.
"""
import http.server
import json
import os
import pathlib
import socket
import socketserver
import ssl
import sys

BASE = pathlib.Path(sys.argv[1])
TYPE = "application/vnd.docker.plugins.v1.2+json"


def load():
    try:
        return json.loads((BASE / "state.json").read_text())
    except FileNotFoundError:
        return {}


def save(state):
    (BASE / "state.tmp").write_text(json.dumps(state))
    (BASE / "state.tmp").rename(BASE / "state.json")


def show(name, volume):
    return {"Name": name, "Mountpoint": volume["path"], "CreatedAt": "2026-01-02T03:04:05Z",
            "Status": {"users": volume["users"], "opts": volume["opts"]}}


def create(state, rq):
    path = BASE / "volumes" / rq["Name"].replace("/", "_")
    path.mkdir(parents=True, exist_ok=True)
    state[rq["Name"]] = {"path": str(path), "users": [], "opts": rq.get("Opts") or {}}
    return {}


def mount(state, rq):
    volume = state[rq["Name"]]
    volume["users"].append(rq["ID"])
    return {"Mountpoint": volume["path"]}


def unmount(state, rq):
    state[rq["Name"]]["users"].remove(rq["ID"])
    return {}


def remove(state, rq):
    if state[rq["Name"]]["users"]:
        raise RuntimeError("volume is mounted")
    del state[rq["Name"]]
    return {}


CALLS = {
    "Create": create,
    "Remove": remove,
    "Mount": mount,
    "Unmount": unmount,
    "Path": lambda state, rq: {"Mountpoint": state[rq["Name"]]["path"]},
    "Get": lambda state, rq: {"Volume": show(rq["Name"], state[rq["Name"]])},
    "List": lambda state, rq: {"Volumes": [show(n, v) for n, v in state.items()]},
    "Capabilities": lambda state, rq: {"Capabilities": {"Scope": "global"}},
}


def answer(method, rq):
    """(status, reply)"""
    fail = json.loads((BASE / "fail").read_text() or "{}") if (BASE / "fail").exists() else {}
    trouble = fail.get(method)
    if trouble == "!die":
        os._exit(1)
    if isinstance(trouble, list):
        return trouble[0], trouble[1]
    if trouble:
        return 200, {"Err": trouble}
    if method == "Activate":
        return 200, {"Implements": ["VolumeDriver"]}
    state = load()
    try:
        reply = CALLS[method](state, rq)
    except KeyError as e:
        return 200, {"Err": f"no such volume: {e.args[0]}"}
    except (RuntimeError, ValueError) as e:
        return 200, {"Err": str(e)}
    save(state)
    return 200, {"Err": "", **reply}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        method = self.path.rpartition(".")[2]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        rq = json.loads(body) if body else {}
        with open(BASE / "calls", "a") as f:
            f.write(f"{method} {json.dumps(rq, sort_keys=True)}\n")
        accepted = TYPE in self.headers.get("Accept", "")
        status, reply = answer(method, rq) if accepted else (400, "the Accept header is not the protocol's")
        text = (reply if isinstance(reply, str) else json.dumps(reply)).encode()
        self.send_response(status)
        self.send_header("Content-Type", TYPE)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass

    def address_string(self):
        return "client"


class UnixServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    address_family = socket.AF_UNIX
    daemon_threads = True

    def server_bind(self):
        pathlib.Path(self.server_address).unlink(missing_ok=True)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "plugin", 0


def main():
    kind, _, where = sys.argv[2].partition(":")
    if kind == "unix":
        server = UnixServer(where, Handler)
    else:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", int(where)), Handler)
    if kind == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(BASE / "cert.pem", BASE / "key.pem")
        context.load_verify_locations(BASE / "cert.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(server.socket, server_side=True)
    (BASE / "ready").write_text("")
    server.serve_forever()


main()
