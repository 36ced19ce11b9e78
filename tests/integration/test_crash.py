"""kill -9 of the agent at random moments, and what must be there afterwards."""
import json
import random
import subprocess
import threading
import time

import pytest

from conftest import DOCKER, SLOW, end_agent, leftovers, make_agent, wait_for

ROUNDS = 50


@pytest.fixture(scope="module")
def agent(work, archive):
    agent = make_agent(work, "crash-agent", archive)
    yield agent
    end_agent(agent)


class Churn(threading.Thread):
    """One container after another: started, writes 50 lines, ends with a code of its own.  What the engine
    acknowledged is kept; what it did not may or may not be there."""

    def __init__(self, agent, number):
        super().__init__(daemon=True)
        self.agent, self.number, self.stop, self.acknowledged = agent, number, False, {}

    def run(self):
        n = 0
        while not self.stop:
            name, code = f"churn-{self.number}-{n}", (self.number * 7 + n) % 100 + 1
            done = subprocess.run([DOCKER, "run", "-d", "--name", name, "busybox", "sh", "-c",
                                   f"for i in $(seq 50); do echo {name} $i; done; sleep 0.{n % 5}; exit {code}"],
                                  env=self.agent.env(), capture_output=True, text=True)
            if done.returncode == 0:
                self.acknowledged[name] = code
            else:
                time.sleep(0.1)
            n += 1


def test_fifty_kills_lose_nothing(agent):
    kept = [f"kept-{i}" for i in range(20)]
    for name in kept:
        agent.docker("run", "-d", "--name", name, "--restart", "always", "busybox", "sleep", "100000")
    pids = {name: agent.inspect(name)["State"]["Pid"] for name in kept}
    churns = [Churn(agent, i) for i in range(3)]
    for c in churns:
        c.start()
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for _ in range(ROUNDS):
        time.sleep(dice.uniform(0.02, 0.5))
        agent.kill()
        agent.start()
    for c in churns:
        c.stop = True
        c.join(60 * SLOW)
    expected = {name: code for c in churns for name, code in c.acknowledged.items()}
    assert expected, "nothing was acknowledged in between: the test shows nothing"

    def settled():
        states = {c["Names"][0][1:]: c["State"] for c in agent.json("/containers/json?all=1")}
        return all(states.get(n) == "exited" for n in expected) and all(states.get(n) == "running" for n in kept)
    wait_for("everything is as it should be", settled, 30)

    for name in kept:
        assert agent.inspect(name)["State"]["Pid"] == pids[name], f"{name} was restarted"
    for name, code in expected.items():
        state = agent.inspect(name)["State"]
        assert (state["Status"], state["ExitCode"]) == ("exited", code), name
        lines = agent.docker("logs", name).stdout.splitlines()
        assert lines == [f"{name} {i}" for i in range(1, 51)], name
    agent.remove_everything()
    wait_for("nothing is left over", lambda: not leftovers(agent))


def test_a_killed_shim_leaves_nothing_behind(agent):
    agent.docker("run", "-d", "--name", "orphan", "busybox", "sleep", "100000")
    pid = agent.inspect("orphan")["State"]["Pid"]
    shim = int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1])
    subprocess.run(["kill", "-9", str(shim)], check=True)
    wait_for("the end is noticed", lambda: agent.inspect("orphan")["State"]["Status"] == "exited")
    assert agent.inspect("orphan")["State"]["ExitCode"] == 137
    agent.docker("start", "orphan")
    assert agent.inspect("orphan")["State"]["Running"]
    agent.remove_everything()
    wait_for("nothing is left over", lambda: not leftovers(agent))


def test_stopping_the_agent_leaves_containers_running(agent):
    agent.docker("run", "-d", "--name", "goes-on", "busybox", "sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.05; done")
    assert agent.stop() == 0
    time.sleep(0.5)
    agent.start()
    lines = agent.docker("logs", "goes-on").stdout.split()
    assert lines == [str(i) for i in range(len(lines))] and len(lines) > 5
    agent.remove_everything()


def test_a_second_agent_on_the_same_data_is_refused(agent):
    from conftest import BIN
    done = subprocess.run([str(BIN / "ballastd"), "--data-root", str(agent.data), "--exec-root", str(agent.exec), "--config-file",
                           str(agent.base / "agent.yaml"), "--pidfile", "", "-H", f"unix://{agent.base}/b.sock"],
                          capture_output=True, text=True)
    assert done.returncode == 1 and "uses the data-root" in done.stderr
