"""The measurements of tests/bench/run.  Each is taken in turn (A B C A B C ...), and a ratio is the median over the
rounds of t(peer) / t(ballast): above 1, ballast is faster.  A command that fails is printed as FAILED."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import images  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN, PEERS, CLIENTS = ROOT / "build/release/bin", ROOT / "build/peers", ROOT / "build/clients"
DOCKER = str(CLIENTS / "usr/bin/docker")
RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 15
WORK = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir="/var/tmp"))
NULL = subprocess.DEVNULL
started = []


def spawn(name, *command, **env):
    log = open(WORK / f"{name}.log", "wb")
    p = subprocess.Popen([str(c) for c in command], stdout=log, stderr=log, stdin=NULL, env={**os.environ, **env})
    started.append(p)
    return p


def ping(sock):
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(sock))
            s.sendall(b"GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
            return b"200" in s.recv(4096)
    except OSError:
        return False


def wait_ping(sock, process, timeout=60):
    begin = time.monotonic()
    while not ping(sock):
        if process.poll() is not None or time.monotonic() - begin > timeout:
            raise SystemExit(f"{sock} does not answer; see {WORK}")
        time.sleep(0.002)
    return time.monotonic() - begin


def start_ours():
    return spawn("ballastd", BIN / "ballastd", "--config-file", "/dev/null", "--data-root", WORK / "b", "--exec-root", WORK / "be",
                 "--pidfile", WORK / "b.pid", "-H", f"unix://{WORK}/ballast.sock", "--log-level", "warn")


def start_dockerd():
    path = f"{PEERS}/usr/sbin:{PEERS}/usr/bin:{os.environ['PATH']}"
    return spawn("dockerd", PEERS / "usr/sbin/dockerd", "--config-file", "/dev/null", "--data-root", WORK / "d", "--exec-root", WORK / "de",
                 "--pidfile", WORK / "d.pid", "-H", f"unix://{WORK}/docker.sock", "--bip", "172.31.250.1/24", "--userland-proxy=false",
                 "--init-path", PEERS / "usr/bin/docker-init", PATH=path)


def docker(host, *args, **kw):
    return subprocess.run([DOCKER, "-H", f"unix://{WORK}/{host}.sock", *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, stdin=NULL, **kw)


def clock(command):
    begin = time.monotonic()
    code = subprocess.run(command, stdout=NULL, stderr=NULL, stdin=NULL).returncode
    return time.monotonic() - begin, code


def interleave(title, commands, runs=RUNS, budget=""):
    """commands: {name: argv}; the first is ours."""
    times, bad = {n: [] for n in commands}, set()
    for i in range(-2, runs):
        for name, argv in commands.items():
            t, code = clock([str(a) for a in argv])
            if code:
                bad.add(name)
            if i >= 0:
                times[name].append(t)
    ours = next(iter(commands))
    print(f"\n{title}{'   (budget: ' + budget + ')' if budget else ''}")
    for name in commands:
        ratio = statistics.median(a / b for a, b in zip(times[name], times[ours]))
        print(f"  {name:<34}{statistics.median(times[name]) * 1e3:9.1f} ms   x {ratio:5.2f}{'   FAILED' if name in bad else ''}")


def request(sock, path, n):
    times, size = [], 0
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(sock))
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
            if not re.search(match, line) or "bench" in line.split(" ")[0]:
                continue
            rows = dict(x.split(":") for x in pathlib.Path(f"/proc/{p}/smaps_rollup").read_text().splitlines()[1:])
        except (OSError, IndexError):
            continue
        rss += int(rows["Rss"].split()[0])
        pss += int(rows["Pss"].split()[0])
        n += 1
    return rss / 1024, pss / 1024, n


def cpu(pid):
    f = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")


def bundle():
    b = WORK / "bundle"
    (b / "rootfs").mkdir(parents=True)
    subprocess.run(["tar", "x", "-C", str(b / "rootfs")], input=images.busybox_layer(), check=True)
    subprocess.run(["runc", "spec"], cwd=b, check=True)
    spec = json.loads((b / "config.json").read_text())
    spec["process"].update(terminal=False, args=["true"])
    (b / "config.json").write_text(json.dumps(spec))
    return b


def podman(*args):
    return ["podman", "--root", str(WORK / "p"), "--runroot", str(WORK / "pr"), "--cgroup-manager", "cgroupfs", "--runtime", "crun",
            "--events-backend", "none", *args]


def main():
    archive = images.busybox_archive(WORK / "busybox.tar")
    start = {}
    begin = time.monotonic()
    ours = start_ours()
    wait_ping(WORK / "ballast.sock", ours)
    start["ballast"] = time.monotonic() - begin
    begin = time.monotonic()
    dockerd = start_dockerd()
    wait_ping(WORK / "docker.sock", dockerd)
    start["dockerd"] = time.monotonic() - begin
    for host in ("ballast", "docker"):
        done = docker(host, "load", "-i", archive)
        if done.returncode:
            raise SystemExit(f"{host}: {done.stderr}")
    have_podman = subprocess.run(podman("load", "-i", str(archive)), stdout=NULL, stderr=NULL).returncode == 0

    print("start-up until /_ping answers, nothing there yet")
    for name, t in start.items():
        print(f"  {name:<34}{t * 1e3:9.1f} ms   x {t / start['ballast']:5.2f}")

    for net, budget in (("none", ""), ("bridge", "engine's share at most 1/8 of dockerd's; our CLI at most 1/10 of docker on dockerd")):
        commands = {
            "docker run on ballast": [DOCKER, "-H", f"unix://{WORK}/ballast.sock", "run", "--rm", "--network", net, "busybox", "true"],
            "ballast run": [BIN / "ballast", "-H", f"unix://{WORK}/ballast.sock", "run", "--rm", "--network", net, "busybox", "true"],
            "docker run on dockerd": [DOCKER, "-H", f"unix://{WORK}/docker.sock", "run", "--rm", "--network", net, "busybox", "true"],
            "docker version (the CLI alone)": [DOCKER, "-H", f"unix://{WORK}/ballast.sock", "version"],
        }
        if have_podman:
            commands["podman run"] = podman("run", "--rm", "--network", net, "busybox", "true")
        interleave(f"run --rm true, network {net}", commands, budget=budget)

    b = bundle()
    interleave("OCI runtime, run of a bundle", {
        "ballast-oci": [BIN / "ballast-oci", "run", "--bundle", b, "bench-ours"],
        "crun": ["crun", "run", "--bundle", b, "bench-crun"],
        "runc": ["runc", "run", "--bundle", b, "bench-runc"],
    }, RUNS * 2, "at most 0.7 x crun")

    print("\nmemory, MB: RSS (PSS) of the agent, and of all shims   (budget: 12 idle, 16 with 50; shim 0.4 PSS)")
    kinds = {"ballast": (rf"ballastd .*{WORK}", rf"ballast-shim .*{WORK}"),
             "dockerd": (rf"(dockerd|containerd) .*{WORK}", rf"containerd-shim.*{WORK}/de")}

    def show(when):
        for name, (agent, shim) in kinds.items():
            a, s = memory(agent), memory(shim)
            each = f"{s[1] / s[2]:.2f} each" if s[2] else ""
            print(f"  {name:<12}{when:<14}{a[0]:8.1f} ({a[1]:.1f})   shims: {s[2]:3d} x PSS {each}")
    show("idle")
    for host in ("ballast", "docker"):
        procs = [subprocess.Popen([DOCKER, "-H", f"unix://{WORK}/{host}.sock", "run", "-d", "--name", f"m{i}", "busybox", "sleep", "100000"],
                                  stdout=NULL, stderr=NULL) for i in range(50)]
        for p in procs:
            p.wait()
    time.sleep(6)
    show("50 running")

    print("\nGET /containers/json with 50 running   (budget: at most 1/8 of dockerd's)")
    mine, size = request(WORK / "ballast.sock", "/containers/json", 200)
    theirs, their_size = request(WORK / "docker.sock", "/containers/json", 200)
    print(f"  ballast {mine * 1e3:8.3f} ms ({size} bytes)\n  dockerd {theirs * 1e3:8.3f} ms ({their_size} bytes)   x {theirs / mine:.1f}")

    begin = time.monotonic()
    ours.send_signal(signal.SIGKILL)
    ours.wait()
    killed = time.monotonic()
    ours = start_ours()
    wait_ping(WORK / "ballast.sock", ours)
    print(f"\nrestart of the agent with 50 running, until /_ping answers: {(time.monotonic() - killed) * 1e3:.1f} ms   (budget: 100 with 100)")

    for host in ("ballast", "docker"):
        ids = docker(host, "ps", "-aq").stdout.split()
        begin = time.monotonic()
        docker(host, "rm", "-f", *ids)
        print(f"rm -f of 50 on {host}: {time.monotonic() - begin:.2f} s")

    print("\nlog writing, 60 MB of 100-byte lines   (budget: 10 x dockerd, agent CPU 0)")
    lines = 600000
    script = f"yes {'x' * 99} | head -n {lines}"
    rates = {}
    for host, process in (("ballast", ours), ("docker", dockerd)):
        before = cpu(process.pid)
        begin = time.monotonic()
        docker(host, "run", "-d", "--name", "log", "--network", "none", "busybox", "sh", "-c", script)
        docker(host, "wait", "log")
        took = time.monotonic() - begin
        rates[host] = lines * 100 / 1e6 / took
        print(f"  {host:<10}{rates[host]:8.1f} MB/s   daemon CPU {cpu(process.pid) - before:.2f} s")
        begin = time.monotonic()
        out = subprocess.run([DOCKER, "-H", f"unix://{WORK}/{host}.sock", "logs", "log"], stdout=subprocess.PIPE, stderr=NULL).stdout
        print(f"  {host:<10}docker logs: {len(out) / 1e6 / (time.monotonic() - begin):.1f} MB/s ({out.count(b'x' * 99)} lines)")
        docker(host, "rm", "-f", "log")
    print(f"  ratio x {rates['ballast'] / rates['docker']:.1f}")


try:
    main()
finally:
    for host in ("ballast", "docker"):
        ids = docker(host, "ps", "-aq").stdout.split()
        if ids:
            docker(host, "rm", "-f", *ids)
    for p in reversed(started):
        if p.poll() is None:
            p.terminate()
            try:
                p.wait(30)
            except subprocess.TimeoutExpired:
                p.kill()
    for line in reversed(open("/proc/self/mountinfo").read().splitlines()):
        if str(WORK) in line:
            subprocess.run(["umount", "-l", line.split()[4]], stderr=NULL)
    shutil.rmtree(WORK, ignore_errors=True)
