"""The declarative half: Compose files in a watched directory, and what keeps them true."""
import json
import os
import pathlib
import shutil
import signal
import time
import urllib.request

import pytest

from conftest import COMPOSE, ROOT, end_agent, make_agent, wait_for

TWO = """name: two
services:
  a:
    image: busybox
    command: [sleep, "1000"]
    init: true
    restart: unless-stopped
    volumes: ["data:/v"]
  b:
    image: busybox
    command: [sleep, "2000"]
    init: true
    restart: unless-stopped
    depends_on: [a]
volumes: {data: {}}
"""


@pytest.fixture(scope="module")
def apps(work):
    (work / "apps").mkdir()
    return work / "apps"


@pytest.fixture(scope="module")
def agent(work, archive, apps):
    agent = make_agent(work, "apps-agent", archive, "--source-dir", apps)
    yield agent
    end_agent(agent)


@pytest.fixture
def two(agent, apps):
    (apps / "two").mkdir(exist_ok=True)
    write(apps, TWO)
    ready(agent, "two")
    yield agent
    shutil.rmtree(apps / "two", ignore_errors=True)
    (apps / "keep").mkdir(exist_ok=True)
    (apps / "keep/compose.yaml").write_text("services: {z: {image: busybox, command: ['true']}}\n")
    wait_for("the app is gone", lambda: not containers(agent, "two"), 20)
    agent.docker("volume", "rm", "-f", "two_data")


def write(apps, text):
    (apps / "two/compose.yaml").write_text(text)


def status(agent, name):
    return next((s for s in agent.json("/ballast/apps") if s["name"] == name), None)


def ready(agent, name, timeout=15):
    return wait_for(f"{name} is Ready", lambda: (s := status(agent, name)) and s["ready"] and s, timeout)


def containers(agent, app):
    listed = agent.json("/containers/json?all=1")
    return {c["Labels"]["com.docker.compose.service"]: c["Id"] for c in listed
            if c["Labels"].get("com.docker.compose.project") == app}


def test_only_what_changed_is_made_anew(two, apps):
    before = containers(two, "two")
    assert set(before) == {"a", "b"}
    start = time.monotonic()
    write(apps, TWO.replace("2000", "3000"))
    wait_for("b is another one", lambda: (now := containers(two, "two")).get("b") not in (None, before["b"]) and now, 5)
    ready(two, "two")
    assert containers(two, "two")["a"] == before["a"]
    print(f"recreated and Ready after {time.monotonic() - start:.2f} s")


def test_a_removed_service_goes_and_its_volume_stays(two, apps):
    before = containers(two, "two")
    write(apps, "name: two\nservices:\n  b:\n    image: busybox\n    command: [sleep, '2000']\n    init: true\n    restart: unless-stopped\n")
    wait_for("a is gone", lambda: "a" not in containers(two, "two"))
    ready(two, "two")
    assert "two_data" in two.out("volume", "ls", "-q")
    assert set(containers(two, "two")) == {"b"} and before


def test_a_syntax_error_keeps_the_old_state_and_is_shown_with_its_place(two, apps):
    before = containers(two, "two")
    write(apps, TWO.replace("    command: [sleep, \"2000\"]", "    comand: [sleep]"))
    seen = wait_for("the error is in the status", lambda: (s := status(two, "two")) and s["reason"] == "InvalidFile" and s)
    assert "two/compose.yaml:11:5" in seen["message"] and "comand" in seen["message"]
    assert "two/compose.yaml:11:5" in two.ballast("status", check=False).stdout
    assert containers(two, "two") == before
    write(apps, TWO)
    ready(two, "two")
    assert containers(two, "two") == before


def test_a_killed_process_is_back(two):
    pid = two.inspect("two-a-1")["State"]["Pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for("another process runs", lambda: two.inspect("two-a-1")["State"]["Pid"] not in (0, pid))
    ready(two, "two")
    two.docker("kill", "two-b-1")
    wait_for("it is back", lambda: two.inspect("two-b-1")["State"]["Running"])


def test_a_removed_container_is_back_and_the_event_says_who(two):
    before = containers(two, "two")["a"]
    since = int(time.time())
    two.docker("rm", "-f", "two-a-1")
    wait_for("another one", lambda: containers(two, "two").get("a") not in (None, before))
    ready(two, "two")
    text = two.out("events", "--since", str(since), "--until", str(int(time.time()) + 1), "--filter", "event=destroy",
                   "--format", "{{json .Actor.Attributes}}")
    told = [a["by"] for a in map(json.loads, text.splitlines()) if a.get("name") == "two-a-1"]
    assert any("api uid=0 pid=" in by for by in told), text


def test_a_stop_is_held_until_somebody_starts_it(two):
    two.docker("stop", "-t", "0", "two-b-1")
    time.sleep(1)
    assert two.inspect("two-b-1")["State"]["Status"] == "exited"
    assert status(two, "two")["ready"] is False
    two.docker("start", "two-b-1")
    ready(two, "two")


def test_an_unreadable_or_empty_directory_removes_nothing(two, apps):
    before = containers(two, "two")
    os.rename(apps, str(apps) + ".away")
    try:
        two.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        assert containers(two, "two") == before
        os.mkdir(apps)
        two.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        assert containers(two, "two") == before
        os.rmdir(apps)
    finally:
        os.rename(str(apps) + ".away", apps)
    two.process.send_signal(signal.SIGHUP)
    ready(two, "two")
    assert containers(two, "two") == before


def test_an_agent_that_was_killed_goes_on(two):
    before = containers(two, "two")
    two.kill()
    two.start()
    ready(two, "two")
    assert containers(two, "two") == before


def test_what_is_not_applied_is_listed(two, apps):
    write(apps, TWO.replace("    depends_on: [a]", "    depends_on: [a]\n    mem_swappiness: 10\n    develop: {watch: []}"))
    notices = wait_for("notices", lambda: (s := status(two, "two")) and s["notices"])
    assert any(n["key"].endswith("develop") and n["line"] > 1 for n in notices)


def test_plan_says_what_would_be_done_and_does_nothing(two, apps, work):
    (work / "other").mkdir(exist_ok=True)
    (work / "other/compose.yaml").write_text("name: other\nservices: {x: {image: busybox, command: [sleep, '9']}}\n")
    text = two.ballast("plan", "-f", work / "other").stdout
    assert "create" in text and "other-x-1" in text
    assert status(two, "other") is None
    ops = json.loads(two.ballast("plan", "-f", work / "other", "--format", "json").stdout)["ops"]
    assert [o["op"] for o in ops] == ["create network", "create container", "start container"]


def test_apply_and_remove_by_hand(two, work):
    (work / "hand").mkdir(exist_ok=True)
    (work / "hand/compose.yaml").write_text("name: hand\nservices: {x: {image: busybox, command: [sleep, '9999'], init: true, restart: always}}\n")
    two.ballast("apply", "-f", work / "hand", "--wait")
    assert status(two, "hand")["ready"]
    two.http("DELETE", "/ballast/apps/hand")
    wait_for("it is gone", lambda: status(two, "hand") is None)
    assert containers(two, "hand") == {}


def test_the_hello_example_with_compose(work, archive):
    agent = make_agent(work, "hello-agent", archive)
    try:
        compose = ["-f", ROOT / "examples/hello/compose.yaml", "-p", "hc"]
        agent.compose(*compose, "up", "-d", timeout=120)
        listed = json.loads("[" + ",".join(agent.compose(*compose, "ps", "--format", "json").stdout.strip().splitlines()) + "]")
        assert {c["Service"]: c["State"] for c in listed} == {"web": "running", "store": "running"}

        def page():
            try:
                return urllib.request.urlopen("http://127.0.0.1:8080/", timeout=2).read().decode()
            except OSError:
                return ""
        wait_for("the page counts", lambda: "Visits so far: 1" in page() or "Visits so far: 2" in page())
        assert "listening on port 8080" in agent.compose(*compose, "logs", "web").stdout
        assert agent.compose(*compose, "exec", "-T", "web", "/hello", check=False).returncode == 2
        agent.compose(*compose, "down", "-v", timeout=120)
        assert agent.out("ps", "-aq") == "" and agent.out("volume", "ls", "-q") == ""
    finally:
        end_agent(agent)
