"""Attach, exec and resize: what goes in and comes out, on the wire and with the docker CLI."""
import fcntl
import json
import os
import pty
import socket
import struct
import subprocess
import termios
import time

from conftest import DOCKER, SLOW, wait_for

UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"


class Wire:
    """One hijacked connection."""

    def __init__(self, agent, target, body=None, upgrade=True):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20 * SLOW)
        self.sock.connect(str(agent.sock))
        data = json.dumps(body).encode() if body is not None else b""
        self.sock.sendall(f"POST {target} HTTP/1.1\r\nHost: d\r\n{UPGRADE if upgrade else ''}Content-Type: application/json\r\n"
                          f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
        self.data, self.head = b"", b""
        self.until(b"\r\n\r\n")
        self.head, _, self.data = self.data.partition(b"\r\n\r\n")

    def until(self, what):
        while what not in self.data:
            more = self.sock.recv(65536)
            assert more, f"the end came before {what!r}: {self.data!r}"
            self.data += more
        return self.data

    def rest(self):
        while more := self.sock.recv(65536):
            self.data += more
        return self.data

    def end_input(self):
        self.sock.shutdown(socket.SHUT_WR)


def frames(data):
    out = {1: b"", 2: b""}
    while data:
        kind, n = struct.unpack(">BxxxI", data[:8])
        out[kind] += data[8:8 + n]
        data = data[8 + n:]
    return out[1], out[2]


def run(agent, name, **body):
    made = json.loads(agent.http("POST", f"/containers/{name}/exec", body)[2])
    return made["Id"]


def sleeper(agent, name, *more):
    agent.docker("run", "-d", "--name", name, "--init", *more, "busybox", "sleep", "1000")


def events(agent, name):
    rows = agent.http("GET", f"/events?since=1&until={time.time():.3f}")[2]
    return [json.loads(r)["Action"] for r in rows.splitlines() if json.loads(r)["Actor"]["Attributes"].get("name") == name]


def test_attach_before_the_start_misses_nothing(clean):
    clean.docker("create", "--name", "early", "busybox", "sh", "-c", "echo out; echo err >&2; exit 3")
    wire = Wire(clean, "/containers/early/attach?stream=1&stdout=1&stderr=1")
    assert wire.head.startswith(b"HTTP/1.1 101 UPGRADED\r\n") and b"multiplexed-stream" in wire.head
    clean.http("POST", "/containers/early/start")
    assert frames(wire.rest()) == (b"out\n", b"err\n")


def test_the_end_of_input_is_the_end_of_stdin_and_output_goes_on(clean):
    clean.docker("create", "-i", "--name", "half", "busybox", "sh", "-c", "cat; echo bye >&2")
    wire = Wire(clean, "/containers/half/attach?stream=1&stdin=1&stdout=1&stderr=1")
    clean.http("POST", "/containers/half/start")
    wire.sock.sendall(b"hello\n" * 1000)
    wire.end_input()
    assert frames(wire.rest()) == (b"hello\n" * 1000, b"bye\n")


def test_what_was_said_comes_first_then_what_is_said(clean):
    clean.docker("run", "-di", "--name", "both", "busybox", "sh", "-c", "echo first; while read x; do echo got $x; done")
    wait_for("it has spoken", lambda: clean.out("logs", "both") == "first")
    wire = Wire(clean, "/containers/both/attach?logs=1&stream=1&stdin=1&stdout=1")
    wire.until(b"first\n")
    only_in = Wire(clean, "/containers/both/attach?stream=1&stdin=1")
    only_in.sock.sendall(b"second\n")
    wire.until(b"got second\n")
    assert only_in.data == b""
    only_in.sock.close()
    wire.sock.sendall(b"third\n")
    assert frames(wire.until(b"got third\n"))[0] == b"first\ngot second\ngot third\n"


def test_a_terminal_is_raw_and_let_go_by_its_keys(clean):
    clean.docker("run", "-dit", "--name", "tty", "busybox", "sh")
    wire = Wire(clean, "/containers/tty/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-x,y")
    assert b"raw-stream" in wire.head
    wire.sock.sendall(b"echo $((6*7))\n")
    wire.until(b"42\r\n")
    wire.sock.sendall(b"\x18")
    wire.sock.sendall(b"y")
    wire.rest()
    assert clean.inspect("tty")["State"]["Running"]
    assert "detach" in events(clean, "tty")


def test_the_cli_attaches_and_detaches_with_a_terminal_of_its_size(clean):
    clean.docker("run", "-dit", "--name", "cli", "busybox", "sh")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    cli = subprocess.Popen([DOCKER, "attach", "cli"], stdin=theirs, stdout=theirs, stderr=theirs, env=clean.env(), start_new_session=True,
                           preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(theirs)
    try:
        seen = b""

        def says(what):
            nonlocal seen
            os.write(ours, b"stty size\n")
            seen += os.read(ours, 65536)
            return what in seen

        wait_for("the size is the terminal's", lambda: says(b"33 77"), step=0.1)
        os.write(ours, b"\x10\x11")
        cli.wait(20)
    finally:
        cli.kill()
        cli.wait()
        os.close(ours)
    assert clean.inspect("cli")["State"]["Running"]


def test_an_exec_has_its_options(clean):
    sleeper(clean, "ex", "-e", "A=1", "-w", "/tmp")
    assert clean.out("exec", "ex", "sh", "-c", "echo $A$B; pwd; id -u") == "1\n/tmp\n0"
    assert clean.out("exec", "-e", "B=2", "-w", "/etc", "-u", "1234:5", "ex", "sh", "-c", "echo $A $B; pwd; id -u; id -g") == "1 2\n/etc\n1234\n5"
    done = clean.docker("exec", "-i", "ex", "sh", "-c", "cat; cat /nope; exit 7", input="in", check=False)
    assert (done.returncode, done.stdout) == (7, "in") and "No such file" in done.stderr
    assert clean.docker("exec", "ex", "/nope", check=False).returncode == 127
    assert clean.docker("exec", "ex", "/etc", check=False).returncode == 126
    refused = clean.docker("exec", "-u", "nouser", "ex", "true", check=False)
    assert "unable to find user nouser: no matching entries in passwd file" in refused.stderr
    caps = [clean.out("exec", *p, "ex", "grep", "CapEff", "/proc/self/status").split()[1] for p in ((), ("--privileged",))]
    assert int(caps[0], 16) < int(caps[1], 16)
    clean.docker("exec", "-d", "ex", "sh", "-c", "echo done >/tmp/d")
    wait_for("the detached one has run", lambda: clean.docker("exec", "ex", "cat", "/tmp/d", check=False).stdout == "done\n")


def test_an_exec_is_framed_as_the_start_asks_and_runs_once(clean):
    sleeper(clean, "fr")
    x = run(clean, "fr", Cmd=["stty", "size"], Tty=True, AttachStdin=True, AttachStdout=True, ConsoleSize=[20, 70])
    assert Wire(clean, f"/exec/{x}/start", {"Tty": True, "ConsoleSize": [31, 91]}).rest() == b"31 91\r\n"
    x = run(clean, "fr", Cmd=["cat"], AttachStdin=True, AttachStdout=True)
    wire = Wire(clean, f"/exec/{x}/start", {"Tty": False})
    wire.sock.sendall(b"abc")
    wire.until(b"abc")
    told = json.loads(clean.http("GET", f"/exec/{x}/json")[2])
    assert told["Running"] and told["ExitCode"] is None and told["Pid"] > 0
    again = clean.http("POST", f"/exec/{x}/start", {"Detach": True})
    assert again[0] == 409 and b"is already running" in again[2]
    wire.end_input()
    assert frames(wire.rest()) == (b"abc", b"")
    told = json.loads(clean.http("GET", f"/exec/{x}/json")[2])
    assert (told["Running"], told["ExitCode"]) == (False, 0)
    assert b"has already run" in clean.http("POST", f"/exec/{x}/start", {"Detach": True})[2]
    clean.docker("rm", "-f", "fr")
    assert clean.http("GET", f"/exec/{x}/json")[0] == 404


def test_the_keys_of_an_exec_let_it_go_on(clean):
    sleeper(clean, "keys")
    x = run(clean, "keys", Cmd=["sh"], Tty=True, AttachStdin=True, AttachStdout=True, DetachKeys="ctrl-a")
    wire = Wire(clean, f"/exec/{x}/start", {"Tty": True})
    wire.sock.sendall(b"echo $((6*7))\n")
    wire.until(b"42\r\n")
    assert clean.http("POST", f"/exec/{x}/resize?h=10&w=44")[0] == 200
    wire.sock.sendall(b"stty size\n")
    wire.until(b"10 44\r\n")
    wire.sock.sendall(b"\x01")
    wire.rest()
    assert json.loads(clean.http("GET", f"/exec/{x}/json")[2])["Running"]
    seen = events(clean, "keys")
    assert "exec_create: sh " in seen and "exec_start: sh " in seen and "exec_detach" in seen
