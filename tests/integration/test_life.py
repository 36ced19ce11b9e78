"""The life of containers: order of events, waits, restart policies, memory and processes that run out.

What dockerd 28.5 does in these situations was measured; where its order of two events is not fixed, either passes."""
import concurrent.futures
import json
import os
import pathlib
import signal
import time

import pytest

import conftest

POLITE = ["sh", "-c", "trap 'exit 143' TERM; while :; do sleep 0.05; done"]
STUBBORN = ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]
HOG = "tail /dev/zero"


def make(agent, name, cmd, start=True, labels=None, signal_=None, **host):
    body = {"Image": "busybox", "Cmd": list(cmd), "Labels": labels or {}, "HostConfig": host}
    if signal_:
        body["StopSignal"] = signal_
    status, _, reply = agent.http("POST", f"/containers/create?name={name}", body)
    assert status == 201, reply
    if start:
        assert agent.http("POST", f"/containers/{name}/start")[0] == 204


def post(agent, path):
    status, _, reply = agent.http("POST", path)
    assert status in (200, 204, 304), reply
    return status


def state(agent, name):
    return agent.json(f"/containers/{name}/json")["State"]


def restarts(agent, name):
    return agent.json(f"/containers/{name}/json")["RestartCount"]


def events(agent, name):
    """"kill[9] die(137)": the events of the containers that had this name."""
    said = []
    query = json.dumps({"container": [name], "type": ["container"]}).replace('"', "%22").replace(" ", "")
    for line in agent.http("GET", f"/events?since=1&until={int(time.time()) + 1}&filters={query}")[2].splitlines():
        ev = json.loads(line)
        attributes = ev["Actor"]["Attributes"]
        said.append(ev["Action"] + (f"[{attributes['signal']}]" if "signal" in attributes else "")
                    + (f"({attributes['exitCode']})" if ev["Action"] == "die" else ""))
    return " ".join(said)


def is_(agent, name, status):
    conftest.wait_for(f"{name} is {status}", lambda: state(agent, name)["Status"] == status)


# ------------------------------------------------------------------ order of events

ORDERS = {
    "stop": (POLITE, ["stop?t=10"], "kill[15] die(143) stop"),
    "stop of a stubborn one": (STUBBORN, ["stop?t=1"], "kill[15] kill[9] die(137) stop"),
    "restart": (POLITE, ["restart?t=10"], "kill[15] die(143) stop start restart"),
    "kill": (POLITE, ["kill"], "kill[9] die(137)"),
    "kill with another signal": (POLITE, ["kill?signal=TERM"], "kill[15] die(143)"),
    "a signal that is no end": (["sh", "-c", "trap : USR1; while :; do sleep 0.05; done"], ["kill?signal=USR1"], "kill[10]"),
    "pause": (POLITE, ["pause", "unpause"], "pause unpause"),
    "stop of a paused one": (STUBBORN, ["pause", "stop?t=1"], "pause kill[15] unpause kill[9] die(137) stop"),
    "rename": (POLITE, ["rename?name=other"], "rename"),
}


@pytest.mark.parametrize("what", ORDERS)
def test_events_come_in_dockers_order(clean, what):
    cmd, calls, wanted = ORDERS[what]
    name = "or" + "".join(w[0] for w in what.split()) + str(len(what))
    make(clean, name, cmd)
    if cmd in (POLITE, STUBBORN):
        time.sleep(0.1)  # the trap is set
    cid = clean.json(f"/containers/{name}/json")["Id"]
    for call in calls:
        post(clean, f"/containers/{cid}/{call}")
    conftest.wait_for(f"{wanted}", lambda: events(clean, cid) == f"create start {wanted}")


def test_an_end_by_itself_and_a_removal(clean):
    make(clean, "en1", ["sh", "-c", "exit 3"])
    is_(clean, "en1", "exited")
    found = state(clean, "en1")
    assert (found["ExitCode"], found["Running"], found["Restarting"], found["Dead"], found["Pid"]) == (3, False, False, False, 0)
    assert clean.http("DELETE", "/containers/en1")[0] == 204
    conftest.wait_for("all is told", lambda: events(clean, "en1") == "create start die(3) destroy")
    make(clean, "en2", POLITE)
    assert clean.http("DELETE", "/containers/en2?force=1")[0] == 204
    conftest.wait_for("all is told", lambda: events(clean, "en2") == "create start kill[9] die(137) destroy")


# ------------------------------------------------------------------ wait

def wait(agent, pool, name, condition):
    """Asks on a thread of its own; the future's result is the exit code."""
    def ask():
        status, _, body = agent.http("POST", f"/containers/{name}/wait?condition={condition}")
        assert status == 200, body
        return json.loads(body)["StatusCode"]
    future = pool.submit(ask)
    time.sleep(0.2)  # it has been asked
    return future


def test_the_three_conditions_of_wait(clean):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        make(clean, "wa1", ["sh", "-c", "sleep 0.7; exit 4"], start=False)
        assert wait(clean, pool, "wa1", "not-running").result(10) == 0
        upcoming, gone = wait(clean, pool, "wa1", "next-exit"), wait(clean, pool, "wa1", "removed")
        assert not upcoming.done()
        post(clean, "/containers/wa1/start")
        assert wait(clean, pool, "wa1", "not-running").result(10) == 4
        assert upcoming.result(10) == 4 and not gone.done()
        again = wait(clean, pool, "wa1", "next-exit")
        assert not again.done() and wait(clean, pool, "wa1", "").result(10) == 4
        assert clean.http("DELETE", "/containers/wa1")[0] == 204
        assert gone.result(10) == 4 and again.result(10) == 4


def test_waits_end_at_each_end_of_a_container_that_comes_back(clean):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        make(clean, "wa2", ["sh", "-c", "sleep 0.7; exit 5"], RestartPolicy={"Name": "always"})
        one, two, gone = (wait(clean, pool, "wa2", c) for c in ("not-running", "next-exit", "removed"))
        assert one.result(10) == 5 and two.result(10) == 5 and not gone.done()
        assert clean.http("DELETE", "/containers/wa2?force=1")[0] == 204
        assert gone.result(10) in (5, 137)


# ------------------------------------------------------------------ restart policies

def test_a_policy_with_a_maximum_and_a_start_by_hand_after_it(clean):
    make(clean, "rp1", ["sh", "-c", "exit 3"], RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 2})
    conftest.wait_for("it has given up", lambda: (state(clean, "rp1")["Status"], restarts(clean, "rp1")) == ("exited", 2))
    assert events(clean, "rp1") == "create start die(3) start die(3) start die(3)"
    post(clean, "/containers/rp1/start")
    conftest.wait_for("it has given up again", lambda: events(clean, "rp1").count("die") == 6)
    assert restarts(clean, "rp1") == 2


def test_between_two_lives(clean):
    make(clean, "rp2", ["sh", "-c", "exit 3"], RestartPolicy={"Name": "always"})
    conftest.wait_for("a long pause", lambda: restarts(clean, "rp2") >= 5 and state(clean, "rp2")["Status"] == "restarting")
    found = state(clean, "rp2")
    assert (found["Running"], found["Restarting"], found["Pid"], found["ExitCode"]) == (True, True, 0, 3)
    assert clean.out("ps", "--filter", "name=rp2", "--format", "{{.Status}}").startswith("Restarting (3) ")
    assert post(clean, "/containers/rp2/start") == 304
    status, _, reply = clean.http("POST", "/containers/rp2/pause")
    assert status == 409 and b"is restarting, wait until the container is running" in reply
    status, _, reply = clean.http("DELETE", "/containers/rp2")
    assert status == 409 and b"container is restarting: stop the container before removing or force remove" in reply
    ends = events(clean, "rp2").count("die")
    post(clean, "/containers/rp2/stop")
    assert state(clean, "rp2")["Status"] == "exited" and post(clean, "/containers/rp2/stop") == 304
    assert events(clean, "rp2").split()[-1] == "stop" and events(clean, "rp2").count("die") == ends


def test_who_kills_a_container_means_it(clean):
    always = {"Name": "always"}
    make(clean, "rp3", POLITE, RestartPolicy=always)
    make(clean, "rp4", POLITE, RestartPolicy=always, signal_="SIGUSR1")
    time.sleep(0.1)
    post(clean, "/containers/rp3/kill?signal=TERM")
    post(clean, "/containers/rp4/kill?signal=TERM")  # not its stop signal: a message that it took badly
    conftest.wait_for("it is back", lambda: restarts(clean, "rp4") == 1)
    is_(clean, "rp3", "exited")
    assert restarts(clean, "rp3") == 0


def test_what_ends_without_an_agent_comes_back_with_the_next(clean):
    make(clean, "rp5", ["sleep", "1000"], RestartPolicy={"Name": "unless-stopped"})
    make(clean, "rp6", ["sleep", "1000"])
    make(clean, "rp7", ["sleep", "1000"], RestartPolicy={"Name": "unless-stopped"})
    post(clean, "/containers/rp7/stop?t=0")
    pids = {n: state(clean, n)["Pid"] for n in ("rp5", "rp6")}
    clean.kill()
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    clean.start()
    conftest.wait_for("it is back", lambda: state(clean, "rp5")["Pid"] not in (0, pids["rp5"]))
    is_(clean, "rp6", "exited")
    assert state(clean, "rp6")["ExitCode"] == 137 and state(clean, "rp7")["Status"] == "exited"
    assert restarts(clean, "rp5") == 1


COMPOSE = """
services:
  tries:
    image: busybox
    command: sh -c "exit 6"
    deploy:
      restart_policy: {condition: any, delay: 150ms, max_attempts: 2, window: 1m}
  sick:
    image: busybox
    command: sleep 1000
    init: true
    x-ballast: {on_unhealthy: restart}
"""


def test_composes_delay_window_and_attempts(clean, tmp_path):
    file = tmp_path / "compose.yaml"
    file.write_text(COMPOSE)
    said = clean.ballast("apply", "-f", file, "-p", "life")
    assert "restart_policy" not in said.stderr
    conftest.wait_for("it has given up", lambda: events(clean, "life-tries-1").count("die") == 3
                      and state(clean, "life-tries-1")["Status"] == "exited")
    host = clean.json("/containers/life-tries-1/json")["HostConfig"]
    assert host["RestartPolicy"] == {"Name": "always", "MaximumRetryCount": 0}
    assert "has given up after 2 restarts in a row" in clean.ballast("explain", "life-tries-1").stdout
    assert "no more attempts" in clean.ballast("status", "life").stdout
    clean.kill()  # the maximum is the container's, not this process's
    clean.start()
    assert clean.json("/containers/life-sick-1/json")["Config"]["Labels"]["ballast.on-unhealthy"] == "restart"
    assert state(clean, "life-tries-1")["Status"] == "exited" and restarts(clean, "life-tries-1") == 2
    clean.ballast("remove", "life")
    conftest.wait_for("it is gone", lambda: not clean.out("ps", "-aq"))


# ------------------------------------------------------------------ out of memory, out of processes

def test_out_of_memory_is_told_when_it_happens(clean):
    make(clean, "me1", ["sh", "-c", f"({HOG}); sleep 1000"], Memory=16 << 20, MemorySwap=16 << 20)
    conftest.wait_for("it is told", lambda: events(clean, "me1") == "create start oom")
    found = state(clean, "me1")
    assert found["Running"] and found["OOMKilled"] and found["Status"] == "running"
    clean.docker("exec", "me1", "sh", "-c", HOG, check=False)
    conftest.wait_for("it is told each time", lambda: events(clean, "me1").count("oom") == 2)
    assert "out of memory" in clean.ballast("explain", "me1").stdout
    post(clean, "/containers/me1/kill")
    is_(clean, "me1", "exited")


def test_a_hog_ends_and_comes_back_within_its_limit(clean):
    make(clean, "me2", ["sh", "-c", f"sleep 0.2; exec {HOG}"], Memory=16 << 20, MemorySwap=16 << 20,
         RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 1})
    conftest.wait_for("it has given up", lambda: (state(clean, "me2")["Status"], restarts(clean, "me2")) == ("exited", 1))
    assert events(clean, "me2") == "create start oom die(137) start oom die(137)"
    found = state(clean, "me2")
    assert found["OOMKilled"] and found["ExitCode"] == 137


def test_a_fork_bomb_hurts_nobody_but_itself(clean):
    make(clean, "fb1", ["sh", "-c", "bomb() { bomb | bomb & bomb; }; bomb"], PidsLimit=40, Memory=64 << 20, MemorySwap=64 << 20)
    make(clean, "fb2", ["sleep", "1000"])
    conftest.wait_for("it goes off", lambda: state(clean, "fb1")["Status"] == "exited" or len(_pids(clean, "fb1")) > 20)
    for _ in range(20):
        assert len(_pids(clean, "fb1")) <= 40
    assert clean.out("exec", "fb2", "echo", "well") == "well"
    post(clean, "/containers/fb1/kill") if state(clean, "fb1")["Running"] else None
    is_(clean, "fb1", "exited")
    assert clean.http("DELETE", "/containers/fb1?force=1")[0] == 204


def _pids(agent, name):
    cid = agent.json(f"/containers/{name}/json")["Id"]
    for tree in ("pids", ""):
        path = pathlib.Path("/sys/fs/cgroup") / tree
        for group in path.glob(f"*/{cid}/cgroup.procs"):
            return group.read_text().split()
    return []
