"""What every integration test stands on: a private agent, real clients, and a look for leftovers.

The whole run sits in a network and mount namespace of its own (tests/run makes it), so the host's bridges,
rules and mounts are never touched.  BALLAST_BIN names the programs under test, BALLAST_CLIENTS the unpacked
docker CLI and Compose.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

import images

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BALLAST_BIN", ROOT / "build/release/bin")).resolve()
CLIENTS = pathlib.Path(os.environ.get("BALLAST_CLIENTS", ROOT / "build/clients")).resolve()
DOCKER = str(CLIENTS / "usr/bin/docker")
COMPOSE = str(CLIENTS / "usr/libexec/docker/cli-plugins/docker-compose")
SLOW = float(os.environ.get("BALLAST_SLOW", "1"))  # sanitizers: everything takes longer


def wait_for(what, condition, timeout=10.0, step=0.02):
    """Until condition() is true; its last value.  A test fails with `what` when it never is."""
    end = time.monotonic() + timeout * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"not within {timeout * SLOW:.0f} s: {what} (last: {value!r})")
        time.sleep(step)


class Agent:
    """A ballastd with directories of its own under `base`."""

    def __init__(self, base, *args):
        self.base = pathlib.Path(base)
        self.data, self.exec = self.base / "data", self.base / "exec"
        self.sock = self.base / "a.sock"
        self.log = self.base / "agent.log"
        self.args = [str(a) for a in args]
        self.process = None
        self.prefix = []  # a program that runs the agent
        self.patience = 60
        self.config = self.base / "docker-config"
        self.config.mkdir(parents=True, exist_ok=True)

    @property
    def host(self):
        return f"unix://{self.sock}"

    def start(self, *more, env=None):
        command = [*self.prefix, str(BIN / "ballastd"), "--config-file", str(self.base / "agent.yaml"),
                   "--data-root", str(self.data), "--exec-root", str(self.exec), "--pidfile", str(self.base / "pid"),
                   "-H", self.host, "-D", *self.args, *map(str, more)]
        if "BALLAST_SHIM" in os.environ:  # another build's
            command += ["--shim", os.environ["BALLAST_SHIM"]]
        if not (self.base / "agent.yaml").exists():
            (self.base / "agent.yaml").write_text("")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env={**os.environ, **(env or {})}, start_new_session=True)
        wait_for("the agent answers", self.answers, 60 if self.prefix else 20)
        return self

    def answers(self):
        if self.process.poll() is not None:
            pytest.fail(f"the agent ended with {self.process.returncode}:\n{self.tail()}")
        try:
            return self.http("GET", "/_ping")[0] == 200
        except OSError:
            return False

    def tail(self, n=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-n:])

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30 * SLOW)
        code, self.process = self.process.returncode if self.process else 0, None
        return code

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def http(self, method, path, body=None, headers=None):
        """One request; (status, headers, body)."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        head = {"Host": "d", "Connection": "close", "Content-Length": str(len(data)), **(headers or {})}
        if body is not None:
            head.setdefault("Content-Type", "application/json")
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(self.patience * SLOW)
            s.connect(str(self.sock))
            lines = "".join(f"{k}: {v}\r\n" for k, v in head.items())
            s.sendall(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + data)
            raw, resets = b"", 0
            while True:
                try:
                    chunk = s.recv(65536)
                except ConnectionResetError:  # it has not read all that was sent; the answer follows
                    resets += 1
                    if resets > 1:
                        raise
                    continue
                if not chunk:
                    break
                raw += chunk
        top, _, rest = raw.partition(b"\r\n\r\n")
        names = {}
        for line in top.split(b"\r\n")[1:]:
            key, _, value = line.decode().partition(":")
            names[key.lower()] = value.strip()
        if names.get("transfer-encoding") == "chunked":
            out = b""
            while rest:
                size, _, rest = rest.partition(b"\r\n")
                n = int(size, 16)
                out, rest = out + rest[:n], rest[n + 2:]
            rest = out
        return int(top.split()[1]), names, rest

    def json(self, path):
        status, _, body = self.http("GET", path)
        assert status == 200, body
        return json.loads(body)

    def env(self):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("DOCKER_")}
        return {**clean, "DOCKER_CONFIG": str(self.config), "DOCKER_HOST": self.host, "DOCKER_CLI_HINTS": "false"}

    def run(self, *command, input=None, timeout=60, check=True):
        done = subprocess.run([str(c) for c in command], input=input, text=not isinstance(input, bytes),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout * SLOW, env=self.env(),
                              **({"stdin": subprocess.DEVNULL} if input is None else {}))
        if check and done.returncode != 0:
            pytest.fail(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}\n"
                        f"agent:\n{self.tail()}")
        return done

    def docker(self, *args, **kw):
        return self.run(DOCKER, *args, **kw)

    def compose(self, *args, **kw):
        return self.run(COMPOSE, *args, **kw)

    def ballast(self, *args, **kw):
        return self.run(BIN / "ballast", "-H", self.host, *args, **kw)

    def out(self, *args, **kw):
        return self.docker(*args, **kw).stdout.strip()

    def inspect(self, name):
        return json.loads(self.docker("inspect", name).stdout)[0]

    def remove_everything(self):
        for c in self.out("ps", "-aq").split():
            self.docker("rm", "-fv", c)
        for n in self.out("network", "ls", "-q", "--filter", "type=custom", check=False).split():
            self.docker("network", "rm", n, check=False)
        for v in self.out("volume", "ls", "-q").split():
            self.docker("volume", "rm", "-f", v)


def cgroups_of(agent):
    found = []
    for top in ("/sys/fs/cgroup",):
        for path, names, _ in os.walk(top):
            if len(os.path.basename(path)) == 64 and instance(agent) in path:
                found.append(path)
            if path.count("/") > 6:
                names.clear()
    return found


def instance(agent):
    import hashlib
    return "bl" + hashlib.sha256(str(agent.data).encode()).hexdigest()[:6]


def leftovers(agent):
    """What containers of this agent have left in the kernel; empty when nothing runs and all is well."""
    mounts = [line.split()[4] for line in open("/proc/self/mountinfo") if str(agent.base) in line]
    links = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, text=True).stdout)
    veths = [link["ifname"] for link in links if link["ifname"].startswith("veth")]
    rules = subprocess.run(["nft", "-j", "list", "ruleset"], capture_output=True, text=True).stdout
    elements = [s for item in json.loads(rules)["nftables"] for kind, s in item.items()
                if kind in ("set", "map") and s.get("elem") and s["table"] == instance(agent)
                and s["name"] in ("ports_any", "ports_at", "selves")]
    shims = [p for p in os.listdir("/proc") if p.isdigit() and _is_shim(p, agent)]
    return {k: v for k, v in {"mounts": mounts, "veths": veths, "elements": elements, "shims": shims,
                              "cgroups": cgroups_of(agent)}.items() if v}


def _is_shim(pid, agent):
    try:
        line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return line.split(b"\0")[0].endswith(b"ballast-shim") and str(agent.base).encode() in line


@pytest.fixture(scope="session")
def work():
    path = pathlib.Path(tempfile.mkdtemp(prefix="bl-", dir=os.environ.get("BALLAST_TMP", "/var/tmp")))
    yield path
    if not os.environ.get("BALLAST_KEEP"):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def archive(work):
    """A docker-archive of busybox:latest, made from Debian's static busybox."""
    return images.busybox_archive(work / "busybox.tar")


def make_agent(work, name, archive, *args):
    agent = Agent(work / name, *args)
    agent.start()
    agent.docker("load", "-i", archive)
    return agent


def end_agent(agent):
    if agent.process is None or agent.process.poll() is not None:
        agent.start()
    for app in agent.json("/ballast/apps"):
        agent.http("DELETE", f"/ballast/apps/{app['name']}")
    agent.remove_everything()
    wait_for("nothing is left over", lambda: not leftovers(agent), 10)
    agent.stop()
    subprocess.run([str(BIN / "ballastd"), "--erase", "--data-root", str(agent.data), "--exec-root", str(agent.exec),
                    "--pidfile", str(agent.base / "pid"), "--config-file", str(agent.base / "agent.yaml")], check=True)


@pytest.fixture(scope="module")
def agent(work, archive, request):
    agent = make_agent(work, request.module.__name__.split(".")[-1][:20], archive)
    yield agent
    end_agent(agent)


@pytest.fixture
def clean(agent):
    """The agent, with nothing in it before and nothing left after."""
    yield agent
    agent.remove_everything()
    wait_for("nothing is left over", lambda: not leftovers(agent), 10)
