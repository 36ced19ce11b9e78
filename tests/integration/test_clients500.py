"""Five hundred clients at once, attached, in execs and following logs; half of them are killed in the middle of it."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest

CLIENTS = 500
PORT = 24751
HALVES = 2
# What the C library keeps of a thousand threads' stacks, and the execs that can still be inspected.
SLACK_KIB = {"agent": 4096, "shim": 512}


# ------------------------------------------------------------ a crowd, in a process of its own

class Client:
    """One connection; half of them over TCP.  It is done with its request once the head of the answer is there."""

    def __init__(self, path, number, method, target, body=b"", upgrade=True):
        self.target = target
        if number % 2:
            self.sock = socket.create_connection(("127.0.0.1", PORT), 60)
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(60)
            self.sock.connect(path)
        lines = "Connection: Upgrade\r\nUpgrade: tcp\r\n" if upgrade else ""
        self.sock.sendall(f"{method} {target} HTTP/1.1\r\nHost: d\r\n{lines}Content-Type: application/json\r\n"
                          f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self.data = b""
        self.until(b"\r\n\r\n")
        assert b" 101 " in self.data or b" 200 " in self.data or b" 201 " in self.data, self.data
        self.data = self.data.partition(b"\r\n\r\n")[2]

    def until(self, what):
        while what not in self.data:
            more = self.sock.recv(65536)
            assert more, f"{self.target}: the connection ended: {self.data[-200:]}"
            self.data = (self.data + more)[-100000:]

    def forget(self):
        self.data = b""


def attach(path, i):
    return Client(path, i, "POST", "/containers/crowd/attach?stream=1&stdout=1")


def logs(path, i):
    return Client(path, i, "GET", "/containers/crowd/logs?follow=1&stdout=1&tail=1", upgrade=False)


def run(path, i):
    create = Client(path, i, "POST", "/containers/crowd/exec", upgrade=False,
                    body=json.dumps({"Cmd": ["cat"], "AttachStdin": True, "AttachStdout": True}).encode())
    create.until(b"}")
    x = json.loads(create.data)["Id"]
    create.sock.close()
    return Client(path, i, "POST", f"/exec/{x}/start", b'{"Detach":false,"Tty":false}')


KINDS = [attach, logs, run]


def crowd(path, first, count):
    clients = [KINDS[i % 3](path, i) for i in range(first, first + count)]
    print("ready", flush=True)
    for word in sys.stdin:
        if word.strip() == "check":
            for i, c in enumerate(clients, first):
                c.forget()
                if KINDS[i % 3] is run:
                    c.sock.sendall(b"hello %d\n" % i)
                    c.until(b"hello %d\n" % i)
                else:
                    c.until(b"tick")
            print("checked", flush=True)
        else:
            for c in clients:
                c.sock.close()
            print("closed", flush=True)


if __name__ == "__main__":
    crowd(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    sys.exit(0)


# ------------------------------------------------------------ the test

from conftest import SLOW, _is_shim, end_agent, make_agent, wait_for  # noqa: E402


@pytest.fixture(scope="module")
def agent(work, archive):
    agent = make_agent(work, "crowd-agent", archive, "-H", f"tcp://127.0.0.1:{PORT}")
    yield agent
    end_agent(agent)


class Crowd:
    def __init__(self, agent, first, count):
        self.process = subprocess.Popen([sys.executable, __file__, str(agent.sock), str(first), str(count)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def expect(self, word):
        line = self.process.stdout.readline().strip()
        assert line == word, line or self.process.communicate()[1]

    def say(self, word):
        print(word, file=self.process.stdin, flush=True)


def size_of(pid):
    rows = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    anonymous = next(int(r.split()[1]) for r in rows if r.startswith("Anonymous:"))
    return {"fds": len(os.listdir(f"/proc/{pid}/fd")), "threads": len(os.listdir(f"/proc/{pid}/task")), "KiB": anonymous}


def settled(agent, shim, before, slack_kib):
    now = {"agent": size_of(agent.process.pid), "shim": size_of(shim)}
    return all(now[who]["fds"] <= before[who]["fds"] and now[who]["threads"] <= before[who]["threads"] and
               (SLOW > 1 or now[who]["KiB"] <= before[who]["KiB"] + slack_kib[who]) for who in now)


def cats(agent):
    top = json.loads(agent.http("GET", "/containers/crowd/top?ps_args=-o%20pid,comm")[2])
    return sum(row[1] == "cat" for row in top["Processes"])


def round_of_clients(agent):
    """All come; the first half is killed, the second one notices nothing and leaves in order."""
    half = CLIENTS // HALVES
    crowds = [Crowd(agent, n * half, half) for n in range(HALVES)]
    execs = sum(KINDS[i % 3] is run for i in range(half, CLIENTS))
    try:
        for c in crowds:
            c.expect("ready")
        for c in crowds:
            c.say("check")
        for c in crowds:
            c.expect("checked")
        crowds[0].process.send_signal(signal.SIGKILL)
        crowds[0].process.wait()
        crowds[1].say("check")
        crowds[1].expect("checked")
        wait_for("the commands of those who were killed have ended", lambda: cats(agent) <= execs, 30)
        assert cats(agent) == execs
        crowds[1].say("quit")
        crowds[1].expect("closed")
        wait_for("all commands have ended", lambda: cats(agent) == 0, 30)
    finally:
        for c in crowds:
            c.process.kill()
            c.process.wait()
            for f in (c.process.stdin, c.process.stdout, c.process.stderr):
                f.close()


def test_five_hundred_clients_leave_nothing_behind(agent):
    agent.docker("run", "-d", "--name", "crowd", "--network", "none", "--init", "--log-opt", "max-size=100k", "busybox", "sh", "-c",
                 "while :; do echo tick; sleep 0.1; done")
    shim = next(int(p) for p in os.listdir("/proc") if p.isdigit() and _is_shim(p, agent))
    started = time.monotonic()
    round_of_clients(agent)  # warms pools and arenas up
    wait_for("threads have ended", lambda: size_of(agent.process.pid)["threads"] < 30, 30)
    before = {"agent": size_of(agent.process.pid), "shim": size_of(shim)}
    round_of_clients(agent)
    wait_for(f"descriptors, threads and memory are as before: {before}",
             lambda: settled(agent, shim, before, SLACK_KIB), 30)
    print(f"two rounds in {time.monotonic() - started:.1f} s; before {before}, "
          f"after {size_of(agent.process.pid)} and {size_of(shim)}")
    assert agent.inspect("crowd")["State"]["Running"]
    agent.docker("rm", "-f", "crowd")
