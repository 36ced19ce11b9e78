"""kill -9 of the agent between every two steps of a volume's life: made, mounted, used, unmounted, removed.

As test_kill_points.py, which says how it works, with volumes of both drivers: "kp-ram" is a mount of the local one, "kp-far"
a plugin's.  A plugin must not be left with a user that is gone, and nothing may stay mounted.
"""
import json
import os
import pathlib

import pytest

import conftest
from conftest import end_agent, leftovers, make_agent, wait_for
from test_kill_points import MANY, Run, once, state, volumes
from test_volumes import Plugin, mounted_below

FAULTS = os.environ.get("BALLAST_BIN_FAULTS")
pytestmark = pytest.mark.skipif(not FAULTS, reason="fault points: BALLAST_BIN_FAULTS names no build that has them")
NAMES = ("kp-ram", "kp-far")
USER = {"Image": "busybox", "Cmd": ["sleep", "1000"],
        "HostConfig": {"Init": True, "NetworkMode": "none", "Binds": ["kp-ram:/ram", "kp-far:/far"]}, "Volumes": {"/bin": {}}}


@pytest.fixture(scope="module")
def agent(work, archive):
    release, conftest.BIN = conftest.BIN, pathlib.Path(FAULTS).resolve()
    (work / "volume-kills/sockets").mkdir(parents=True)
    agent = make_agent(work, "volume-kills", archive, "--plugin-socket-dir", work / "volume-kills/sockets")
    agent.plugin = Plugin(agent).start()
    yield agent
    if agent.process and agent.process.poll() is not None:
        agent.process = None
    end_agent(agent)
    agent.plugin.stop()
    conftest.BIN = release


def make(run):
    run.ask("ram", "POST", "/volumes/create", {"Name": "kp-ram", "DriverOpts": {"type": "tmpfs", "device": "tmpfs"}})
    run.ask("far", "POST", "/volumes/create", {"Name": "kp-far", "Driver": "vp"})


def known(agent):
    return agent.plugin.state() if (agent.plugin.base / "state.json").exists() else {}


def users(agent):
    return known(agent).get("kp-far", {"users": []})["users"]


def unused(agent):
    return mounted_below(agent) == [] and users(agent) == [] and not list((agent.exec / "volume-users").glob("*"))


def drop(agent):
    Run(agent).again("DELETE", "/containers/kp?force=1&v=1")
    wait_for("nothing holds them", lambda: unused(agent))
    for name in NAMES:
        Run(agent).again("DELETE", f"/volumes/{name}?force=1")
    assert volumes(agent) == set() and known(agent) == {}
    wait_for("nothing is left over", lambda: not leftovers(agent))
    assert os.listdir(agent.data / "volumes") == []


class Create:
    points = ["volume.made"]

    def setup(self, agent):
        pass

    def run(self, run):
        make(run)

    def check(self, agent, done):
        assert {f"kp-{name}" for name in done} <= volumes(agent)
        assert set(os.listdir(agent.data / "volumes")) <= {"kp-ram"}

    def again(self, agent):
        make(Run(agent))
        assert volumes(agent) == set(NAMES) and list(known(agent)) == ["kp-far"]

    def clean(self, agent):
        drop(agent)


class Use(Create):
    points = ["volume.marked", "container.composed", "container.started"]

    def setup(self, agent):
        make(Run(agent))

    def run(self, run):
        run.ask("create", "POST", "/containers/create?name=kp", USER)
        run.ask("start", "POST", "/containers/kp/start")
        run.ask("stop", "POST", "/containers/kp/stop?t=0")

    def check(self, agent, done):
        wait_for("in use exactly while it runs",
                 lambda: unused(agent) if state(agent) != "running" else len(users(agent)) == len(mounted_below(agent)) == 1)
        if "create" in done:
            assert state(agent)
        if done[-1:] == ["stop"]:
            assert state(agent) == "exited"

    def again(self, agent):
        Run(agent).again("POST", "/containers/create?name=kp", USER)
        Run(agent).again("POST", "/containers/kp/start")
        assert state(agent) == "running" and len(users(agent)) == len(mounted_below(agent)) == 1
        Run(agent).again("POST", "/containers/kp/stop?t=0")
        wait_for("nothing holds them", lambda: unused(agent))


class Remove(Create):
    points = ["volume.removed"]

    def setup(self, agent):
        make(Run(agent))

    def run(self, run):
        run.ask("ram", "DELETE", "/volumes/kp-ram")
        run.ask("far", "DELETE", "/volumes/kp-far")

    def check(self, agent, done):
        assert not {f"kp-{name}" for name in done} & volumes(agent)

    def again(self, agent):
        for name in NAMES:
            Run(agent).again("DELETE", f"/volumes/{name}")
        assert volumes(agent) == set() and known(agent) == {}
        make(Run(agent))


@pytest.mark.parametrize("kind", [Create, Use, Remove])
def test_a_kill_at_any_commit_loses_nothing(agent, kind):
    n = 1
    while once(agent, kind(), f"state.commit:{n}:kill"):
        n += 1
        assert n < MANY, "it never goes through"
    assert n > 2, "no commit was hit: the test shows nothing"


@pytest.mark.parametrize("kind, point", [(k, p) for k in (Create, Use, Remove) for p in k.points])
@pytest.mark.parametrize("nth", [1, 2])
def test_a_kill_between_two_steps_loses_nothing(agent, kind, point, nth):
    if not once(agent, kind(), f"{point}:{nth}:kill"):
        assert nth == 2, "the point was not hit: the test shows nothing"


def test_a_volume_that_was_being_filled_when_all_was_killed_is_filled_anew(agent):
    """The mark of a filling is on the directory; what is half there goes, what is whole stays."""
    Run(agent).again("POST", "/containers/create?name=kp", USER)
    name = next(m["Name"] for m in json.loads(agent.http("GET", "/containers/kp/json")[2])["Mounts"] if m["Destination"] == "/bin")
    place = agent.data / "volumes" / name / "_data"
    whole = sorted(os.listdir(place))
    assert len(whole) > 10
    for file in whole[3:]:
        (place / file).unlink()
    os.setxattr(place, "trusted.ballast.filling", b"")
    assert len(os.listdir(place)) == 3
    Run(agent).again("POST", "/containers/kp/start")
    assert sorted(os.listdir(place)) == whole
    assert "trusted.ballast.filling" not in os.listxattr(place)
    drop(agent)
