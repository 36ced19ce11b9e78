"""Calls that only look, and those that carry a container's output: compared as differential_cases.py compares the others."""
import json
import time

from differential import shape
from differential_cases import note, q, scenario

UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}


def sample(s, path):
    """The keys and types; who has read from a disk before depends on the page cache."""
    got = s.get(path, mode="status").json
    got["blkio_stats"] = {k: v is None for k, v in got["blkio_stats"].items()}
    note(s, "shape of " + path, shape(got))


@scenario
def statistics(s):
    s.make("st", start=True, HostConfig={"Memory": 64 << 20, "PidsLimit": 50})
    s.make("off")
    s.make("alone", start=True, HostConfig={"NetworkMode": "none"})
    s.make("hosts", start=True, HostConfig={"NetworkMode": "host"})
    for name in ("st", "off", "alone", "hosts"):
        sample(s, f"/containers/{name}/stats?stream=0&one-shot=1")
    sample(s, "/containers/st/stats?stream=false")
    sample(s, "/v1.24/containers/st/stats?stream=0")
    s.get("/containers/st/stats?stream=1&one-shot=1")
    s.get("/containers/nope/stats")
    got = s.get("/containers/st/stats?stream=0&one-shot=1", mode="status").json
    note(s, "limits", [got["memory_stats"]["limit"], got["pids_stats"]["limit"], got["cpu_stats"]["online_cpus"],
                       got["precpu_stats"]["cpu_usage"]["total_usage"], got["preread"], sorted(got["networks"])])
    s.quiet("POST", "/containers/st/pause")
    sample(s, "/containers/st/stats?stream=0&one-shot=1")


@scenario
def attaches(s):
    s.make("said", Cmd=["sh", "-c", "echo out; sleep 0.1; echo err >&2"])
    s.post("/containers/said/attach?logs=1&stdout=1", mode="text", label="logs of a created one", headers=UPGRADE)
    s.post("/containers/said/start")
    s.ended("said")
    for version in ("v1.24", "v1.41", "v1.42", "v1.51"):
        for query in ("logs=1&stdout=1&stderr=1", "logs=1&stderr=1", "logs=1"):
            s.post(f"/{version}/containers/said/attach?{query}", mode="text")
    s.post("/containers/said/attach?logs=1&stdout=1", mode="text", headers=UPGRADE, label="attach, upgraded")
    s.post("/v1.41/containers/said/attach?logs=1&stdout=1", mode="text", headers=UPGRADE, label="attach, upgraded, 1.41")
    s.post("/containers/said/attach?detachKeys=odd,,&stream=1", mode="text")
    s.post("/containers/nope/attach?stream=1", mode="text")
    s.make("tty", Tty=True, Cmd=["sh", "-c", "echo a; echo b >&2"])
    s.post("/containers/tty/start")
    s.ended("tty")
    s.post("/containers/tty/attach?logs=1&stdout=1&stderr=1", mode="text", headers=UPGRADE, label="attach to a terminal, upgraded")
    s.make("pp", start=True)
    s.quiet("POST", "/containers/pp/pause")
    s.post("/containers/pp/attach?stream=1&stdout=1", mode="text", label="attach to a paused one")
    s.get("/containers/pp/attach/ws?stream=1", mode="text", label="websocket to a paused one")
    s.get("/containers/nope/attach/ws?stream=1", mode="text")
    s.get("/containers/pp/attach/ws?stream=1&detachKeys=odd,,", mode="text")


@scenario
def resizes(s):
    s.make("rz", start=True, Tty=True)
    for query in ("", "?h=10", "?w=10", "?h=-1&w=1", "?h=x&w=1", "?h=1&w=99999999999", "?h=0&w=0", "?h=24&w=80"):
        s.post("/containers/rz/resize" + query)
    s.make("plain", start=True)
    s.post("/containers/plain/resize?h=24&w=80")
    x = s.post("/containers/rz/exec", {"Cmd": ["sleep", "100"], "Tty": True}, label="exec create").id
    s.post(f"/exec/{x}/start", {"Detach": True, "Tty": True}, label="exec start")
    for query in ("", "?h=x&w=1", "?h=24&w=80"):
        s.post(f"/exec/{x}/resize{query}", label=f"exec resize {query}")


@scenario
def tops(s):
    s.make("tt", start=True, Cmd=["sh", "-c", "sleep 1000 & wait"])
    for args in ("", "-ef", "aux", "-o%20pid", "-o%20pid,user,args", "-o%20user", "-eo%20comm", "--nosuch", "-o%20pid,nosuch", "%3B"):
        s.get(f"/containers/tt/top?ps_args={args}", mode="shape", label=f"top {args}")
    rows = s.get("/containers/tt/top?ps_args=-o%20pid,comm", mode="status").json
    note(s, "who runs", sorted(row[1] for row in rows["Processes"]))


@scenario
def exec_kinds(s):
    s.make("ek", start=True, User="web", WorkingDir="/tmp", Env=["A=1"])
    for label, body, start in (
            ("tty asked for at the start only", {"Cmd": ["echo", "x"], "AttachStdout": True}, {"Tty": True}),
            ("tty at creation only", {"Cmd": ["echo", "x"], "AttachStdout": True, "Tty": True}, {}),
            ("its own user", {"Cmd": ["id", "-un"], "AttachStdout": True}, {}),
            ("root", {"Cmd": ["id", "-u"], "User": "0", "AttachStdout": True}, {}),
            ("unknown number", {"Cmd": ["id", "-u"], "User": "4321", "AttachStdout": True}, {}),
            ("privileged", {"Cmd": ["grep", "CapPrm", "/proc/self/status"], "User": "root", "Privileged": True, "AttachStdout": True}, {}),
            ("its directory", {"Cmd": ["pwd"], "AttachStdout": True}, {}),
            ("a directory that is not there", {"Cmd": ["pwd"], "WorkingDir": "/nope", "AttachStdout": True}, {}),
            ("a variable without value", {"Cmd": ["sh", "-c", "echo $A $B"], "Env": ["B"], "AttachStdout": True}, {}),
            ("console size", {"Cmd": ["stty", "size"], "Tty": True, "AttachStdout": True, "ConsoleSize": [30, 90]}, {"Tty": True}),
            ("console size at the start", {"Cmd": ["stty", "size"], "Tty": True, "AttachStdout": True},
             {"Tty": True, "ConsoleSize": [31, 91]})):
        made = s.post("/containers/ek/exec", body, label=f"create: {label}")
        if made.status != 201:
            continue
        s.post(f"/exec/{made.id}/start", {"Detach": False, **start}, mode="text", label=f"start: {label}")
        s.get(f"/exec/{made.id}/json", label=f"inspect: {label}")
    for body in ({"Cmd": "echo x"}, {"Cmd": ["x"], "User": "a:b:c"}, {"Cmd": ["x"], "User": "0:nogroup1"}, {"Cmd": [""]}, {"Cmd": 5},
                 {"Cmd": ["x"], "Env": "A"}, {"Cmd": ["x"], "ConsoleSize": [1]}, {"Cmd": ["x"], "User": "99999999999"}):
        s.post("/containers/ek/exec", body, label=f"create {json.dumps(body)}")
    s.post("/containers/ek/exec", b"{", label="create of broken JSON")
    s.make("gone", Cmd=["true"])
    s.post("/containers/gone/exec", {"Cmd": ["x"]}, label="exec in one that was not started")


def listed(s, query):
    """Ports come in any order."""
    got = s.get("/containers/json" + query, mode="status")
    rows = json.loads(got.body)
    for row in rows if isinstance(rows, list) else []:
        row["Ports"].sort(key=json.dumps)
    note(s, "list " + query, s.mask(rows))


@scenario
def more_lists(s):
    s.make("alpha", start=True, Labels={"x": "1", "y": "=2"}, HostConfig={"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}]}},
           ExposedPorts={"80/tcp": {}, "81/udp": {}})
    s.make("beta", Cmd=["sh", "-c", "exit 4"])
    s.post("/containers/beta/start")
    s.ended("beta")
    s.make("gamma", Labels={"x": "2"})
    for filters in (q(publish="80/tcp"), q(publish="18080"), q(publish="80-90"), q(expose="81/udp"), q(expose="80-82/udp"), q(expose="odd"),
                    q(publish="99999"), q(exited="4"), q(exited=["0", "4"]), q(name=["alpha", "beta"]), q(name="/alpha"), q(name="^alp"),
                    q(name="lph"), q(label="y==2"), q(label=["x", "x=2"]), q(status=["exited", "created"]), q(status="restarting"),
                    q(status="dead"), q(before="beta"), q(since="alpha"), q(before="beta", since="alpha"), q(ancestor=["busybox", "nosuch"]),
                    q(network=["bridge", "none"]), q(volume="none"), q(health="starting"),
                    q(isolation="hyperv"), q(id=""), q(name="")):
        listed(s, "?all=1&filters=" + filters)
    for query in ("", "?all=0", "?all=true&limit=1", "?limit=2", "?all=1&size=1", "?since=alpha", "?before=gamma",
                  "?filters=" + q(status="exited"), "?filters=" + q(exited="4")):
        listed(s, query)


@scenario
def more_events(s):
    time.sleep(1.1)
    begin = int(time.time())  # what came before is over
    s.make("eva", Labels={"l": "1"})
    s.make("evb", start=True, Labels={"l": "2"})
    x = json.loads(s.quiet("POST", "/containers/evb/exec", {"Cmd": ["sh", "-c", "exit 3"], "AttachStdout": True})[2])["Id"]
    s.quiet("POST", f"/exec/{x}/start", {})
    s.quiet("POST", "/containers/evb/resize?h=5&w=5")
    s.quiet("POST", "/containers/evb/attach?stdout=1&logs=1")
    s.quiet("DELETE", "/containers/evb?force=1")
    s.quiet("POST", "/containers/prune")
    time.sleep(1.1)
    until = int(time.time())
    for filters in ({"type": "container"}, {"type": "odd"}, {"event": "exec_"}, {"event": "exec_start"}, {"event": "exec_start: sh"},
                    {"event": ["create", "destroy"]}, {"container": "ev"}, {"container": ["eva", "evb"]}, {"label": "l"}, {"label": ["l=1", "l=2"]},
                    {"image": "busybox:latest"}, {"image": "busy"}, {"scope": "local"}, {"scope": "swarm"}, {"daemon": "x"}, {"network": "bridge"},
                    {"type": ["container", "network"]}):
        got = s.get(f"/events?since={begin}&until={until}&filters=" + q(**filters), mode="status", label=f"events {json.dumps(filters)}")
        rows = [json.loads(line) for line in got.body.splitlines()]
        note(s, f"events {json.dumps(filters)}", sorted((r["Type"], s.mask_text(r["Action"]), r["Actor"]["Attributes"].get("name", ""),
                                                         sorted({*r["Actor"]["Attributes"]} - {"by"})) for r in rows))
    for query in ("until=1", "since=1&until=2", "until=x", "since=-5&until=1", "since=2001-01-01&until=2002-01-01"):
        s.get("/events?" + query)
