"""docker run and what people do with what runs: the real CLI against the agent."""
import json
import os
import pty
import re
import select
import subprocess
import time

import pytest

from conftest import DOCKER, SLOW, wait_for


# ------------------------------------------------------------------ the engine

def test_version_and_info_name_the_engine(agent):
    assert "Ballast" in agent.out("version")
    info = json.loads(agent.out("info", "--format", "{{json .}}"))
    assert info["OSType"] == "linux"
    assert info["DockerRootDir"] == str(agent.data)
    assert info["Swarm"]["LocalNodeState"] == "inactive"


# ------------------------------------------------------------------ run and its exit codes

@pytest.mark.parametrize("command, code", [
    (["true"], 0), (["sh", "-c", "exit 3"], 3), (["/nope"], 127), (["nope"], 127), (["/etc"], 126), (["/etc/noexec"], 126),
])
def test_run_ends_with_the_code_of_the_command(clean, command, code):
    done = clean.docker("run", "--rm", "busybox", *command, check=False)
    assert done.returncode == code, done.stderr
    if code >= 126:
        assert "OCI runtime create failed" in done.stderr


def test_run_ends_with_125_when_the_engine_refuses(clean):
    assert clean.docker("run", "--rm", "--memory", "1m", "busybox", "true", check=False).returncode == 125
    assert clean.docker("run", "--rm", "--network", "nowhere", "busybox", "true", check=False).returncode == 125


def test_output_of_both_streams_arrives_apart(clean):
    done = clean.docker("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_stdin_is_piped_and_its_end_ends_the_container(clean):
    assert clean.docker("run", "-i", "--rm", "busybox", "cat", input="hi\n").stdout == "hi\n"


def test_a_megabyte_goes_in_and_comes_out(clean):
    data = os.urandom(1024 * 1024)
    done = clean.docker("run", "-i", "--rm", "busybox", "cat", input=data)
    assert done.stdout == data


class Terminal:
    """A command on a pty of its own, as a person at a terminal has it."""

    def __init__(self, agent, *args, rows=33, columns=101):
        import fcntl
        import struct
        import termios
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen([DOCKER, *args], stdin=slave, stdout=slave, stderr=slave, env=agent.env(),
                                        start_new_session=True)
        os.close(slave)
        self.text = ""

    def expect(self, pattern, timeout=15):
        end = time.monotonic() + timeout * SLOW
        while not re.search(pattern, self.text):
            left = end - time.monotonic()
            ready, _, _ = select.select([self.master], [], [], max(left, 0))
            if not ready:
                pytest.fail(f"{pattern!r} did not come; seen: {self.text!r}")
            try:
                self.text += os.read(self.master, 4096).decode(errors="replace")
            except OSError:
                break
        return self.text

    def send(self, text):
        os.write(self.master, text.encode())

    def end(self, timeout=15):
        code = self.process.wait(timeout * SLOW)
        os.close(self.master)
        return code


def test_a_terminal_has_a_pty_of_the_right_size(clean):
    t = Terminal(clean, "run", "-it", "--rm", "busybox", "sh")
    t.send("tty; stty size; exit 5\n")
    t.expect(r"/dev/pts/\d+")
    t.expect(r"33 101")
    assert t.end() == 5


def test_detach_keys_leave_the_container_running(clean):
    t = Terminal(clean, "run", "-it", "--name", "kept", "busybox", "sh")
    t.send("echo ready-$((1+1))\n")
    t.expect(r"ready-2")
    t.send("\x10\x11")
    assert t.end() == 0
    assert clean.out("inspect", "-f", "{{.State.Running}}", "kept") == "true"


# ------------------------------------------------------------------ life

def test_run_detached_and_look_at_it(clean):
    cid = clean.out("run", "-d", "--name", "web1", "--label", "a=b", "busybox", "sleep", "1000")
    assert len(cid) == 64
    line = clean.out("ps", "--format", "{{.ID}} {{.Names}} {{.Image}} {{.State}} {{.Status}}")
    assert re.match(rf"{cid[:12]} web1 busybox running Up ", line)
    state = clean.inspect("web1")
    assert state["State"]["Running"] and state["State"]["Pid"] > 0
    assert state["Config"]["Labels"]["a"] == "b"
    assert state["Path"] == "sleep" and state["Args"] == ["1000"]
    assert clean.out("ps", "-aq", "--filter", "label=a=b") == cid[:12]
    assert clean.out("ps", "-aq", "--filter", "label=a=c") == ""


def test_stop_gives_grace_and_then_kills(clean):
    clean.docker("run", "-d", "--name", "deaf", "busybox", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    before = time.monotonic()
    clean.docker("stop", "-t", "1", "deaf")
    assert 0.9 < time.monotonic() - before < 6 * SLOW
    assert clean.inspect("deaf")["State"]["ExitCode"] == 137
    clean.docker("run", "-d", "--name", "polite", "busybox", "sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done")
    clean.docker("stop", "polite")
    assert clean.inspect("polite")["State"]["ExitCode"] == 7


def test_kill_sends_the_signal_that_was_asked_for(clean):
    clean.docker("run", "-d", "--name", "sig", "busybox", "sh", "-c",
                 "trap 'echo hup' HUP; trap 'exit 0' USR1; while :; do sleep 0.05; done")
    time.sleep(0.3 * SLOW)
    clean.docker("kill", "-s", "HUP", "sig")
    wait_for("the trap ran", lambda: "hup" in clean.out("logs", "sig"))
    clean.docker("kill", "-s", "USR1", "sig")
    assert clean.out("wait", "sig") == "0"


def test_wait_gives_the_exit_code(clean):
    clean.docker("run", "-d", "--name", "waits", "busybox", "sh", "-c", "sleep 0.3; exit 9")
    assert clean.out("wait", "waits") == "9"
    assert clean.out("wait", "waits") == "9"


def test_pause_freezes_and_unpause_goes_on(clean):
    clean.docker("run", "-d", "--name", "frozen", "busybox", "sh", "-c", "while :; do echo x; sleep 0.02; done")
    wait_for("it writes", lambda: clean.out("logs", "frozen"))
    clean.docker("pause", "frozen")
    assert "(Paused)" in clean.out("ps", "--format", "{{.Status}}")
    time.sleep(0.2)
    first = len(clean.out("logs", "frozen"))
    time.sleep(0.3)
    assert len(clean.out("logs", "frozen")) == first
    clean.docker("unpause", "frozen")
    wait_for("it writes again", lambda: len(clean.out("logs", "frozen")) > first)


def test_restart_gives_a_new_process(clean):
    clean.docker("run", "-d", "--name", "again", "busybox", "sleep", "1000")
    pid = clean.inspect("again")["State"]["Pid"]
    clean.docker("restart", "-t", "0", "again")
    after = clean.inspect("again")["State"]
    assert after["Running"] and after["Pid"] != pid


def test_restart_policy_brings_it_back(clean):
    clean.docker("run", "-d", "--name", "always", "--restart", "always", "busybox", "sh", "-c", "echo up; sleep 0.2; exit 4")
    wait_for("it was restarted twice", lambda: clean.inspect("always")["RestartCount"] >= 2)
    clean.docker("stop", "-t", "1", "always")
    assert clean.inspect("always")["State"]["Status"] == "exited"
    clean.docker("run", "-d", "--name", "thrice", "--restart", "on-failure:2", "busybox", "false")
    wait_for("it gave up", lambda: clean.inspect("thrice")["State"]["Status"] == "exited", 15)
    assert clean.inspect("thrice")["RestartCount"] == 2


def test_top_shows_the_processes(clean):
    clean.docker("run", "-d", "--name", "tops", "busybox", "sleep", "12345")
    assert "sleep 12345" in clean.out("top", "tops")


def test_rename_and_forced_removal(clean):
    clean.docker("run", "-d", "--name", "old", "busybox", "sleep", "1000")
    clean.docker("rename", "old", "new")
    assert clean.out("ps", "--format", "{{.Names}}") == "new"
    refused = clean.docker("rm", "new", check=False)
    assert refused.returncode == 1 and "container is running" in refused.stderr
    clean.docker("rm", "-f", "new")
    assert clean.out("ps", "-aq") == ""


def test_a_name_is_taken_once(clean):
    clean.docker("create", "--name", "one", "busybox", "true")
    again = clean.docker("create", "--name", "one", "busybox", "true", check=False)
    assert again.returncode == 1 and 'The container name "/one" is already in use' in again.stderr


# ------------------------------------------------------------------ exec, attach, logs

def test_exec_runs_inside_and_returns_its_code(clean):
    clean.docker("run", "-d", "--name", "execs", "-e", "A=1", "busybox", "sleep", "1000")
    done = clean.docker("exec", "-e", "B=2", "-w", "/tmp", "execs", "sh", "-c", "echo $A$B $(pwd); exit 6", check=False)
    assert done.returncode == 6 and done.stdout == "12 /tmp\n"
    assert clean.docker("exec", "-i", "execs", "cat", input="in\n").stdout == "in\n"
    assert clean.docker("exec", "-u", "web", "execs", "id", "-un").stdout == "web\n"
    assert clean.docker("exec", "execs", "nope", check=False).returncode == 127


def test_exec_on_a_terminal(clean):
    clean.docker("run", "-d", "--name", "et", "busybox", "sleep", "1000")
    t = Terminal(clean, "exec", "-it", "et", "sh")
    t.send("tty; exit 8\n")
    t.expect(r"/dev/pts/\d+")
    assert t.end() == 8


def test_attach_sees_output_and_forwards_stdin(clean):
    clean.docker("create", "-i", "--name", "at", "busybox", "sh", "-c", "while read l; do echo got $l; done")
    clean.docker("start", "at")
    done = clean.docker("attach", "at", input="one\ntwo\n")
    assert done.stdout == "got one\ngot two\n"


def test_logs_tail_since_timestamps_and_follow(clean):
    clean.docker("run", "-d", "--name", "logs", "busybox", "sh", "-c",
                 "for i in 1 2 3 4 5; do echo line $i; done; echo bad >&2; "
                 "while [ ! -e /go ]; do sleep 0.05; done; echo end")
    wait_for("first lines", lambda: "bad" in clean.docker("logs", "logs").stderr)
    assert clean.docker("logs", "--tail", "2", "logs").stdout.splitlines()[-1] == "line 5"
    assert clean.docker("logs", "logs").stderr == "bad\n"
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z line 1", clean.out("logs", "-t", "logs"))
    with subprocess.Popen([DOCKER, "logs", "-f", "logs"], env=clean.env(), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as follower:
        first = [follower.stdout.readline().strip() for _ in range(5)]
        clean.docker("exec", "logs", "touch", "/go")
        followed = first + follower.communicate(timeout=30 * SLOW)[0].splitlines()
    assert followed == [f"line {i}" for i in range(1, 6)] + ["end"]
    assert clean.out("logs", "--since", "2099-01-01T00:00:00Z", "logs") == ""


# ------------------------------------------------------------------ limits and isolation

def test_memory_limit_kills_with_137(clean):
    done = clean.docker("run", "--name", "hog", "-m", "16m", "busybox", "sh", "-c", "tail /dev/zero", check=False)
    assert done.returncode == 137
    assert clean.inspect("hog")["State"]["OOMKilled"] is True


def test_pids_limit_holds(clean):
    done = clean.docker("run", "--rm", "--pids-limit", "8", "busybox", "sh", "-c",
                        "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done; wait", check=False)
    assert "can't fork" in done.stderr


def test_cpu_limit_is_in_the_cgroup(clean):
    clean.docker("run", "-d", "--name", "cpu", "--cpus", "0.5", "busybox", "sleep", "1000")
    state = clean.inspect("cpu")
    assert state["HostConfig"]["NanoCpus"] == 500000000
    group = dict(line.strip().split(":", 2)[1:] for line in open(f"/proc/{state['State']['Pid']}/cgroup"))
    path = next((f"/sys/fs/cgroup/{k}{v}/cpu.cfs_quota_us" for k, v in group.items() if "cpu" in k.split(",")), None)
    text = open(path).read() if path and os.path.exists(path) else open(f"/sys/fs/cgroup{group['']}/cpu.max").read()
    assert text.split()[0] == "50000"


def test_read_only_tmpfs_user_and_capabilities(clean):
    done = clean.docker("run", "--rm", "--read-only", "--tmpfs", "/t:size=1m", "busybox", "sh", "-c",
                        "touch /x; touch /t/x && echo tmpfs ok", check=False)
    assert "Read-only file system" in done.stderr and "tmpfs ok" in done.stdout
    assert clean.out("run", "--rm", "--user", "1000:50", "busybox", "id") == "uid=1000(web) gid=50(staff) groups=50(staff)"
    assert "0000000000000000" in clean.out("run", "--rm", "--cap-drop", "ALL", "busybox", "grep", "CapEff", "/proc/self/status")
    assert "00000000a80425fb" in clean.out("run", "--rm", "busybox", "grep", "CapEff", "/proc/self/status")


def test_unknown_user_is_said_in_docker_words(clean):
    done = clean.docker("run", "--rm", "--user", "ghost", "busybox", "true", check=False)
    assert done.returncode in (125, 126) and "unable to find user ghost: no matching entries in passwd file" in done.stderr


# ------------------------------------------------------------------ volumes

def test_bind_mounts_and_named_volumes(clean, tmp_path):
    (tmp_path / "f").write_text("host\n")
    assert clean.out("run", "--rm", "-v", f"{tmp_path}:/m:ro", "busybox", "cat", "/m/f") == "host"
    done = clean.docker("run", "--rm", "-v", f"{tmp_path}:/m:ro", "busybox", "touch", "/m/x", check=False)
    assert "Read-only file system" in done.stderr
    assert clean.out("run", "--rm", "-v", "named:/data", "busybox", "cat", "/data/seed") == "from the image"
    clean.docker("run", "--rm", "-v", "named:/data", "busybox", "sh", "-c", "echo more >/data/more")
    assert clean.out("run", "--rm", "-v", "named:/data", "busybox", "cat", "/data/more") == "more"
    assert "named" in clean.out("volume", "ls", "-q")
    clean.docker("volume", "rm", "named")


def test_a_volume_in_use_is_not_removed(clean):
    clean.docker("volume", "create", "v1")
    cid = clean.out("create", "-v", "v1:/v", "busybox", "true")
    done = clean.docker("volume", "rm", "v1", check=False)
    assert f"volume is in use - [{cid}]" in done.stderr


# ------------------------------------------------------------------ events

def test_events_come_in_dockers_order(clean):
    since = time.time()
    clean.docker("run", "--rm", "--name", "ev", "busybox", "true")
    wait_for("it is gone", lambda: clean.out("ps", "-aq") == "")
    text = clean.out("events", "--since", str(int(since)), "--until", str(int(time.time()) + 1), "--filter", "container=ev",
                     "--format", "{{.Action}}")
    assert text.split() == ["create", "attach", "start", "die", "destroy"]
