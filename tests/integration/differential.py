"""The same calls to two engines, and a comparison of what comes back.

A scenario is a function that takes a Side and makes calls with it; it is run once against each engine.  The replies
are compared call by call after masking what must differ: ids, times, addresses of hardware, process ids, directories.
A difference that is accepted has a row in ACCEPTED, whose last column names its paragraph in differences.md.
"""
import dataclasses
import difflib
import json
import os
import pathlib
import re
import signal
import subprocess

import conftest

PEERS = pathlib.Path(os.environ.get("BALLAST_PEERS", conftest.ROOT / "build/peers")).resolve()


class Dockerd(conftest.Agent):
    """A dockerd of its own in a network namespace of its own, driven as the agent is."""

    def start(self, *more, env=None):
        command = ["unshare", "-n", "--kill-child=SIGTERM", "--fork", "sh", "-c", 'ip link set lo up; exec "$@"', "sh",
                   PEERS / "usr/sbin/dockerd", "--config-file", "/dev/null", "--data-root", self.data,
                   "--exec-root", self.exec, "--pidfile", self.base / "pid", "-H", self.host,
                   "--userland-proxy-path", PEERS / "usr/sbin/docker-proxy",
                   "--init-path", PEERS / "usr/bin/docker-init", *self.args]
        path = f"{PEERS}/usr/sbin:{PEERS}/usr/bin:{os.environ['PATH']}"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(c) for c in command], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, start_new_session=True,
                                            env={**os.environ, "PATH": path, "DOCKER_MIN_API_VERSION": "1.24"})
        conftest.wait_for("dockerd answers", self.answers, 60)
        return self

    def remove_everything(self):
        for c in self.out("ps", "-aq").split():  # it may still be removing one by itself
            self.docker("rm", "-fv", c, check=False)
        super().remove_everything()

    def stop(self):
        try:
            os.kill(int((self.base / "pid").read_text()), signal.SIGTERM)
        except OSError:
            pass
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process = None


@dataclasses.dataclass
class Reply:
    label: str
    status: int
    headers: dict
    body: bytes
    mode: str  # "json", "shape" (keys and types only), "text", "status"

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def id(self):
        return self.json["Id"]


class Side:
    """One engine under comparison."""

    def __init__(self, engine, known):
        self.engine = engine
        self.known = known  # hexadecimal ids that are the same on both sides: they stay
        self.replies = []

    def call(self, method, path, body=None, headers=None, mode="json", label=None):
        try:
            status, got, data = self.engine.http(method, path, body, headers)
        except OSError as e:  # one that hangs or hangs up is a difference, not the end of the comparison
            status, got, data = 0, {}, type(e).__name__.encode()
        shown = label or f"{method} {path}"
        reply = Reply(re.sub(r"\b[0-9a-f]{64}\b", "<id>", shown), status, got, data, mode)
        self.replies.append(reply)
        return reply

    def get(self, path, **kw):
        return self.call("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.call("POST", path, body, **kw)

    def delete(self, path, **kw):
        return self.call("DELETE", path, **kw)

    def make(self, name, start=False, **body):
        """A container; its making is compared, too."""
        reply = self.post(f"/containers/create?name={name}", {"Image": "busybox", "Cmd": ["sleep", "1000"], **body},
                          label=f"create {name}")
        assert reply.status == 201, reply.body
        if start:
            assert self.post(f"/containers/{name}/start").status == 204, self.replies[-1].body
        return reply.id

    def quiet(self, method, path, body=None):
        """A call that is not compared: setting the scene."""
        return self.engine.http(method, path, body)

    def ended(self, name):
        """Until it has ended and has left its networks, which takes a moment longer here."""
        self.quiet("POST", f"/containers/{name}/wait")
        conftest.wait_for("it has left its networks", lambda: not any(
            n["EndpointID"] for n in self.engine.json(f"/containers/{name}/json")["NetworkSettings"]["Networks"].values()))

    # ------------------------------------------------------------ masking

    def mask_text(self, text):
        base = str(self.engine.base)
        text = text.replace(str(self.engine.data), "<root>").replace(str(self.engine.exec), "<exec>").replace(base, "<base>")
        text = re.sub(r"<root>/\d+\.\d+", "<root>", text)
        text = re.sub(r"\b[0-9a-f]{64}\b", lambda m: m[0] if m[0] in self.known else "<id>", text)
        short = {k[:12] for k in self.known}
        text = re.sub(r"\b[0-9a-f]{12}\b", lambda m: m[0] if m[0] in short else "<short>", text)
        text = re.sub(r"\b20(2[5-9]|[3-9]\d)-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", "<time>", text)
        text = re.sub(r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b", "<mac>", text)
        text = re.sub(r"(Up|Exited \(\d+\)|Restarting \(\d+\)) (Less than a second|\d+ seconds?|About a minute)", r"\1 <age>", text)
        return re.sub(r"(?<=/)[a-z]+_[a-z]+(?=$)", "<made-up name>", text)

    def mask(self, value, key=""):
        if isinstance(value, dict):
            return {self.mask_text(k): self.mask(v, k) for k, v in value.items()}
        if isinstance(value, list):
            order = {"Mounts": "Destination", "Volumes": "Name"}.get(key)
            if order:  # a map in Go
                value = sorted(value, key=lambda m: str(m.get(order)) if isinstance(m, dict) else "")
            return [self.mask(v, key) for v in value]
        if isinstance(value, str):
            return self.mask_text(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if key in ("Pid", "time", "timeNano") and value:
                return f"<{key}>"
            if key == "Created" and value > 1_750_000_000:
                return "<unix time>"
        return value


def shape(value):
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def walk(path, ours, theirs, out):
    """Appends (path, ours, theirs) for every place where the two differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            walk(f"{path}.{key}", ours.get(key, "<absent>"), theirs.get(key, "<absent>"), out)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for i, (a, b) in enumerate(zip(ours, theirs)):
            walk(f"{path}[{i}]", a, b, out)
    elif ours != theirs or type(ours) is not type(theirs):
        out.append((path, ours, theirs))


def content(side, reply):
    if reply.mode == "status" or not reply.body:
        return ""
    text = reply.body.decode(errors="backslashreplace")
    if reply.mode == "text":
        return side.mask_text(text)
    try:
        value = json.loads(text)
    except ValueError:
        try:
            value = [json.loads(line) for line in text.splitlines()]
        except ValueError:
            return side.mask_text(text)
    value = side.mask(value)
    return shape(value) if reply.mode == "shape" else value


def compare(ours, theirs):
    """Every difference, as (label, path, ours, theirs)."""
    found = []
    labels = [[r.label for r in side.replies] for side in (ours, theirs)]
    for tag, i, j, k, m in difflib.SequenceMatcher(None, *labels, autojunk=False).get_opcodes():
        if tag != "equal":
            found.append((", ".join(labels[0][i:j] or labels[1][k:m]), "calls", labels[0][i:j], labels[1][k:m]))
            continue
        found += compare_calls(ours, theirs, zip(ours.replies[i:j], theirs.replies[k:m]))
    return found


def compare_calls(ours, theirs, pairs):
    found = []
    for a, b in pairs:
        places = []
        walk("status", a.status, b.status, places)
        kind = [r.headers.get("content-type", "") for r in (a, b)]
        if places:  # one failed: what both said tells more than their keys
            places = [("status", *(f"{r.status} {side.mask_text(r.body.decode(errors='replace'))[:400].strip()}"
                                   for side, r in ((ours, a), (theirs, b))))]
        elif a.mode != "status":
            walk("type", *kind, places)
            walk("$", content(ours, a), content(theirs, b), places)
        found += [(a.label, *place) for place in places]
    return found
