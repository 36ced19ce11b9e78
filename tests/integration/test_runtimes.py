"""Runtimes by name: the built-in one, and Debian's runc and crun as commands; the same from outside."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from conftest import BIN, Agent, end_agent, wait_for
from test_run import Terminal

SHIM = pathlib.Path(os.environ.get("BALLAST_SHIM", BIN / "ballast-shim"))
# With a sanitizer it is larger, and not static: it cannot run in a container.
no_sanitizer = pytest.mark.skipif(any(word in SHIM.read_bytes() for word in (b"__asan_init", b"__tsan_init")), reason="a sanitizer's shim")
COMMANDS = {"runc": shutil.which("runc") or "/usr/sbin/runc", "crun": shutil.which("crun") or "/usr/bin/crun"}


@pytest.fixture(scope="module")
def alone():
    """A mount namespace for agents: crun refuses a host with both versions of cgroups, so one of them is hidden."""
    holder = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c",
                               "umount -l /sys/fs/cgroup/unified 2>/dev/null; echo ready; exec sleep infinity"], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"ready\n"
    yield ["nsenter", "-t", str(holder.pid), "-m"]
    holder.kill()
    holder.wait()


@pytest.fixture(scope="module", params=["real-runc", "crun"])
def agent(work, archive, request, alone):
    """An agent whose default runtime is a command."""
    agent = Agent(work / request.param)
    agent.prefix = alone
    (agent.base / "agent.yaml").write_text(json.dumps({
        "default-runtime": request.param,
        "runtimes": {"crun": {"path": COMMANDS["crun"]},
                     "real-runc": {"runtimeType": "io.containerd.runc.v2", "options": {"BinaryName": COMMANDS["runc"]}},
                     "broken": {"path": "/nonexistent/runtime"}}}))
    agent.name = request.param
    agent.start()
    agent.docker("load", "-i", archive)
    yield agent
    end_agent(agent)


def exec_dir(agent, name):
    return agent.exec / "containers" / agent.inspect(name)["Id"]


def pid_of(agent, name):
    return agent.inspect(name)["State"]["Pid"]


def shim_of(agent, name):
    """The parent of a container's first process."""
    return int(pathlib.Path(f"/proc/{pid_of(agent, name)}/stat").read_text().rpartition(")")[2].split()[1])


def alive(pid):
    """Where the tests are their namespace's init, orphans are theirs to bury."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def status(agent, name):
    return agent.inspect(name)["State"]["Status"]


# ------------------------------------------------------------------ names

def test_info_has_the_names_and_the_default(agent):
    info = agent.json("/info")
    assert info["DefaultRuntime"] == agent.name
    assert info["Runtimes"]["crun"] == {"path": COMMANDS["crun"]}
    assert info["Runtimes"]["real-runc"] == {"path": COMMANDS["runc"]}
    assert info["Runtimes"]["runc"] == info["Runtimes"]["ballast"] == {"path": "ballast-shim"}


def test_a_container_keeps_the_name_it_was_made_with(clean):
    for flags, name in [([], clean.name), (["--runtime", "ballast"], "ballast"), (["--runtime", "runc"], "runc")]:
        cid = clean.out("create", *flags, "busybox", "true")
        assert clean.inspect(cid)["HostConfig"]["Runtime"] == name


def test_an_unknown_name_is_refused_in_dockerds_words(clean):
    done = clean.docker("run", "--rm", "--runtime", "nosuch", "busybox", "true", check=False)
    assert done.returncode == 125
    assert "unknown or invalid runtime name: nosuch" in done.stderr


def test_a_command_that_is_not_there_fails_the_start(clean):
    done = clean.docker("run", "--rm", "--runtime", "broken", "busybox", "true", check=False)
    assert done.returncode == 127
    assert ("failed to create task for container: failed to create shim task: OCI runtime create failed: unable to retrieve "
            "OCI runtime error") in done.stderr
    assert "/nonexistent/runtime: no such file or directory" in done.stderr


def test_the_built_in_one_and_commands_run_side_by_side(clean):
    clean.docker("run", "-d", "--name", "ours", "--runtime", "ballast", "busybox", "sleep", "1000")
    clean.docker("run", "-d", "--name", "theirs", "busybox", "sleep", "1000")
    assert not (exec_dir(clean, "ours") / "bundle").exists()
    assert (exec_dir(clean, "theirs") / "bundle/config.json").exists()
    assert clean.out("exec", "ours", "echo", "a") == "a" and clean.out("exec", "theirs", "echo", "b") == "b"


# ------------------------------------------------------------------ exit codes and errors

@pytest.mark.parametrize("command, code", [(["true"], 0), (["sh", "-c", "exit 3"], 3), (["nope"], 127), (["/etc"], 126)])
def test_run_ends_with_the_code_of_the_command(clean, command, code):
    done = clean.docker("run", "--name", "code", "busybox", *command, check=False)
    seen = (done.returncode, clean.inspect("code")["State"]["ExitCode"])
    if code in (126, 127):
        assert "failed to create task for container: failed to create shim task: OCI runtime create failed: " in done.stderr
    if clean.name == "crun" and code in (126, 127):  # other words, by which the CLI and dockerd know less
        assert seen == (125, {126: 128, 127: 127}[code])
    else:
        assert seen == (code, code), done.stderr


def test_a_start_that_failed_leaves_nothing_and_can_be_repeated(clean):
    clean.docker("create", "--name", "again", "-v", f"{clean.base}/made:/m", "busybox", "sh", "-c", "test -e /m/go || exit 4")
    assert clean.docker("start", "again").returncode == 0
    assert clean.out("wait", "again") == "4"
    (clean.base / "made/go").write_text("")
    clean.docker("start", "again")
    assert clean.out("wait", "again") == "0"
    bad = clean.docker("run", "--name", "bad", "busybox", "nope", check=False)
    assert bad.returncode == (125 if clean.name == "crun" else 127)
    assert status(clean, "bad") == "created" and clean.inspect("bad")["State"]["ExitCode"] == 127
    assert clean.docker("start", "bad", check=False).returncode == 1
    if clean.name == "real-runc":
        assert 'exec: "nope": executable file not found in $PATH' in bad.stderr


# ------------------------------------------------------------------ streams

def test_both_streams_and_stdin(clean):
    done = clean.docker("run", "-i", "--rm", "busybox", "sh", "-c", "cat; echo err >&2", input="in\n")
    assert (done.stdout, done.stderr) == ("in\n", "err\n")


def test_a_megabyte_goes_in_and_comes_out(clean):
    data = os.urandom(1024 * 1024)
    assert clean.docker("run", "-i", "--rm", "busybox", "cat", input=data).stdout == data


def test_a_terminal_has_its_size_and_is_resized(clean):
    t = Terminal(clean, "run", "-it", "--name", "tty1", "busybox", "sh")
    t.send("tty; stty size; echo ready\n")
    t.expect(r"33 101")
    clean.http("POST", f"/containers/tty1/resize?h=40&w=90")
    t.send("stty size\n")
    t.expect(r"40 90")
    t.send("exit 5\n")
    assert t.end() == 5


def test_attach_to_what_runs_and_logs(clean):
    clean.docker("run", "-d", "-i", "--name", "att", "busybox", "sh", "-c", "echo before; while read x; do echo got $x; done")
    wait_for("the first line", lambda: clean.out("logs", "att") == "before")
    t = Terminal(clean, "attach", "att")
    t.send("one\n")
    t.expect("got one")
    clean.docker("kill", "att")
    t.end()
    assert clean.out("logs", "att") == "before\ngot one"


# ------------------------------------------------------------------ exec

def test_exec_has_user_environment_and_directory(clean):
    clean.docker("run", "-d", "--name", "ex", "-e", "A=1", "busybox", "sleep", "1000")
    assert clean.out("exec", "ex", "sh", "-c", "echo $A; id -u; pwd") == "1\n0\n/"
    assert clean.out("exec", "-u", "1000:50", "-e", "B=2", "-w", "/tmp", "ex", "sh", "-c", "echo $A$B; id -u; id -g; pwd") == \
        "12\n1000\n50\n/tmp"
    assert clean.docker("exec", "ex", "sh", "-c", "exit 7", check=False).returncode == 7
    assert clean.docker("exec", "-i", "ex", "cat", input="in\n").stdout == "in\n"
    missing = clean.docker("exec", "ex", "nope", check=False)
    assert missing.returncode == 127
    assert "OCI runtime exec failed: " in missing.stderr + missing.stdout


def test_exec_may_have_a_terminal_or_nobody(clean):
    clean.docker("run", "-d", "--name", "ex2", "busybox", "sleep", "1000")
    t = Terminal(clean, "exec", "-it", "ex2", "sh")
    t.send("tty; stty size\n")
    t.expect(r"/dev/pts/\d+")
    t.expect(r"33 101")
    t.send("exit 4\n")
    assert t.end() == 4
    clean.docker("exec", "-d", "ex2", "sh", "-c", "echo done >/tmp/file")
    wait_for("the detached one", lambda: clean.docker("exec", "ex2", "cat", "/tmp/file", check=False).stdout == "done\n")


def test_exec_privileged_has_all_capabilities(clean):
    clean.docker("run", "-d", "--name", "ex3", "--cap-drop", "ALL", "busybox", "sleep", "1000")
    look = ["sh", "-c", "grep CapEff /proc/self/status"]
    assert clean.out("exec", "ex3", *look).split()[1] == "0" * 16
    bound = clean.out("run", "--rm", "--privileged", "busybox", *look)
    assert clean.out("exec", "--privileged", "ex3", *look) == bound


# ------------------------------------------------------------------ life

def test_signals_pause_stop_and_restart(clean):
    clean.docker("run", "-d", "--name", "life", "busybox", "sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.05; done")
    clean.docker("pause", "life")
    assert status(clean, "life") == "paused"
    assert "is paused" in clean.docker("exec", "life", "true", check=False).stderr
    clean.docker("unpause", "life")
    assert clean.out("exec", "life", "echo", "on") == "on"
    clean.docker("stop", "life")
    assert clean.inspect("life")["State"]["ExitCode"] == 9
    clean.docker("start", "life")
    first = pid_of(clean, "life")
    clean.docker("restart", "life")
    assert pid_of(clean, "life") != first
    clean.docker("pause", "life")
    clean.docker("kill", "life")
    wait_for("its end", lambda: status(clean, "life") == "exited")
    assert clean.inspect("life")["State"]["ExitCode"] == 137
    assert "is not running" in clean.docker("kill", "life", check=False).stderr


@no_sanitizer
def test_init_reaps_and_passes_on(clean):
    clean.docker("run", "-d", "--init", "--name", "init1", "busybox", "sh", "-c", "(sleep 0.01 &); exec sleep 1000")
    assert clean.out("exec", "init1", "cat", "/proc/1/cmdline").replace("\0", " ").startswith("/sbin/docker-init -- sh")
    wait_for("the orphan is buried", lambda: clean.out("exec", "init1", "sh", "-c", "grep -l '^State:.Z' /proc/[0-9]*/status || true") == "")
    clean.docker("kill", "-s", "TERM", "init1")
    wait_for("its end", lambda: status(clean, "init1") == "exited")
    assert clean.inspect("init1")["State"]["ExitCode"] == 143


def test_out_of_memory_is_seen(clean):
    done = clean.docker("run", "--name", "oom", "--memory", "16m", "--memory-swap", "16m", "busybox", "sh", "-c",
                        "x=a; while :; do x=$x$x; done", check=False)
    assert done.returncode == 137
    assert clean.inspect("oom")["State"]["OOMKilled"] is True


def test_limits_are_set_and_updated(clean):
    clean.docker("run", "-d", "--name", "lim", "--memory", "64m", "--pids-limit", "50", "busybox", "sleep", "1000")
    group = next(line.split(":", 2)[2] for line in pathlib.Path(f"/proc/{pid_of(clean, 'lim')}/cgroup").read_text().splitlines()
                 if line.split(":")[1] == "memory")
    limit = pathlib.Path(f"/sys/fs/cgroup/memory{group}/memory.limit_in_bytes")
    pids = pathlib.Path(f"/sys/fs/cgroup/pids{group}/pids.max")
    assert limit.read_text() == f"{64 << 20}\n" and pids.read_text() == "50\n"
    clean.docker("update", "--memory", "96m", "--memory-swap", "192m", "--pids-limit", "-1", "lim")
    assert limit.read_text() == f"{96 << 20}\n" and pids.read_text() == "4194304\n"  # all that a kernel can have
    assert json.loads(clean.out("stats", "--no-stream", "--format", "{{json .}}", "lim"))["PIDs"] == "1"


def test_top_lists_the_processes(clean):
    clean.docker("run", "-d", "--name", "top1", "busybox", "sh", "-c", "sleep 999 & wait")
    wait_for("both", lambda: clean.out("top", "top1").count("\n") == 2)
    assert "sleep 999" in clean.out("top", "top1")


# ------------------------------------------------------------------ files, users, networks

def test_volumes_are_filled_subpaths_and_tmpfs_are_there(clean):
    clean.docker("volume", "create", "vol1")
    assert clean.out("run", "--rm", "-v", "vol1:/etc", "busybox", "sh", "-c", "test -s /etc/passwd && mkdir /etc/part && echo x >/etc/part/f && echo yes") == "yes"
    assert clean.out("run", "--rm", "--mount", "type=volume,src=vol1,dst=/p,volume-subpath=part,readonly", "--tmpfs", "/t",
                     "busybox", "sh", "-c", "cat /p/f; touch /p/g 2>/dev/null || echo ro; grep ' /t ' /proc/mounts | cut -d' ' -f3") == \
        "x\nro\ntmpfs"
    (clean.base / "host").mkdir()
    clean.docker("run", "--rm", "-v", f"{clean.base}/host:/h", "busybox", "sh", "-c", "echo from >/h/inside")
    assert (clean.base / "host/inside").read_text() == "from\n"


def test_the_root_can_be_read_only_and_nothing_shows_on_the_host(clean):
    clean.docker("run", "-d", "--name", "ro1", "--read-only", "busybox", "sleep", "1000")
    assert clean.docker("exec", "ro1", "touch", "/x", check=False).returncode == 1
    mounts = pathlib.Path(f"/proc/{shim_of(clean, 'ro1')}/mountinfo").read_text()
    assert str(exec_dir(clean, "ro1")) not in mounts


def test_users_of_the_image_and_their_groups(clean):
    who = ["sh", "-c", "id -u; id -G; echo $HOME; grep -E 'Cap(Eff|Prm|Inh|Amb)' /proc/self/status | cut -f2 | sort -u"]
    assert clean.out("run", "--rm", "-u", "nobody", "--group-add", "wheel", "--group-add", "77", "busybox", *who, check=False) == \
        clean.out("run", "--rm", "--runtime", "ballast", "-u", "nobody", "--group-add", "wheel", "--group-add", "77", "busybox", *who,
                  check=False)
    done = clean.docker("run", "--rm", "-u", "nosuch", "busybox", "true", check=False)
    assert done.returncode in (125, 126) and "unable to find user nosuch: no matching entries in passwd file" in done.stderr


def test_containers_find_each_other_on_a_network(clean):
    clean.docker("network", "create", "net1")
    clean.docker("run", "-d", "--name", "server", "--network", "net1", "busybox", "sh", "-c",
                 "echo hello >/index.html; exec httpd -f -p 80 -h /")
    assert wait_for("the answer", lambda: clean.docker("run", "--rm", "--network", "net1", "busybox", "wget", "-qO-",
                                                       "http://server/", check=False).stdout) == "hello\n"
    joined = clean.out("run", "--rm", "--network", "container:server", "--ipc", "host", "--pid", "container:server", "busybox", "sh", "-c",
                       "wget -qO- http://127.0.0.1/; cat /proc/1/comm")
    assert joined == "hello\nhttpd"


def test_privileged_and_devices(clean):
    assert clean.out("run", "--rm", "--device", "/dev/zero:/dev/nought:r", "busybox", "sh", "-c", "head -c3 /dev/nought | wc -c") == "3"
    look = ["sh", "-c", "ls /dev/kmsg /dev/full /dev/loop-control; touch /proc/sys/kernel/domainname || echo ro"]
    assert clean.docker("run", "--rm", "--privileged", "busybox", *look, check=False).stdout == \
        clean.docker("run", "--rm", "--privileged", "--runtime", "ballast", "busybox", *look, check=False).stdout


def test_cp_reads_and_writes_what_runs(clean):
    clean.docker("run", "-d", "--name", "files", "busybox", "sleep", "1000")
    (clean.base / "given").write_text("given\n")
    clean.docker("cp", clean.base / "given", "files:/tmp/given")
    assert clean.out("exec", "files", "cat", "/tmp/given") == "given"
    clean.docker("cp", "files:/tmp/given", clean.base / "taken")
    assert (clean.base / "taken").read_text() == "given\n"


# ------------------------------------------------------------------ losses

def test_a_killed_agent_finds_them_again(clean):
    clean.docker("run", "-d", "--name", "stay", "busybox", "sh", "-c", "while :; do echo tick; sleep 0.1; done")
    pid = pid_of(clean, "stay")
    clean.kill()
    clean.start()
    assert pid_of(clean, "stay") == pid and alive(pid)
    assert clean.out("exec", "stay", "echo", "here") == "here"
    before = clean.out("logs", "stay").count("tick")
    wait_for("it goes on", lambda: clean.out("logs", "stay").count("tick") > before)
    clean.docker("pause", "stay")
    clean.kill()
    clean.start()
    assert status(clean, "stay") == "paused"
    clean.docker("unpause", "stay")
    clean.docker("stop", "-t", "0", "stay")
    assert clean.inspect("stay")["State"]["ExitCode"] == 137


@pytest.mark.parametrize("with_agent", [True, False])
def test_a_container_dies_with_its_shim(clean, with_agent):
    clean.docker("run", "-d", "--name", "lost", "busybox", "sh", "-c", "sleep 998 & sleep 999")
    clean.docker("exec", "-d", "lost", "sleep", "997")
    pids = wait_for("all three", lambda: [int(line.split()[1]) for line in clean.out("top", "lost").splitlines()[1:]][2:] and
                    [int(line.split()[1]) for line in clean.out("top", "lost").splitlines()[1:]])
    shim = shim_of(clean, "lost")
    if not with_agent:
        clean.kill()
    os.kill(shim, signal.SIGKILL)
    wait_for("all are gone", lambda: not any([alive(p) for p in pids]))
    if not with_agent:
        clean.start()
    wait_for("it is known", lambda: status(clean, "lost") == "exited")
    assert clean.inspect("lost")["State"]["ExitCode"] == 137
    clean.docker("start", "lost")  # and its next life is as any other
    assert clean.out("exec", "lost", "echo", "again") == "again"


def test_a_paused_container_dies_with_its_shim(clean):
    clean.docker("run", "-d", "--name", "frozen", "busybox", "sleep", "1000")
    pid = pid_of(clean, "frozen")
    clean.docker("pause", "frozen")
    os.kill(shim_of(clean, "frozen"), signal.SIGKILL)
    wait_for("it is gone", lambda: not alive(pid))
    wait_for("it is known", lambda: status(clean, "frozen") == "exited")


@pytest.mark.parametrize("runtime", [[], ["--runtime", "ballast"]])
def test_a_lost_container_starts_again_by_its_policy(clean, runtime):
    clean.docker("run", "-d", *runtime, "--restart", "always", "--name", "phoenix", "busybox", "sleep", "1000")
    first = pid_of(clean, "phoenix")
    clean.docker("pause", "phoenix")
    os.kill(shim_of(clean, "phoenix"), signal.SIGKILL)
    wait_for("the next life", lambda: pid_of(clean, "phoenix") not in (0, first))
    wait_for("the old one is gone", lambda: not alive(first))
    assert clean.out("exec", "phoenix", "echo", "up") == "up"


def keeper_of(shim):
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        if "(ballast-keeper)" in text and int(text.rpartition(")")[2].split()[1]) == shim:
            return int(text.split()[0])
    return None


def test_a_killed_keeper_is_replaced(clean):
    clean.docker("run", "-d", "--name", "kept", "busybox", "sleep", "1000")
    shim, pid = shim_of(clean, "kept"), pid_of(clean, "kept")
    old = keeper_of(shim)
    assert old
    os.kill(old, signal.SIGKILL)
    wait_for("another one", lambda: keeper_of(shim) not in (None, old))
    assert clean.out("exec", "kept", "echo", "on") == "on"
    os.kill(shim, signal.SIGKILL)
    wait_for("it dies all the same", lambda: not alive(pid))


def pss(pid):
    return next(int(line.split()[1]) for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                if line.startswith("Pss:"))


@no_sanitizer
def test_shim_and_keeper_are_small(clean):
    clean.docker("run", "-d", "--name", "small", "busybox", "sleep", "1000")
    shim = shim_of(clean, "small")
    wait_for("0.4 MB each at most", lambda: pss(shim) <= 400 and pss(keeper_of(shim)) <= 400)


# ------------------------------------------------------------------ settings

@pytest.mark.parametrize("settings, words", [
    ({"default-runtime": "gone"}, "specified default runtime 'gone' does not exist"),
    ({"runtimes": {"ballast": {"path": "/x"}}}, "runtime name 'ballast' is reserved"),
    ({"runtimes": {"x": {}}}, "runtime x: either a runtimeType or a path must be configured"),
    ({"runtimes": {"x": {"path": "/x", "runtimeType": "io.containerd.runc.v2"}}}, "cannot configure both path and runtimeType"),
    ({"runtimes": {"x": {"path": "/x", "options": {"A": "b"}}}}, "options cannot be used with a path runtime"),
    ({"runtimes": {"x": {"runtimeType": "io.containerd.runc.v2", "runtimeArgs": ["a"]}}}, "args cannot be used with a runtimeType"),
    ({"runtimes": {"x": {"runtimeType": "io.containerd.kata.v2"}}}, "needs containerd, which is not here"),
    ({"runtimes": {"x": {"path": "/x", "surprise": 1}}}, "runtimes.x.surprise: unknown key"),
    ({"runtimes": {"x": {"runtimeType": "io.containerd.runc.v2", "options": {"Root": "/x"}}}}, "runtimes.x.options.Root: is not supported"),
    ({"runtimes": ["x"]}, "runtimes: must be a map"),
])
def test_settings_that_make_no_sense_are_refused_at_the_start(work, settings, words):
    path = work / "bad.yaml"
    path.write_text(json.dumps(settings))
    done = subprocess.run([BIN / "ballastd", "--validate", "--config-file", path], capture_output=True, text=True)
    assert done.returncode == 1 and words in done.stderr, done.stderr


@pytest.mark.parametrize("flags, words", [
    (["--add-runtime", "x"], "invalid runtime argument: x"),
    (["--add-runtime", "x=/a", "--add-runtime", "x=/b"], "runtime 'x' was already defined"),
    (["--add-runtime", "ballast=/a"], "runtime name 'ballast' is reserved"),
    (["--add-runtime", "x=/a", "--default-runtime", "x"], None),
    (["--add-runtime", "runc=/a"], None),
])
def test_flags_name_runtimes_too(work, flags, words):
    (work / "empty.yaml").write_text("")
    done = subprocess.run([BIN / "ballastd", "--validate", "--config-file", work / "empty.yaml", *flags], capture_output=True, text=True)
    assert (done.returncode == 0) == (words is None) and (words or "") in done.stderr, done.stderr
