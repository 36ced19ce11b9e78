"""The measurements of tests/bench/run.  Commands are taken in rounds, in each round in another order and with a pause
before each, since what one leaves to the kernel (a network namespace to be taken down) the next would pay for.  A ratio
is the median over the rounds of t(peer) / t(ballast): above 1, ballast is faster.  A command that fails is printed as
FAILED.  Nothing waits for ever: a watchdog ends what takes longer than LIMIT, and the whole is bounded by
tests/bench/run."""
import concurrent.futures
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import images  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BALLAST_BIN", ROOT / "build/release/bin"))
PEERS, CLIENTS = ROOT / "build/peers", ROOT / "build/clients"
DOCKER = str(CLIENTS / "usr/bin/docker")
NUMBERS = [a for a in sys.argv[1:] if a.isdigit()]
WANTED = [a for a in sys.argv[1:] if not a.isdigit()]
RUNS = int(NUMBERS[0]) if NUMBERS else 15
LIMIT = 60
RUNNING, CREATED = 50, 50
SCALE = int(os.environ.get("BENCH_SCALE", "1000"))
WORK = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir="/var/tmp"))
NULL = subprocess.DEVNULL
HOSTS = ("ballast", "dockerd")
daemons, verdicts = {}, []
shuffle = random.Random(1)


# ------------------------------------------------------------ processes, bounded

class Watchdog:
    """Kills a process that takes too long.  (A wait with a timeout would poll, and so measure its own pauses.)"""

    def __init__(self):
        self.lock, self.process, self.until = threading.Lock(), None, 0
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        while True:
            time.sleep(1)
            with self.lock:
                if self.process and time.monotonic() > self.until:
                    self.process.kill()

    def run(self, argv, limit=LIMIT, **kw):
        p = subprocess.Popen([str(a) for a in argv], stdin=NULL, **kw)
        with self.lock:
            self.process, self.until = p, time.monotonic() + limit
        out = p.communicate()[0] if kw.get("stdout") == subprocess.PIPE else None
        code = p.wait()
        with self.lock:
            self.process = None
        return code, out


watchdog = Watchdog()


def clock(argv):
    begin = time.monotonic()
    code, _ = watchdog.run(argv, stdout=NULL, stderr=NULL)
    return time.monotonic() - begin, code


def docker(host, *args, limit=LIMIT):
    return watchdog.run([DOCKER, "-H", f"unix://{WORK}/{host}.sock", *args], limit, stdout=subprocess.PIPE, stderr=NULL, text=True)


def spawn(name, *command, **env):
    with open(WORK / f"{name}.log", "ab") as log:
        daemons[name] = subprocess.Popen([str(c) for c in command], stdout=log, stderr=log, stdin=NULL, env={**os.environ, **env})


def ping(sock):
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(str(sock))
            s.sendall(b"GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
            return b"200" in s.recv(4096)
    except OSError:
        return False


def start(name):
    """Starts a daemon; the seconds until /_ping answers."""
    begin = time.monotonic()
    if name == "ballast":
        spawn(name, BIN / "ballastd", "--config-file", "/dev/null", "--data-root", WORK / "b", "--exec-root", WORK / "run/b",
              "--pidfile", WORK / "b.pid", "-H", f"unix://{WORK}/ballast.sock", "--log-level", "warn")
    else:
        spawn(name, PEERS / "usr/sbin/dockerd", "--config-file", "/dev/null", "--data-root", WORK / "d", "--exec-root", WORK / "run/d",
              "--pidfile", WORK / "d.pid", "-H", f"unix://{WORK}/dockerd.sock", "--bip", "172.31.250.1/24",
              "--userland-proxy=false", "--init-path", PEERS / "usr/bin/docker-init",
              PATH=f"{PEERS}/usr/sbin:{PEERS}/usr/bin:{os.environ['PATH']}")
    while not ping(WORK / f"{name}.sock"):
        if daemons[name].poll() is not None or time.monotonic() - begin > LIMIT:
            raise RuntimeError(f"{name} does not answer:\n{(WORK / f'{name}.log').read_text()[-2000:]}")
        time.sleep(0.001)
    return time.monotonic() - begin


def podman(*args):
    return ["podman", "--root", WORK / "p", "--runroot", WORK / "run/p", "--cgroup-manager", "cgroupfs", "--runtime", "crun",
            "--events-backend", "none", *args]


# ------------------------------------------------------------ figures

def verdict(what, value, limit, unit="", below=True):
    met = value <= limit if below else value >= limit
    verdicts.append((what, value, limit, unit, below, met))


def call(host, method, path, body=None):
    """A request on a connection of its own: the socket, to read() the answer from."""
    data = json.dumps(body).encode() if body is not None else b""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(LIMIT)
    s.connect(f"{WORK}/{host}.sock")
    s.sendall(f"{method} /v1.45{path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Type: application/json\r\n"
              f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
    return s


def read(s):
    with s, s.makefile("rb") as f:
        return f.read()


def run_by_api(host, net):
    """What the engine does for `docker run --rm busybox true`, without a client: create, wait, start, gone."""
    begin = time.monotonic()
    spec = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"AutoRemove": True, "NetworkMode": net}}
    made = read(call(host, "POST", "/containers/create", spec))
    container = re.search(rb'"Id": ?"([0-9a-f]{64})"', made)
    if not container:
        return time.monotonic() - begin, 1
    path = f"/containers/{container[1].decode()}"
    waiting = call(host, "POST", f"{path}/wait?condition=removed")
    started = read(call(host, "POST", f"{path}/start"))
    ended = read(waiting)
    return time.monotonic() - begin, b" 204 " not in started[:20] or b'"StatusCode":0' not in ended


def interleave(title, commands, runs=RUNS):
    """commands: {name: argv, or a function for (seconds, failed)}.  {name: [seconds]}; the first is ours."""
    times, bad = {n: [] for n in commands}, set()
    for i in range(-2, runs):
        for name in shuffle.sample(list(commands), len(commands)):
            time.sleep(0.05)
            t, code = commands[name]() if callable(commands[name]) else clock(commands[name])
            if code:
                bad.add(name)
            if i >= 0:
                times[name].append(t)
    ours = next(iter(commands))
    print(f"\n{title}")
    for name in commands:
        ratio = statistics.median(a / b for a, b in zip(times[name], times[ours]))
        print(f"  {name:<34}{statistics.median(times[name]) * 1e3:9.1f} ms   x {ratio:5.2f}   least {min(times[name]) * 1e3:7.1f} ms"
              f"{'   FAILED' if name in bad else ''}", flush=True)
    return times


def each(times, ours, theirs):
    """The median over the rounds of ours / theirs."""
    return statistics.median(a / b for a, b in zip(times[ours], times[theirs]))


def request(host, path, n):
    """The median seconds of n requests over one connection, and the size of the answer."""
    times, size = [], 0
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(LIMIT)
        s.connect(f"{WORK}/{host}.sock")
        f = s.makefile("rb")
        for _ in range(n):
            begin = time.monotonic()
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
            head = {}
            f.readline()
            while (line := f.readline().strip()):
                k, _, v = line.decode().partition(":")
                head[k.lower()] = v.strip()
            if "content-length" in head:
                size = len(f.read(int(head["content-length"])))
            else:
                size = 0
                while (chunk := int(f.readline(), 16)):
                    size += len(f.read(chunk))
                    f.readline()
                f.readline()
            times.append(time.monotonic() - begin)
    return statistics.median(times), size


def memory(match):
    """(RSS, PSS) in MB over processes whose command line matches, and how many there are."""
    rss = pss = n = 0
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = pathlib.Path(f"/proc/{p}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if not re.match(r"(\S*/)?" + match, line) or str(WORK) not in line:
                continue
            rows = dict(x.split(":") for x in pathlib.Path(f"/proc/{p}/smaps_rollup").read_text().splitlines()[1:])
        except (OSError, ValueError):
            continue
        rss += int(rows["Rss"].split()[0])
        pss += int(rows["Pss"].split()[0])
        n += 1
    return rss / 1024, pss / 1024, n


def cpu(pid):
    f = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")


# ------------------------------------------------------------ what is measured

def measure_run():
    have_podman = watchdog.run(podman("load", "-i", WORK / "busybox.tar"), stdout=NULL, stderr=NULL)[0] == 0
    for net in ("none", "bridge"):
        args = ["run", "--rm", "--network", net, "busybox", "true"]
        commands = {
            "ballast run": [BIN / "ballast", "-H", f"unix://{WORK}/ballast.sock", *args],
            "docker run on ballast": [DOCKER, "-H", f"unix://{WORK}/ballast.sock", *args],
            "docker run on dockerd": [DOCKER, "-H", f"unix://{WORK}/dockerd.sock", *args],
            "the engine alone: ballast": lambda net=net: run_by_api("ballast", net),
            "the engine alone: dockerd": lambda net=net: run_by_api("dockerd", net),
        }
        if have_podman:
            commands["podman run"] = podman("run", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", *args[1:])
        t = interleave(f"run --rm true, network {net}", commands)
        verdict(f"run, network {net}: the engine's share, of dockerd's",
                each(t, "the engine alone: ballast", "the engine alone: dockerd"), 1 / 8)
        verdict(f"ballast run, network {net}: of docker run on dockerd", each(t, "ballast run", "docker run on dockerd"), 1 / 10)


def measure_oci():
    b = WORK / "bundle"
    (b / "rootfs").mkdir(parents=True)
    subprocess.run(["tar", "x", "-C", str(b / "rootfs")], input=images.busybox_layer(), check=True, timeout=LIMIT)
    subprocess.run(["runc", "spec"], cwd=b, check=True, timeout=LIMIT)
    spec = json.loads((b / "config.json").read_text())
    spec["process"].update(terminal=False, args=["true"])
    (b / "config.json").write_text(json.dumps(spec))
    t = interleave("OCI runtime, run of a bundle", {
        "ballast-oci": [BIN / "ballast-oci", "run", "--bundle", b, "bench-ours"],
        "crun": ["crun", "run", "--bundle", b, "bench-crun"],
        "runc": ["runc", "run", "--bundle", b, "bench-runc"],
    }, RUNS * 2)
    verdict("ballast-oci run: of crun run", each(t, "ballast-oci", "crun"), 0.7)


def show_memory(when):
    kinds = {"ballast": ("ballastd ", "ballast-shim "), "dockerd": ("(dockerd|containerd) ", "containerd-shim")}
    seen = {}
    for name, (agent, shim) in kinds.items():
        a, s = memory(agent), memory(shim)
        each_shim = s[1] / s[2] if s[2] else 0
        print(f"  {name:<10}{when:<14}daemon RSS {a[0]:7.1f} (PSS {a[1]:.1f})   {s[2]:3d} shims, PSS {each_shim:.2f} each", flush=True)
        seen[name] = (a[0], each_shim)
    return seen["ballast"]


def fill(host):
    """RUNNING containers that run and CREATED that do not."""
    commands = [["run", "-d", "--name", f"m{i}", "busybox", "sleep", "100000"] for i in range(RUNNING)]
    commands += [["create", "--name", f"c{i}", "busybox", "true"] for i in range(CREATED)]
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda c: subprocess.run([DOCKER, "-H", f"unix://{WORK}/{host}.sock", *c], stdin=NULL, stdout=NULL,
                                                       stderr=NULL, timeout=LIMIT).returncode, commands))
    print(f"  {host:<10}{RUNNING} runs and {CREATED} creates, 8 at a time: {time.monotonic() - begin:.2f} s"
          f"{'   FAILED' if any(codes) else ''}", flush=True)


def measure_many():
    print("\nmemory, MB")
    verdict("agent idle, RSS", show_memory("idle")[0], 12, " MB")
    for host in HOSTS:
        fill(host)
    time.sleep(6)
    agent, shim = show_memory(f"{RUNNING} running")
    verdict(f"agent with {RUNNING} running and {CREATED} not, RSS", agent, 16, " MB")
    verdict("shim, PSS", shim, 0.4, " MB")

    for path, name in (("/containers/json", f"{RUNNING}"), ("/containers/json?all=1", f"{RUNNING + CREATED}")):
        turns = [(request("ballast", path, 30), request("dockerd", path, 30)) for _ in range(8)]
        (mine, size), (theirs, their_size) = min(m for m, _ in turns), min(t for _, t in turns)
        print(f"\nGET {path}, {name} containers\n  ballast {mine * 1e3:9.3f} ms ({size} bytes)"
              f"\n  dockerd {theirs * 1e3:9.3f} ms ({their_size} bytes)   x {theirs / mine:.1f}", flush=True)
        verdict(f"GET {path} with {name}: of dockerd's", mine / theirs, 1 / 8)

    daemons["ballast"].send_signal(signal.SIGKILL)
    daemons["ballast"].wait(LIMIT)
    again = start("ballast")
    print(f"\nstart of the agent with {RUNNING + CREATED} containers, until /_ping answers: {again * 1e3:.1f} ms", flush=True)
    verdict(f"start with {RUNNING + CREATED} containers until /_ping", again * 1e3, 100, " ms")

    took = {}
    for host in HOSTS:
        ids = docker(host, "ps", "-aq")[1].split()
        begin = time.monotonic()
        code, _ = docker(host, "rm", "-f", *ids, limit=300)
        took[host] = time.monotonic() - begin
        print(f"rm -f of {len(ids)} on {host}: {took[host]:.2f} s{'   FAILED' if code else ''}", flush=True)


def read_log(host, name):
    """Seconds until the whole log has come, and its bytes: what the daemon does, without a client's work."""
    begin, size, buffer = time.monotonic(), 0, bytearray(1 << 20)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(LIMIT)
        s.connect(f"{WORK}/{host}.sock")
        s.sendall(f"GET /containers/{name}/logs?stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n".encode())
        while (n := s.recv_into(buffer)):
            size += n
    return time.monotonic() - begin, size


def measure_logs():
    lines, times = 100000, 50
    megabytes = lines * times * 100 / 1e6
    print(f"\nlog writing, {megabytes:.0f} MB of lines of 100 bytes")
    script = f"yes {'x' * 99} | head -n {lines} >/f; for i in $(seq {times}); do cat /f; done"  # yes itself is slow
    rates, used, read, shown = {}, {}, {}, {}
    for host in HOSTS:
        before, begin = cpu(daemons[host].pid), time.monotonic()
        docker(host, "run", "--name", "log", "--network", "none", "--log-opt", "max-size=10g", "-d", "busybox", "sh", "-c", script)
        docker(host, "wait", "log", limit=180)
        took = time.monotonic() - begin
        rates[host], used[host] = megabytes / took, cpu(daemons[host].pid) - before
        took, size = read_log(host, "log")
        read[host] = megabytes / took
        begin = time.monotonic()
        watchdog.run([DOCKER, "-H", f"unix://{WORK}/{host}.sock", "logs", "log"], 180, stdout=NULL, stderr=NULL)
        shown[host] = megabytes / (time.monotonic() - begin)
        whole = "" if size >= lines * times * 108 else f"   FAILED: {size} bytes"
        print(f"  {host:<10}{rates[host]:8.1f} MB/s   daemon CPU {used[host]:.2f} s   read {read[host]:.1f} MB/s"
              f"   docker logs {shown[host]:.1f} MB/s{whole}", flush=True)
        docker(host, "rm", "-f", "log")
    verdict("log writing: times dockerd's rate", rates["ballast"] / rates["dockerd"], 10, below=False)
    verdict("log writing: CPU of the agent", used["ballast"], 0.05, " s")
    verdict("reading a log: times dockerd's rate", read["ballast"] / read["dockerd"], 5, below=False)
    verdict("docker logs: times dockerd's rate", shown["ballast"] / shown["dockerd"], 5, below=False)


def by_threads(jobs, workers=8):
    """Runs jobs, functions that tell whether all went well; the seconds, and how many did not."""
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        bad = sum(not ok for ok in pool.map(lambda job: job(), jobs))
    return time.monotonic() - begin, bad


def sleeper(host, i):
    spec = {"Image": "busybox", "Cmd": ["sleep", "100000"]}
    return (b" 201 " in read(call(host, "POST", f"/containers/create?name=s{i}", spec))[:20] and
            b" 204 " in read(call(host, "POST", f"/containers/s{i}/start"))[:20])


def measure_scale():
    """SCALE containers that run, on each engine."""
    rates = {}
    print(f"\n{SCALE} containers that sleep, 8 at a time")
    for host in HOSTS:
        took, bad = by_threads([lambda i=i: sleeper(host, i) for i in range(SCALE)])
        rates[host] = SCALE / took
        print(f"  {host:<10}create and start: {rates[host]:.1f}/s{f'   FAILED: {bad}' if bad else ''}", flush=True)
    verdict(f"create and start of {SCALE}: times dockerd's rate", rates["ballast"] / rates["dockerd"], 5, below=False)
    mine, theirs = (min(request(host, "/containers/json", 10)[0] for _ in range(5)) for host in HOSTS)
    print(f"  GET /containers/json with {SCALE}: {mine * 1e3:.1f} ms, dockerd {theirs * 1e3:.1f} ms", flush=True)
    verdict(f"GET /containers/json with {SCALE}: of dockerd's", mine / theirs, 1 / 8)
    time.sleep(12)
    agent, shim = show_memory(f"{SCALE} running")
    verdict(f"agent with {SCALE} running, RSS", agent, 40, " MB")
    verdict(f"shim, PSS, {SCALE} of them", shim, 0.4, " MB")
    before = cpu(daemons["ballast"].pid)
    time.sleep(5)
    print(f"  idle for 5 s: {cpu(daemons['ballast'].pid) - before:.2f} s of CPU", flush=True)

    daemons["ballast"].send_signal(signal.SIGKILL)
    daemons["ballast"].wait(LIMIT)
    again = start("ballast")
    running = len(docker("ballast", "ps", "-q")[1].split())
    print(f"  start of the agent with them, until /_ping answers: {again * 1e3:.0f} ms; {running} run", flush=True)
    verdict(f"start with {SCALE} running until /_ping", again * 1e3, 500, " ms")
    took, bad = by_threads([lambda i=i: b" 204 " in read(call("ballast", "POST", f"/containers/s{i}/stop?t=0"))[:20]
                            for i in range(SCALE)], 32)
    print(f"  stop of all, at once: {took:.1f} s{f'   FAILED: {bad}' if bad else ''}", flush=True)
    verdict(f"stop of {SCALE}", took, 15, " s")


SECTIONS = {"oci": measure_oci, "run": measure_run, "many": measure_many, "logs": measure_logs, "scale": measure_scale}


def main():
    (WORK / "run").mkdir()  # in memory, as /run is
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", WORK / "run"], check=True, timeout=LIMIT)
    archive = images.busybox_archive(WORK / "busybox.tar")
    todo = [s for s in SECTIONS if not WANTED or s in WANTED]
    if "oci" in todo:  # before there are daemons
        todo.remove("oci")
        measure_oci()
    if todo:
        print("\nstart until /_ping answers, nothing there yet")
        for host in HOSTS:
            print(f"  {host:<34}{start(host) * 1e3:9.1f} ms", flush=True)
        for host in HOSTS:
            if docker(host, "load", "-i", str(archive))[0]:
                raise RuntimeError(f"{host} does not load the image")
    for name in todo:
        SECTIONS[name]()
    print("\nbudgets")
    for what, value, limit, unit, below, met in verdicts:
        print(f"  {'met   ' if met else 'MISSED'}  {what:<66}{value:8.3f}{unit}   ({'at most' if below else 'at least'} {limit:g}{unit})")


def clean_up():
    for host in HOSTS:
        if host in daemons and daemons[host].poll() is None:
            ids = (docker(host, "ps", "-aq")[1] or "").split()
            if ids:
                docker(host, "rm", "-f", *ids)
    for p in reversed(list(daemons.values())):
        if p.poll() is None:
            p.terminate()
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        mounts = [line.split()[4] for line in f if str(WORK) in line]
    for m in reversed(mounts):
        subprocess.run(["umount", "-l", m], stderr=NULL, timeout=LIMIT, check=False)
    shutil.rmtree(WORK, ignore_errors=True)


if unknown := [w for w in WANTED if w not in SECTIONS]:
    raise SystemExit(f"bench: no such section: {' '.join(unknown)}; there are {' '.join(SECTIONS)}")
try:
    main()
finally:
    clean_up()
