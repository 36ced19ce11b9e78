"""Shims that are killed, storage that fails, a disk that is full.

After each: what was acknowledged is there, nothing is left over, the error said what happened, and the same call succeeds
once the cause has gone.  What kills the agent is in test_kill_points.py.  The agent's storage calls are bent by a library
loaded into it alone (fault_preload.c), so that the machine's disk is not touched.
"""
import errno
import io
import json
import mmap
import os
import struct
import subprocess
import tarfile
import threading
import time

import pytest

import conftest
from conftest import Agent, end_agent, leftovers, wait_for

HERE = conftest.ROOT / "tests/integration"
SECOND = 1_000_000_000


class Bent(Agent):
    """An agent whose storage calls fail as it is told to."""

    def bend(self, library):
        path = self.base / "control"
        path.write_bytes(bytes(16))
        with open(path, "r+b") as f:
            self.control = mmap.mmap(f.fileno(), 16)
        self.library = library

    def start(self, *more, env=None):
        self.control[:] = bytes(16)
        return super().start(*more, env={"LD_PRELOAD": str(self.library), "FAULT_CONTROL": str(self.base / "control"), **(env or {})})

    def fail(self, nth, error):
        self.control[:] = struct.pack("qq", nth, error)

    def hit(self):
        """The failure has happened; none will from now on."""
        left = struct.unpack("q", self.control[:8])[0]
        self.control[:8] = bytes(8)
        return left == 0


@pytest.fixture(scope="module")
def disk(work):
    """A file system of its own, small enough to be filled."""
    path = work / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "disk", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


@pytest.fixture
def clean(agent):
    yield agent
    (agent.disk / "fill").unlink(missing_ok=True)
    agent.fail(0, 0)
    agent.remove_everything()
    wait_for("nothing is left over", lambda: not leftovers(agent))


@pytest.fixture(scope="module")
def agent(work, archive, disk):
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-o", work / "preload.so", HERE / "fault_preload.c", "-ldl"], check=True)
    agent = Bent(work / "faults")
    agent.data, agent.disk = disk / "data", disk
    agent.bend(work / "preload.so")
    agent.start()
    agent.docker("load", "-i", archive)
    yield agent
    end_agent(agent)


def ask(agent, method, path, body=None):
    status, _, text = agent.http(method, path, body)
    return status, text.decode(errors="replace")


def must(agent, method, path, body=None):
    status, text = ask(agent, method, path, body)
    assert status < 400, f"{method} {path}: {status} {text}"
    return text


def make(agent, name, cmd=("sleep", "1000"), start=True, init=True, host=None, **more):
    must(agent, "POST", f"/containers/create?name={name}",
         {"Image": "busybox", "Cmd": list(cmd), "HostConfig": {"Init": init, **(host or {})}, **more})
    if start:
        must(agent, "POST", f"/containers/{name}/start")


def status_of(agent, name):
    status, text = ask(agent, "GET", f"/containers/{name}/json")
    return json.loads(text)["State"]["Status"] if status == 200 else None


def kill_shim(agent, name):
    """The shim: what the container's first process is a child of."""
    pid = agent.json(f"/containers/{name}/json")["State"]["Pid"]
    os.kill(int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1]), 9)


# ------------------------------------------------------------ shims

class Background(threading.Thread):
    def __init__(self, function):
        super().__init__(daemon=True)
        self.function, self.value = function, None
        self.start()

    def run(self):
        self.value = self.function()

    def result(self):
        self.join(30 * conftest.SLOW)
        assert not self.is_alive(), "it was never answered"
        return self.value


def ends_well(agent, name):
    wait_for("its end is noticed", lambda: status_of(agent, name) in ("exited", "created"))
    wait_for("nothing is left over", lambda: not leftovers(agent))
    must(agent, "POST", f"/containers/{name}/start")
    assert status_of(agent, name) == "running"


def test_a_shim_is_killed_while_its_container_runs_is_paused_or_ends(clean):
    make(clean, "sh2")
    kill_shim(clean, "sh2")
    ends_well(clean, "sh2")
    must(clean, "POST", "/containers/sh2/pause")
    kill_shim(clean, "sh2")
    ends_well(clean, "sh2")
    must(clean, "DELETE", "/containers/sh2?force=1")
    make(clean, "sh3", ["sleep", "1000"], init=False)  # which does not hear SIGTERM
    stopped = Background(lambda: ask(clean, "POST", "/containers/sh3/stop?t=20"))
    waited = Background(lambda: ask(clean, "POST", "/containers/sh3/wait"))
    time.sleep(0.2)
    begun = time.monotonic()
    kill_shim(clean, "sh3")
    assert stopped.result()[0] == 204 and time.monotonic() - begun < 15
    assert json.loads(waited.result()[1])["StatusCode"] == 137
    ends_well(clean, "sh3")


def test_a_shim_is_killed_with_execs_and_a_probe_under_way(clean):
    make(clean, "sh4", Healthcheck={"Test": ["CMD-SHELL", "sleep 50"], "Interval": SECOND // 20, "Timeout": 60 * SECOND, "Retries": 1})
    made = json.loads(must(clean, "POST", "/containers/sh4/exec", {"Cmd": ["sh", "-c", "echo here; sleep 500"], "AttachStdout": True}))
    attached = Background(lambda: ask(clean, "POST", f"/exec/{made['Id']}/start", {}))
    wait_for("exec and probe run", lambda: clean.out("top", "sh4").count("sleep 50") >= 2)
    kill_shim(clean, "sh4")
    assert "here" in attached.result()[1]
    wait_for("the exec is over", lambda: not json.loads(ask(clean, "GET", f"/exec/{made['Id']}/json")[1]).get("Running"))
    ends_well(clean, "sh4")


def test_a_killed_shim_counts_as_an_end_for_the_restart_policy(clean):
    make(clean, "sh5", host={"RestartPolicy": {"Name": "always"}})
    kill_shim(clean, "sh5")
    wait_for("it runs again", lambda: clean.json("/containers/sh5/json")["RestartCount"] == 1 and status_of(clean, "sh5") == "running")


# ------------------------------------------------------------ storage calls

def tar_of(name, content):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


# what is asked, one after the other, and how to see that it is so
LIFE = [
    ("POST", "/volumes/create", {"Name": "flt-vol"}, lambda a: "flt-vol" in a.out("volume", "ls", "-q").split()),
    ("POST", "/containers/create?name=flt", {"Image": "busybox", "Cmd": ["sleep", "1000"],
                                            "HostConfig": {"Init": True, "Binds": ["flt-vol:/v"], "NetworkMode": "none"}},
     lambda a: status_of(a, "flt")),
    ("PUT", "/containers/flt/archive?path=/", tar_of("put", b"it"), lambda a: ask(a, "HEAD", "/containers/flt/archive?path=/put")[0] == 200),
    ("POST", "/containers/flt/start", None, lambda a: status_of(a, "flt") == "running"),
    ("POST", "/containers/flt/update", {"PidsLimit": 77}, lambda a: a.json("/containers/flt/json")["HostConfig"]["PidsLimit"] == 77),
    ("POST", "/commit?container=flt&repo=flt-image", {}, lambda a: ask(a, "GET", "/images/flt-image/json")[0] == 200),
    ("POST", "/containers/flt/rename?name=flt-2", None, lambda a: status_of(a, "flt-2") and not status_of(a, "flt")),
    ("POST", "/containers/flt-2/rename?name=flt", None, lambda a: status_of(a, "flt")),
    ("POST", "/containers/flt/stop?t=3", None, lambda a: status_of(a, "flt") == "exited"),
    ("DELETE", "/images/flt-image", None, lambda a: ask(a, "GET", "/images/flt-image/json")[0] == 404),
    ("DELETE", "/containers/flt", None, lambda a: status_of(a, "flt") is None),
    ("DELETE", "/volumes/flt-vol", None, lambda a: "flt-vol" not in a.out("volume", "ls", "-q").split()),
]


def one_life(agent, n, error):
    """True: the n-th storage call has failed on the way, and all was well nevertheless."""
    agent.fail(n, error)
    for method, path, body, is_so in LIFE:
        status, text = ask(agent, method, path, body)
        if status >= 400:
            assert status >= 500 or is_so(agent), f"{n}: {method} {path}: {status} {text}"
            assert len(json.loads(text)["message"]) > 15, f"{n}: {method} {path}: {text}"
            assert agent.hit(), f"{n}: {method} {path} fails without a cause: {status} {text}"
            status, text = ask(agent, method, path, body)  # the cause has gone
            assert status < 400 or status in (404, 409), f"{n}: again: {method} {path}: {status} {text}"
        wait_for(f"{n}: {method} {path} is so", lambda: is_so(agent))
    return agent.hit()


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOMEM, errno.ENOSPC], ids=lambda e: errno.errorcode[e])
def test_one_storage_call_fails_and_nothing_is_lost(clean, error):
    before = clean.process.pid
    first = [errno.EIO, errno.ENOMEM, errno.ENOSPC].index(error) + 1
    failed = 0
    for n in range(first, 500, 17):  # every third call fails in one of the three ways or another
        if not one_life(clean, n, error):
            break
        failed += 1
        wait_for("nothing is left over", lambda: not leftovers(clean))
    assert failed > 2, "no call was hit: the test shows nothing"
    print(f"{failed} failures")
    assert clean.process.poll() is None and clean.process.pid == before


# ------------------------------------------------------------ the disk

def fill(agent):
    """To the last byte."""
    with open(agent.disk / "fill", "ab", buffering=0) as f:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    f.write(bytes(size))
            except OSError as e:
                assert e.errno == errno.ENOSPC


FULL = ("No space left on device", "disk is full")


def test_a_full_disk_is_said_and_loses_nothing(clean):
    """Nothing that was acknowledged is lost, with or without a new agent, and all goes on when there is room."""
    make(clean, "fu1", ["sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done"],
         Healthcheck={"Test": ["CMD", "true"], "Interval": SECOND // 10, "Timeout": 60 * SECOND, "Retries": 3})
    make(clean, "fu2", start=False)
    pid = clean.inspect("fu1")["State"]["Pid"]
    fill(clean)
    big = os.urandom(100_000)  # little enough to be sent before the answer comes
    full = [("PUT", "/containers/fu2/archive?path=/", tar_of("big", big)), ("PUT", "/containers/fu1/archive?path=/", tar_of("big", big))]
    full += [("POST", f"/containers/create?name=fu-{i}", {"Image": "busybox", "Labels": {"l": "x" * 50000}}) for i in range(40)]
    full += [("POST", "/volumes/create", {"Name": f"fu-{i}", "Labels": {"l": "x" * 50000}}) for i in range(5)]
    full += [("POST", "/containers/fu1/update", {"PidsLimit": 77}), ("POST", "/commit?container=fu1&repo=fu-image", {}),
             ("POST", "/containers/fu2/start", None)]
    kept, refused = [], []
    for method, path, body in full:
        status, text = ask(clean, method, path, body)
        (refused if status >= 400 else kept).append((method, path, body))
        if status >= 400:
            assert status >= 500 and any(f in text for f in FULL), f"{method} {path}: {status} {text}"
    assert ("PUT", "/containers/fu2/archive?path=/", full[0][2]) in refused and len(refused) > 10, [k[1] for k in kept]
    assert clean.inspect("fu1")["State"]["Pid"] == pid and "\n" in clean.docker("logs", "fu1").stdout

    def is_kept():
        for _, path, _ in kept:
            if "create?name=" in path:
                assert status_of(clean, path.partition("=")[2]) == "created", path
        for _, path, _ in refused:
            if "create?name=" in path:
                assert status_of(clean, path.partition("=")[2]) is None, path
        assert clean.inspect("fu1")["State"]["Pid"] == pid
    is_kept()
    clean.kill()
    (clean.disk / "fill").unlink()
    clean.start()
    is_kept()
    for method, path, body in refused:
        must(clean, method, path, body)
    assert status_of(clean, "fu2") == "running" and ask(clean, "HEAD", "/containers/fu2/archive?path=/big")[0] == 200
    last = clean.docker("logs", "-n", "1", "fu1").stdout
    wait_for("its log goes on", lambda: clean.docker("logs", "-n", "1", "fu1").stdout != last)
    must(clean, "DELETE", "/images/fu-image?force=1")
