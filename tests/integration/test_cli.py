"""The ballast command: the imperative verbs with docker's exit codes, the declarative ones, and what people see."""
import json
import os
import signal
import subprocess
import time

import pytest

import test_run
from conftest import BIN, SLOW, wait_for


class Terminal(test_run.Terminal):
    """A person at a terminal, with our command instead of docker's."""

    def __init__(self, agent, *args):
        theirs, test_run.DOCKER = test_run.DOCKER, str(BIN / "ballast")
        try:
            super().__init__(agent, *args)
        finally:
            test_run.DOCKER = theirs



def spawn(agent, *args, **kw):
    return subprocess.Popen([str(BIN / "ballast"), "-H", agent.host, *map(str, args)], env=agent.env(), text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)


# ------------------------------------------------------------------ run and exec

@pytest.mark.parametrize("command, code", [
    (["true"], 0), (["sh", "-c", "exit 3"], 3), (["/nope"], 127), (["nope"], 127), (["/etc"], 126), (["/etc/noexec"], 126),
])
def test_run_ends_with_the_code_of_the_command(clean, command, code):
    done = clean.ballast("run", "--rm", "busybox", *command, check=False)
    assert done.returncode == code, done.stderr


def test_what_the_engine_or_we_refuse_is_125(clean):
    assert clean.ballast("run", "--rm", "--network", "nowhere", "busybox", "true", check=False).returncode == 125
    assert clean.ballast("run", "--nonsense", "busybox", check=False).returncode == 125
    assert clean.ballast("run", "--pull", "never", "no/such:image", "true", check=False).returncode == 125
    assert not clean.json("/containers/json?all=1")


def test_streams_stay_apart_and_stdin_ends(clean):
    done = clean.ballast("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    data = os.urandom(1024 * 1024)
    assert clean.ballast("run", "-i", "--rm", "busybox", "cat", input=data).stdout == data


def test_the_usual_flags_reach_the_container(clean):
    clean.ballast("run", "-d", "--name", "web", "-p", "127.0.0.1:0:80", "-e", "A=1", "-v", "/tmp:/host:ro", "-m", "32m", "--cpus",
                  "0.5", "--restart", "on-failure:2", "-l", "k=v", "-w", "/tmp", "-u", "web", "busybox", "sleep", "1000")
    box = clean.inspect("web")
    assert box["HostConfig"]["Memory"] == 32 << 20
    assert box["HostConfig"]["NanoCpus"] == 500000000
    assert box["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}
    assert box["Config"]["Labels"]["k"] == "v"
    assert clean.ballast("exec", "web", "sh", "-c", "pwd; id -un; echo $A; ls -d /host").stdout == "/tmp\nweb\n1\n/host\n"
    line = clean.ballast("ps").stdout.splitlines()[1]
    assert "127.0.0.1:" in line and "->80/tcp" in line and line.endswith("web")


def test_exec_has_the_code_of_the_command(clean):
    clean.ballast("run", "-d", "--name", "cc", "busybox", "sleep", "1000")
    assert clean.ballast("exec", "cc", "sh", "-c", "exit 5", check=False).returncode == 5
    assert clean.ballast("exec", "cc", "nope", check=False).returncode == 127
    assert clean.ballast("exec", "nobody", "true", check=False).returncode == 1
    assert clean.ballast("exec", "-i", "cc", "cat", input="hi\n").stdout == "hi\n"


def test_a_signal_goes_to_the_container(clean):
    p = spawn(clean, "run", "--rm", "--name", "sig", "busybox", "sh", "-c", "trap 'echo trapped; exit 9' TERM; while :; do sleep 0.1; done")
    wait_for("it runs", lambda: clean.out("ps", "-q", "--filter", "name=sig"))
    time.sleep(0.3)
    p.send_signal(signal.SIGTERM)
    out, _ = p.communicate(timeout=20 * SLOW)
    assert (out, p.returncode) == ("trapped\n", 9)


def test_a_terminal_has_the_right_size_and_can_be_left(clean):
    t = Terminal(clean, "run", "-it", "--rm", "busybox", "sh")
    t.send("tty; stty size; exit 5\n")
    t.expect(r"/dev/pts/\d+")
    t.expect(r"33 101")
    assert t.end() == 5
    t = Terminal(clean, "run", "-it", "--name", "kept", "busybox", "sh")
    t.send("echo ready-$((1+1))\n")
    t.expect(r"ready-2")
    t.send("\x10\x11")
    assert t.end() == 0
    t = Terminal(clean, "exec", "-it", "kept", "sh", "-c", "stty size; exit 4")
    t.expect(r"33 101")
    assert t.end() == 4


# ------------------------------------------------------------------ lists, logs, stop, rm

def test_logs_stop_start_and_rm(clean):
    clean.ballast("run", "-d", "--name", "ll", "busybox", "sh", "-c", "for i in 1 2 3; do echo line $i; done; exec sleep 1000")
    wait_for("it has written", lambda: "line 3" in clean.ballast("logs", "ll").stdout)
    assert clean.ballast("logs", "-n", "1", "ll").stdout == "line 3\n"
    assert clean.ballast("logs", "-t", "ll").stdout.startswith("20")
    assert clean.ballast("rm", "ll", check=False).returncode == 1
    assert clean.ballast("stop", "-t", "0", "ll").stdout == "ll\n"
    assert clean.ballast("stop", "ll").stdout == "ll\n"
    assert clean.ballast("start", "ll").stdout == "ll\n"
    done = clean.ballast("rm", "-f", "ll", "nobody", check=False)
    assert (done.returncode, done.stdout) == (1, "ll\n")
    assert done.stderr == "ballast: No such container: nobody\n"


def test_lists_are_json_on_request(clean):
    clean.ballast("run", "-d", "--name", "jj", "busybox", "sleep", "1000")
    assert json.loads(clean.ballast("ps", "--format", "json").stdout)["Names"] == "jj"
    assert any(json.loads(line)["Repository"] == "busybox" for line in clean.ballast("images", "--format", "json").stdout.splitlines())
    version = json.loads(clean.ballast("version", "--format", "json").stdout)
    assert version["Server"]["ApiVersion"] == "1.51"
    for line in json.loads(clean.ballast("doctor", "--format", "json").stdout):
        assert line["feature"] and line["state"]
    events = clean.ballast("events", "--since", "1m", "--until", "0s", "--filter", "event=start", "--format", "json").stdout
    assert json.loads(events.splitlines()[-1])["Actor"]["Attributes"]["name"] == "jj"
    assert clean.ballast("ps", "--format", "yaml", check=False).returncode == 1


def test_load_reads_a_file_and_stdin(clean, archive):
    assert "Loaded image: busybox:latest" in clean.ballast("load", "-i", archive).stdout
    assert b"Loaded image: busybox:latest" in clean.ballast("load", input=archive.read_bytes()).stdout
    assert clean.ballast("load", "-i", "/nonexistent", check=False).returncode == 1


def test_without_an_agent_the_error_says_so(work):
    done = subprocess.run([str(BIN / "ballast"), "-H", f"unix://{work}/none", "ps"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "cannot connect to the agent" in done.stderr


# ------------------------------------------------------------------ apps

SHOP = """services:
  web: {image: "busybox:${TAG}", stop_signal: SIGKILL, command: [sleep, "1000"], restart: RESTART, depends_on: [db], labels: {l: LABEL}}
  db: {image: busybox, stop_signal: SIGKILL, command: [sleep, "1000"], restart: always, volumes: ["data:/d"]}
volumes: {data: }
"""


@pytest.fixture
def shop(clean, work):
    path = work / "shop"
    path.mkdir(exist_ok=True)

    def write(restart="always", label="1", extra=""):
        (path / "compose.yaml").write_text(SHOP.replace("RESTART", restart).replace("LABEL", label) + extra)
        return path

    os.environ["TAG"] = "latest"
    write()
    yield write
    del os.environ["TAG"]
    clean.ballast("remove", "shop", check=False)
    wait_for("the app is gone", lambda: not clean.json("/ballast/apps"))


def test_plan_apply_status_diff_and_remove(clean, shop):
    path = shop()
    plan = clean.ballast("plan", "-f", path).stdout.splitlines()
    assert plan[0] == "shop: 4 changes"
    assert all(line.startswith("  + create") for line in plan[1:])
    assert clean.ballast("apply", "-f", path, "--wait").stdout.splitlines()[-1] == "shop is ready"
    assert clean.ballast("plan", "-f", path).stdout == "shop: nothing to do\n"
    assert clean.ballast("diff", "-f", path).returncode == 0
    assert "Ready    2/2" in clean.ballast("status", "--exit-code").stdout
    before = {c["Names"][0]: c["Id"] for c in clean.json("/containers/json")}
    path = shop(restart="unless-stopped", label="2")
    diff = clean.ballast("diff", "-f", path, check=False)
    assert diff.returncode == 1
    assert diff.stdout == ("~ container shop-web-1: update\n    restart: always -> unless-stopped\n    labels: l changed\n")
    clean.ballast("apply", "-f", path, "--wait")
    assert {c["Names"][0]: c["Id"] for c in clean.json("/containers/json")} == before
    box = clean.inspect("shop-web-1")
    assert box["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert box["Config"]["Labels"]["l"] == "2"
    clean.ballast("remove", "shop")
    wait_for("the app is gone", lambda: not clean.json("/containers/json?all=1"))
    assert "shop_data" in clean.out("volume", "ls", "-q")


def test_a_bad_file_is_refused_with_its_place(clean, shop):
    path = shop(extra="  other: {drivr: x}\n")
    (path / "compose.yaml").write_text("services:\n  web:\n    image: x\n    prots: [1]\n")
    done = clean.ballast("apply", "-f", path / "compose.yaml", check=False)
    assert done.returncode == 1
    assert done.stderr == f"ballast: {path}/compose.yaml:4:5: services.web.prots: unknown key; did you mean ports?\n"
    del os.environ["TAG"]
    try:
        done = clean.ballast("plan", "-f", shop(), check=False)
    finally:
        os.environ["TAG"] = "latest"
    assert "services.web.image: variable TAG is not set and has no default" in done.stderr


def test_a_suspended_app_is_left_alone(clean, shop):
    clean.ballast("apply", "-f", shop(), "--wait")
    clean.ballast("suspend", "shop")
    clean.docker("rm", "-f", "shop-web-1")
    time.sleep(0.5)
    assert not clean.out("ps", "-q", "--filter", "name=shop-web-1")
    assert clean.ballast("status", "--exit-code", check=False).returncode == 1
    clean.ballast("resume", "shop")
    clean.ballast("status", "--wait", "--timeout", "20s", "shop")
    assert clean.out("ps", "-q", "--filter", "name=shop-web-1")
