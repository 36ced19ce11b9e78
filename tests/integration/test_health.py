"""Health checks, as Docker defines them; and what follows from a container that is not well."""
import json
import os
import time

import conftest

MS = 1_000_000


def health(agent, name):
    return agent.inspect(name)["State"]["Health"]


def events(agent):
    return [json.loads(line) for line in agent.http("GET", f"/events?since=1&until={int(time.time()) + 1}")[2].splitlines()]


def make(agent, name, test, *, retries=2, interval=100, timeout=5000, start=0, cmd=("sleep", "1000"), labels=None, **more):
    body = {"Image": "busybox", "Cmd": list(cmd), "Labels": labels or {},
            "Healthcheck": {"Test": test, "Interval": interval * MS, "Timeout": timeout * MS, "Retries": retries, "StartPeriod": start * MS,
                            "StartInterval": 50 * MS if start else 0},
            "HostConfig": {"Init": True, **more}}
    status, _, reply = agent.http("POST", f"/containers/create?name={name}", body)
    assert status == 201, reply
    assert agent.http("POST", f"/containers/{name}/start")[0] == 204


def becomes(agent, name, wanted):
    conftest.wait_for(f"{name} is {wanted}", lambda: health(agent, name)["Status"] == wanted)


def test_a_container_becomes_unhealthy_and_healthy_again(clean):
    make(clean, "he1", ["CMD-SHELL", "echo out; echo err >&2; test -e /ok"])
    assert health(clean, "he1")["Status"] in ("starting", "unhealthy")
    becomes(clean, "he1", "unhealthy")
    found = health(clean, "he1")
    assert found["FailingStreak"] >= 2 and found["Log"][-1]["ExitCode"] == 1
    assert sorted(found["Log"][-1]["Output"].split()) == ["err", "out"]
    assert "(unhealthy)" in clean.out("ps", "--format", "{{.Status}}")
    assert clean.out("ps", "-q", "--filter", "health=unhealthy") and not clean.out("ps", "-q", "--filter", "health=healthy")
    clean.docker("exec", "he1", "touch", "/ok")
    becomes(clean, "he1", "healthy")
    conftest.wait_for("five results are kept", lambda: len(health(clean, "he1")["Log"]) == 5)
    assert health(clean, "he1")["FailingStreak"] == 0
    said = [e["Action"] for e in events(clean) if "health" in e["Action"]]
    assert said == ["health_status: unhealthy", "health_status: healthy"]


def test_a_probe_that_hangs_is_ended(clean):
    make(clean, "he2", ["CMD", "sh", "-c", "echo begun; sleep 100"], timeout=300)
    becomes(clean, "he2", "unhealthy")
    last = health(clean, "he2")["Log"][-1]
    assert last["ExitCode"] == -1 and last["Output"] == "Health check exceeded timeout (300ms): begun\n"


def test_a_probe_that_cannot_run_fails_with_the_reason(clean):
    make(clean, "he3", ["CMD", "/nope"], retries=1)
    becomes(clean, "he3", "unhealthy")
    last = health(clean, "he3")["Log"][-1]
    assert last["ExitCode"] == -1 and 'exec: "/nope": stat /nope: no such file or directory' in last["Output"]


def test_long_output_is_cut(clean):
    make(clean, "he4", ["CMD-SHELL", "dd if=/dev/zero bs=1000 count=10 2>/dev/null | tr '\\0' x"])
    becomes(clean, "he4", "healthy")
    assert health(clean, "he4")["Log"][0]["Output"] == "x" * 4096 + "..."


def test_failures_do_not_count_while_it_starts(clean):
    make(clean, "he5", ["CMD-SHELL", "test -e /ok"], retries=1, interval=100, start=60_000)
    conftest.wait_for("it has been probed", lambda: len(health(clean, "he5")["Log"]) > 2)
    found = health(clean, "he5")
    assert found["Status"] == "starting" and found["FailingStreak"] == 0
    clean.docker("exec", "he5", "touch", "/ok")
    becomes(clean, "he5", "healthy")
    clean.docker("exec", "he5", "rm", "/ok")
    becomes(clean, "he5", "unhealthy")


def test_none_switches_it_off_and_pausing_rests_it(clean):
    for name, test in (("he6", ["NONE"]), ("he6a", []), ("he6b", ["true"])):  # the last is no kind of probe
        make(clean, name, test)
        assert "Health" not in clean.inspect(name)["State"]
    make(clean, "he7", ["CMD", "true"])
    becomes(clean, "he7", "healthy")
    clean.docker("pause", "he7")
    conftest.wait_for("nothing is probed any more", lambda: _settled(clean))
    clean.docker("unpause", "he7")
    seen = health(clean, "he7")["Log"][-1]["Start"]
    conftest.wait_for("probing goes on", lambda: health(clean, "he7")["Log"][-1]["Start"] > seen)
    clean.docker("stop", "-t", "0", "he7")
    assert health(clean, "he7")["Status"] == "unhealthy"
    clean.docker("start", "he7")
    becomes(clean, "he7", "healthy")


def _settled(agent):
    before = health(agent, "he7")["Log"][-1]["Start"]
    time.sleep(0.3)
    return health(agent, "he7")["Log"][-1]["Start"] == before


def test_an_agent_that_comes_back_goes_on_probing(clean):
    make(clean, "he8", ["CMD", "true"])
    make(clean, "he8a", ["CMD-SHELL", "echo no; false"], retries=1)
    becomes(clean, "he8", "healthy")
    conftest.wait_for("five failures are known", lambda: len(health(clean, "he8a")["Log"]) == 5)
    clean.kill()
    clean.start()
    assert health(clean, "he8")["Status"] == "healthy"
    known = health(clean, "he8a")
    assert known["Status"] == "unhealthy" and known["FailingStreak"] >= 5
    assert [r["Output"] for r in known["Log"]] == ["no\n"] * 5
    conftest.wait_for("probing goes on", lambda: health(clean, "he8")["Log"])
    clean.docker("exec", "he8", "true")


def test_an_unhealthy_container_is_restarted_on_request(clean):
    make(clean, "he9", ["CMD-SHELL", "test ! -e /sick"], retries=1, labels={"ballast.on-unhealthy": "restart"},
         cmd=("sh", "-c", "rm -f /sick; exec sleep 1000"))
    becomes(clean, "he9", "healthy")
    pid = clean.inspect("he9")["State"]["Pid"]
    clean.docker("exec", "he9", "sh", "-c", "touch /sick")
    conftest.wait_for("it has been restarted", lambda: clean.inspect("he9")["State"]["Pid"] not in (0, pid))
    becomes(clean, "he9", "healthy")
    assert "health check" in [e["Actor"]["Attributes"].get("by") for e in events(clean) if e["Action"] == "kill"]


def test_forty_containers_are_probed_at_once(clean):
    for i in range(40):
        make(clean, f"many{i}", ["CMD", "true"], interval=200, NetworkMode="none")
    for i in range(40):
        becomes(clean, f"many{i}", "healthy")
    assert len(os.listdir(f"/proc/{clean.process.pid}/task")) < 120


COMPOSE = """
services:
  db:
    image: busybox
    command: sh -c "rm -f /ready; sleep 0.6; touch /ready; exec sleep 1000"
    init: true
    healthcheck: {test: ["CMD", "test", "-e", "/ready"], interval: 200ms, retries: 50}
  web:
    image: busybox
    command: sleep 1000
    init: true
    depends_on:
      db: {condition: service_healthy}
"""


def _told_healthy(agent, name):
    """When the health of the container was told to be fine; the events carry nanoseconds."""
    cid = agent.inspect(name)["Id"]
    return min(e["timeNano"] for e in events(agent) if e["Action"] == "health_status: healthy" and e["Actor"]["ID"] == cid)


def _start_event(agent, name):
    cid = agent.inspect(name)["Id"]
    return min(e["timeNano"] for e in events(agent) if e["Action"] == "start" and e["Actor"]["ID"] == cid)


def test_compose_waits_for_health(clean, tmp_path):
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    clean.compose("-p", "waits", "-f", tmp_path / "compose.yaml", "up", "-d")
    assert _start_event(clean, "waits-web-1") > _told_healthy(clean, "waits-db-1")
    clean.compose("-p", "waits", "-f", tmp_path / "compose.yaml", "down", "-t", "0")


def test_an_app_waits_for_health_and_is_ready_when_all_are_well(clean, tmp_path):
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    clean.ballast("apply", "-f", tmp_path / "compose.yaml", "-p", "apphealth")
    status = clean.json("/ballast/apps/apphealth")
    assert not status["ready"] and status["reason"] == "Reconciling"
    conftest.wait_for("it is ready", lambda: clean.json("/ballast/apps/apphealth")["ready"])
    assert _start_event(clean, "apphealth-web-1") > _told_healthy(clean, "apphealth-db-1")
    clean.ballast("remove", "apphealth")
    conftest.wait_for("it is gone", lambda: not clean.out("ps", "-aq"))
