"""kill -9 of the agent at every commit and at named points in between, one after the other.

BALLAST_FAULT="state.commit:N:kill" ends the agent at its N-th commit since it came up.  Each scenario is run with N = 1,
2, ... until it goes through unharmed; after every kill a new agent has to be right: what was acknowledged is there, what
should run runs, what should not leaves nothing behind, the same calls again succeed, and the database is sound.

The points are compiled into the dev build only: BALLAST_BIN_FAULTS names its programs (tests/run sets it).
"""
import json
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import time

import pytest

import conftest
from conftest import end_agent, leftovers, make_agent, wait_for

FAULTS = os.environ.get("BALLAST_BIN_FAULTS")
pytestmark = pytest.mark.skipif(not FAULTS, reason="fault points: BALLAST_BIN_FAULTS names no build that has them")
MANY = 80  # commits of one scenario, at most
PORT = 18080
HTTPD = {"Image": "busybox", "Cmd": ["httpd", "-f", "-p", "80"], "ExposedPorts": {"80/tcp": {}},
         "HostConfig": {"Init": True, "NetworkMode": "kp-net", "Binds": ["kp-vol:/data"],
                        "PortBindings": {"80/tcp": [{"HostPort": str(PORT)}]}}}
APP = """name: kp
services:
  a: {image: busybox, command: [sleep, "1000"], init: true, restart: always, volumes: ["data:/v"]}
  b: {image: busybox, command: [sleep, "1000"], init: true, depends_on: [a], ports: ["18081:80"]}
volumes: {data: {}}
"""


@pytest.fixture(scope="module")
def agent(work, archive):
    release, conftest.BIN = conftest.BIN, pathlib.Path(FAULTS).resolve()
    (work / "kp-apps/keep").mkdir(parents=True)
    (work / "kp-apps/keep/compose.yaml").write_text("services: {z: {image: busybox, command: ['true']}}\n")
    agent = make_agent(work, "kill-points", archive, "--source-dir", work / "kp-apps")
    agent.apps = work / "kp-apps"
    wait_for("the app that stays", lambda: app(agent, "keep"))
    yield agent
    if agent.process and agent.process.poll() is not None:
        agent.process = None
    end_agent(agent)
    conftest.BIN = release


GONE = (OSError, IndexError, ValueError)  # what an answer that breaks off looks like


class Died(Exception):
    """The agent went while something was asked of it."""


class Run:
    """One scenario's calls.  What was acknowledged is in `done`."""

    def __init__(self, agent):
        self.agent, self.done = agent, []

    def ask(self, name, method, path, body=None, fine=(200, 201, 204)):
        try:
            status, _, text = self.agent.http(method, path, body)
        except GONE as e:
            raise Died(name) from e
        assert status in fine, f"{name}: {status} {text}"
        self.done.append(name)

    def again(self, method, path, body=None):
        self.ask("again", method, path, body, fine=(200, 201, 204, 304, 404, 409))


def state(agent, name="kp"):
    """Its status; None when there is no such container."""
    status, _, text = agent.http("GET", f"/containers/{name}/json")
    return json.loads(text)["State"]["Status"] if status == 200 else None


def networks(agent):
    return {n["Name"] for n in agent.json("/networks")}


def bridges():
    links = json.loads(subprocess.run(["ip", "-j", "link", "show", "type", "bridge"], capture_output=True, text=True).stdout)
    return {link["ifname"] for link in links if link}


def volumes(agent):
    return {v["Name"] for v in agent.json("/volumes")["Volumes"] or []}


def app(agent, name="kp"):
    return next((a for a in agent.json("/ballast/apps") if a["name"] == name), None)


def serves():
    try:
        with socket.create_connection(("198.51.100.7", PORT), 1) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return s.recv(4) == b"HTTP"
    except OSError:
        return False


def settled(agent):
    """Nothing is on its way: what does not run holds nothing."""
    return state(agent) not in ("removing", "dead") and (state(agent) == "running" or not leftovers(agent))


def put_container(agent):
    Run(agent).again("POST", "/networks/create", {"Name": "kp-net"})
    Run(agent).again("POST", "/containers/create?name=kp", HTTPD)
    Run(agent).again("POST", "/containers/kp/start")
    assert state(agent) == "running"


def drop_container(agent):
    Run(agent).again("DELETE", "/containers/kp?force=1&v=1")
    assert state(agent) is None
    wait_for("nothing is left over", lambda: not leftovers(agent))


class CreateAndStart:
    points = ["container.allocated", "endpoint.sandbox", "endpoint.join", "container.composed", "container.started"]

    def setup(self, agent):
        Run(agent).again("POST", "/networks/create", {"Name": "kp-net"})

    def run(self, run):
        run.ask("create", "POST", "/containers/create?name=kp", HTTPD)
        run.ask("start", "POST", "/containers/kp/start")

    def check(self, agent, done):
        wait_for("what should run runs, what does not holds nothing", lambda: settled(agent))
        if "create" in done:
            assert state(agent) and "kp-vol" in volumes(agent)
        if "start" in done:
            assert state(agent) == "running"

    def again(self, agent):
        put_container(agent)
        wait_for("the published port answers", serves)

    def clean(self, agent):
        drop_container(agent)
        assert "kp-vol" in volumes(agent)
        Run(agent).again("DELETE", "/volumes/kp-vol")


class Stop:
    points = ["container.exit", "endpoint.leave"]

    def setup(self, agent):
        put_container(agent)

    def run(self, run):
        run.ask("stop", "POST", "/containers/kp/stop?t=2")

    def check(self, agent, done):
        wait_for("what should run runs, what does not holds nothing", lambda: settled(agent))
        if "stop" in done:
            assert state(agent) == "exited"

    def again(self, agent):
        Run(agent).again("POST", "/containers/kp/stop?t=2")
        assert state(agent) == "exited"
        wait_for("nothing is left over", lambda: not leftovers(agent))
        Run(agent).again("POST", "/containers/kp/start")
        wait_for("it serves again", serves)

    def clean(self, agent):
        drop_container(agent)


class Remove(Stop):
    points = ["container.exit", "endpoint.leave", "container.down", "container.erased"]

    def run(self, run):
        run.ask("remove", "DELETE", "/containers/kp?force=1&v=1")

    def check(self, agent, done):
        wait_for("it is gone, or was never asked to", lambda: state(agent) in (None, "running", "exited"))
        if "remove" in done:
            assert state(agent) is None
        wait_for("what does not run holds nothing", lambda: settled(agent))

    def again(self, agent):
        drop_container(agent)
        put_container(agent)  # name, port and address are free
        wait_for("it serves", serves)


class Restart(Stop):
    points = ["container.exit", "container.composed", "container.started"]

    def run(self, run):
        run.ask("restart", "POST", "/containers/kp/restart?t=2")

    def check(self, agent, done):
        wait_for("it runs, the same or again", lambda: serves() and state(agent) == "running")

    def again(self, agent):
        Run(agent).again("POST", "/containers/kp/restart?t=2")
        wait_for("it serves again", serves)


class Network:
    points = []

    def setup(self, agent):
        self.before = bridges()

    def run(self, run):
        run.ask("create", "POST", "/networks/create", {"Name": "kp-other"})
        run.ask("remove", "DELETE", "/networks/kp-other")

    def check(self, agent, done):
        if "remove" in done:
            assert "kp-other" not in networks(agent)
        if done == ["create"]:  # its removal was asked for, and may have been heard
            wait_for("there with its bridge, or gone with it",
                     lambda: ("kp-other" in networks(agent)) == (bridges() > self.before))

    def again(self, agent):
        Run(agent).again("POST", "/networks/create", {"Name": "kp-other"})
        assert "kp-other" in networks(agent)
        wait_for("its bridge is there", lambda: bridges() > self.before)

    def clean(self, agent):
        Run(agent).again("DELETE", "/networks/kp-other")
        assert "kp-other" not in networks(agent)
        assert bridges() == self.before


def services(agent):
    listed = agent.json("/containers/json?all=1")
    return sorted((c["Labels"]["com.docker.compose.service"], c["State"]) for c in listed
                  if c["Labels"].get("com.docker.compose.project") == "kp")


class Apply:
    points = ["container.allocated", "container.composed", "container.started"]

    def setup(self, agent):
        pass

    def write(self, agent):
        (agent.apps / "kp").mkdir(exist_ok=True)
        (agent.apps / "kp/compose.yaml").write_text(APP)

    def run(self, run):
        self.write(run.agent)
        self.follow(run.agent, lambda: (a := app(run.agent)) and a["ready"])

    def follow(self, agent, condition):
        """Until it holds or the agent is gone."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except GONE as e:
                raise Died("app") from e
            time.sleep(0.02)
        pytest.fail(f"not reached: {app(agent)}")

    def check(self, agent, done):
        self.write(agent)
        wait_for("the app is ready", lambda: (a := app(agent)) and a["ready"], 20)
        assert services(agent) == [("a", "running"), ("b", "running")]
        assert "kp_data" in volumes(agent) and "kp_default" in networks(agent)

    def again(self, agent):
        pass

    def clean(self, agent):
        shutil.rmtree(agent.apps / "kp", ignore_errors=True)
        wait_for("the app is gone", lambda: not app(agent) and not services(agent), 20)
        assert "kp_default" not in networks(agent)
        wait_for("nothing is left over", lambda: not leftovers(agent))
        assert "kp_data" in volumes(agent)


class Withdraw(Apply):
    points = ["container.exit", "endpoint.leave", "container.down", "container.erased"]

    def setup(self, agent):
        self.write(agent)
        wait_for("the app is ready", lambda: (a := app(agent)) and a["ready"], 20)

    def run(self, run):
        shutil.rmtree(run.agent.apps / "kp", ignore_errors=True)
        self.follow(run.agent, lambda: not app(run.agent))

    def check(self, agent, done):
        self.clean(agent)


def limit_of(agent):
    """What the kernel holds the container to."""
    pid = json.loads(agent.http("GET", "/containers/kp/json")[2])["State"]["Pid"]
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        number, names, path = line.split(":", 2)
        if "pids" in names.split(","):
            return pathlib.Path(f"/sys/fs/cgroup/{names}{path}/pids.max").read_text().strip()
        if number == "0" and pathlib.Path(f"/sys/fs/cgroup{path}/pids.max").exists():
            return pathlib.Path(f"/sys/fs/cgroup{path}/pids.max").read_text().strip()
    return None


def inspect(agent, name="kp"):
    return agent.json(f"/containers/{name}/json")


class Update(Stop):
    points = ["update.written"]

    def run(self, run):
        run.ask("update", "POST", "/containers/kp/update", {"PidsLimit": 77})

    def check(self, agent, done):
        def agrees():
            recorded = inspect(agent)["HostConfig"]["PidsLimit"]
            return limit_of(agent) == (str(recorded) if recorded else "max")
        wait_for("the kernel has what the record says", agrees)
        assert state(agent) == "running"
        if "update" in done:
            assert inspect(agent)["HostConfig"]["PidsLimit"] == 77

    def again(self, agent):
        Run(agent).again("POST", "/containers/kp/update", {"PidsLimit": 88})
        assert limit_of(agent) == "88"


def joined(agent):
    """The networks it is on; None when record and kernel do not agree."""
    known = set(inspect(agent)["NetworkSettings"]["Networks"])
    pid = inspect(agent)["State"]["Pid"]
    links = subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", "-o", "link"], capture_output=True, text=True).stdout
    return known if links.count(": eth") == len(known) else None


class Connect(Stop):
    points = ["connect.written", "endpoint.join"]

    def setup(self, agent):
        put_container(agent)
        Run(agent).again("POST", "/networks/create", {"Name": "kp-other"})

    def run(self, run):
        run.ask("connect", "POST", "/networks/kp-other/connect", {"Container": "kp"})

    def check(self, agent, done):
        wait_for("it is on as many networks as are recorded", lambda: joined(agent))
        assert state(agent) == "running"
        if "connect" in done:
            assert "kp-other" in joined(agent)

    def again(self, agent):
        if "kp-other" not in joined(agent):
            Run(agent).ask("connect", "POST", "/networks/kp-other/connect", {"Container": "kp"})
        assert joined(agent) == {"kp-net", "kp-other"}
        assert serves()

    def clean(self, agent):
        drop_container(agent)
        Run(agent).ask("remove", "DELETE", "/networks/kp-other")


class Disconnect(Connect):
    points = ["connect.written"]

    def setup(self, agent):
        super().setup(agent)
        Run(agent).ask("connect", "POST", "/networks/kp-other/connect", {"Container": "kp"})

    def run(self, run):
        run.ask("disconnect", "POST", "/networks/kp-other/disconnect", {"Container": "kp"})

    def check(self, agent, done):
        wait_for("it is on as many networks as are recorded", lambda: joined(agent))
        if "disconnect" in done:
            assert joined(agent) == {"kp-net"}


class Commit(Stop):
    points = ["content.commit", "images.commit"]

    def run(self, run):
        run.ask("commit", "POST", "/commit?container=kp&repo=kp-image&tag=1&pause=1", {})

    def check(self, agent, done):
        wait_for("it is not left paused", lambda: state(agent) == "running")
        found = agent.http("GET", "/images/kp-image:1/json")[0]
        assert found == 200 or "commit" not in done

    def again(self, agent):
        Run(agent).ask("commit", "POST", "/commit?container=kp&repo=kp-image&tag=1", {})
        Run(agent).ask("create", "POST", "/containers/create?name=kp-of-it", {"Image": "kp-image:1", "Cmd": ["true"]})
        Run(agent).ask("start", "POST", "/containers/kp-of-it/start")
        wait_for("what was committed runs", lambda: state(agent, "kp-of-it") == "exited")
        Run(agent).ask("remove", "DELETE", "/containers/kp-of-it?force=1")

    def clean(self, agent):
        drop_container(agent)
        Run(agent).ask("remove", "DELETE", "/images/kp-image:1?force=1")


class Rename(Stop):
    points = []

    def run(self, run):
        run.ask("away", "POST", "/containers/kp/rename?name=kp-away")
        run.ask("back", "POST", "/containers/kp-away/rename?name=kp")

    def check(self, agent, done):
        here, away = state(agent), state(agent, "kp-away")
        assert sorted([str(here), str(away)]) == ["None", "running"], "it has one name"
        if done:
            assert away or done == ["away", "back"] or here  # the second may have been heard
        if "back" in done:
            assert here

    def again(self, agent):
        if state(agent, "kp-away"):
            Run(agent).ask("back", "POST", "/containers/kp-away/rename?name=kp")
        assert serves()
        status, _, text = agent.http("POST", "/containers/create?name=kp-away", {"Image": "busybox"})
        assert status == 201, text  # the other name is free
        Run(agent).ask("remove", "DELETE", "/containers/kp-away")


class Pause(Stop):
    points = []

    def run(self, run):
        run.ask("pause", "POST", "/containers/kp/pause")
        run.ask("unpause", "POST", "/containers/kp/unpause")

    def check(self, agent, done):
        wait_for("one of both", lambda: state(agent) in ("running", "paused"))
        if "unpause" in done:
            assert state(agent) == "running"
        wait_for("it serves exactly when it is not paused", lambda: serves() == (state(agent) == "running"))

    def again(self, agent):
        if state(agent) == "paused":
            Run(agent).ask("unpause", "POST", "/containers/kp/unpause")
        wait_for("it serves", serves)


SICK = {"Image": "busybox", "Cmd": ["sleep", "1000"], "Labels": {"ballast.on-unhealthy": "restart"},
        "Healthcheck": {"Test": ["CMD-SHELL", "test $(wc -l </data/probes) -ge 2 || { echo >>/data/probes; false; }"],
                        "Interval": 50_000_000, "Timeout": 5_000_000_000, "Retries": 1},
        "HostConfig": {"Init": True, "NetworkMode": "none", "Binds": ["kp-vol:/data"]}}


class Unhealthy(Stop):
    """Its first two probes fail, each of which has it restarted."""
    points = ["container.exit", "container.composed", "container.started"]

    def setup(self, agent):
        Run(agent).again("POST", "/containers/create?name=kp", SICK)

    def run(self, run):
        run.ask("start", "POST", "/containers/kp/start")
        Apply().follow(run.agent, lambda: self.well(run.agent))

    def well(self, agent):
        # another agent may find it made well by probes that the one before has not lived to hear of
        return state(agent) == "running" and inspect(agent)["State"]["Health"]["Status"] == "healthy"

    def check(self, agent, done):
        if "start" not in done:  # it may have been heard
            Run(agent).again("POST", "/containers/kp/start")
        wait_for("it is restarted until it is well", lambda: self.well(agent), 20)

    def again(self, agent):
        Run(agent).again("POST", "/containers/kp/restart?t=0")
        wait_for("it is well again", lambda: self.well(agent))

    def clean(self, agent):
        drop_container(agent)
        Run(agent).again("DELETE", "/volumes/kp-vol")


def start_with(agent, fault):
    """False: it did not live long enough to answer."""
    try:
        agent.start(env={"BALLAST_FAULT": fault})
        return True
    except GONE + (pytest.fail.Exception,):
        try:
            agent.process.wait(2)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the agent neither answers nor ends:\n{agent.tail()}")
        return False


def sound(agent):
    db = sqlite3.connect(f"file:{agent.data}/state.db?mode=ro", uri=True)
    try:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        db.close()


def once(agent, scenario, fault):
    """True: the agent was killed on the way, and all was well afterwards."""
    scenario.setup(agent)
    agent.kill()
    run = Run(agent)
    try:
        if start_with(agent, fault):
            scenario.run(run)
            time.sleep(0.1)
    except Died:
        agent.process.wait(5)
    killed = agent.process.poll() is not None
    if not killed:
        agent.process.kill()  # what it would have hit later must not hit the checks
        agent.process.wait(5)
    agent.process = None
    sound(agent)
    agent.start()
    scenario.check(agent, run.done)
    scenario.again(agent)
    scenario.clean(agent)
    return killed


KINDS = [CreateAndStart, Stop, Restart, Remove, Network, Apply, Withdraw, Update, Connect, Disconnect, Commit, Rename, Pause,
         Unhealthy]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_at_any_commit_loses_nothing(agent, kind):
    n = 1
    while once(agent, kind(), f"state.commit:{n}:kill"):
        n += 1
        assert n < MANY, "it never goes through"
    assert n > 2, "no commit was hit: the test shows nothing"
    print(f"{n - 1} kills")


@pytest.mark.parametrize("kind,point", [(k, p) for k in KINDS for p in k.points])
def test_a_kill_between_two_steps_loses_nothing(agent, kind, point):
    assert once(agent, kind(), f"{point}:1:kill"), "the point was not hit: the test shows nothing"
