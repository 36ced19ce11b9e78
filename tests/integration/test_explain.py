"""`ballast explain`: why a container is in its state, for people."""
import json
import os
import signal

import conftest


def explain(agent, name):
    return agent.ballast("explain", name).stdout


def test_each_state_is_explained(clean):
    clean.docker("create", "--name", "ex1", "busybox", "true")
    assert "it was created and has never been started" in explain(clean, "ex1")
    clean.docker("run", "--name", "ex2", "busybox", "sh", "-c", "exit 3", check=False)
    said = explain(clean, "ex2")
    assert "it ended by itself, exit code 3" in said and "Next: it stays down until it is started" in said
    clean.docker("run", "-d", "--name", "ex3", "--init", "busybox", "sleep", "1000")
    assert "it runs since" in explain(clean, "ex3") and "no restart policy" in explain(clean, "ex3")
    clean.docker("pause", "ex3")
    assert "it is paused" in explain(clean, "ex3")
    clean.docker("unpause", "ex3")
    clean.docker("stop", "-t", "5", "ex3")
    said = explain(clean, "ex3")
    assert "it is held by `docker stop` of uid 0; exit code" in said and "SIGTERM was sent" in said
    clean.docker("start", "ex3", check=False)
    failed = clean.docker("run", "--name", "ex4", "busybox", "/nope", check=False)
    assert failed.returncode == 127
    assert "it could not be started: " in explain(clean, "ex4") and "/nope" in explain(clean, "ex4")


def test_restarts_and_memory_are_explained(clean):
    clean.docker("run", "-d", "--name", "ex5", "--restart", "always", "busybox", "sleep", "1000")
    pid = clean.inspect("ex5")["State"]["Pid"]
    os.kill(pid, signal.SIGKILL)
    conftest.wait_for("it is back", lambda: clean.inspect("ex5")["State"]["Pid"] not in (0, pid))
    said = explain(clean, "ex5")
    assert "exit code 137 (killed: SIGKILL)" in said and "restarted by its restart policy: exit code 137" in said and "its restart policy (always) decides" in said
    clean.docker("run", "--name", "ex6", "-m", "16m", "--memory-swap", "16m", "busybox", "sh", "-c",
                 "dd if=/dev/zero of=/dev/null bs=64M count=1", check=False)
    assert "out of memory" in explain(clean, "ex6") and "the memory limit was reached" in explain(clean, "ex6")
    data = json.loads(clean.ballast("explain", "--json", "ex6").stdout)
    assert data["state"] and data["next"] and data["history"][0]["text"].startswith("created")


def test_what_is_not_there_cannot_be_explained(clean):
    failed = clean.ballast("explain", "nope", check=False)
    assert failed.returncode == 1 and "No such container: nope" in failed.stderr
