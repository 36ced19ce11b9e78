"""The agent as a service: sockets it inherits, readiness, settings, signals, and what it says when it cannot run."""
import os
import signal
import socket
import subprocess

import pytest

from conftest import BIN, DOCKER, Agent, end_agent, make_agent, wait_for


@pytest.fixture(scope="module")
def agent(work, archive):
    agent = make_agent(work, "service", archive, "-H", "tcp://127.0.0.1:24750")
    yield agent
    end_agent(agent)


def run(*args, **kw):
    return subprocess.run([str(BIN / "ballastd"), *map(str, args)], capture_output=True, text=True, timeout=20, **kw)


def test_a_socket_from_systemd_is_served_and_readiness_is_told(work):
    base = work / "activated"
    base.mkdir()
    listening, notify = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind(str(base / "s.sock"))
    listening.listen()
    notify.bind(str(base / "notify"))
    notify.settimeout(20)
    os.dup2(listening.fileno(), 3)
    command = (f"LISTEN_PID=$$ LISTEN_FDS=1 exec {BIN}/ballastd --config-file /dev/null --data-root {base}/data "
               f"--exec-root {base}/exec --pidfile {base}/pid -H fd://")
    process = subprocess.Popen(["sh", "-c", command], pass_fds=[3], env={**os.environ, "NOTIFY_SOCKET": str(base / "notify")},
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert notify.recv(100) == b"READY=1"
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(base / "s.sock"))
            s.sendall(b"GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
            assert s.recv(100).startswith(b"HTTP/1.1 200")
        assert int((base / "pid").read_text()) == process.pid
        process.terminate()
        assert notify.recv(100) == b"STOPPING=1"
        assert process.wait(20) == 0
        assert not (base / "pid").exists()
    finally:
        process.kill()
        process.wait()
    assert run("--config-file", "/dev/null", "--data-root", base / "data", "--exec-root", base / "exec", "--erase").returncode == 0


def test_tcp_is_served_too(agent):
    done = subprocess.run([DOCKER, "-H", "tcp://127.0.0.1:24750", "version", "--format", "{{.Server.APIVersion}}"], capture_output=True,
                          text=True, env=agent.env())
    assert done.stdout.strip() == "1.51", done.stderr


def test_the_unix_socket_is_for_its_group_only(agent):
    assert os.stat(agent.sock).st_mode & 0o777 == 0o660


def test_hup_reads_the_sources_again_and_term_ends_cleanly(agent):
    agent.process.send_signal(signal.SIGHUP)
    wait_for("it says so", lambda: "sources are read again" in agent.log.read_text())
    assert agent.stop() == 0
    assert not agent.sock.exists()
    agent.start()


@pytest.mark.parametrize("text, message", [
    ("hosst: [a]\n", "agent.yaml:1:8: hosst: unknown setting"),
    ("debug: maybe\n", 'agent.yaml:1:8: debug: "maybe" is neither true nor false'),
    ("sources: [{name: x}]\n", "needs `directory`"),
    ("a: [1\n", "agent.yaml:"),
])
def test_a_bad_setting_is_named_with_its_place(tmp_path, text, message):
    (tmp_path / "agent.yaml").write_text(text)
    done = run("--config-file", tmp_path / "agent.yaml", "--validate")
    assert done.returncode == 1 and message in done.stderr


def test_a_good_daemon_json_is_fine(tmp_path):
    (tmp_path / "daemon.json").write_text('{"data-root": "/srv/x", "log-opts": {"max-size": "1m"}, "containerd": "/x"}')
    done = run("--config-file", tmp_path / "daemon.json", "--validate")
    assert done.returncode == 0 and "configuration OK" in done.stdout and "containerd is not applied" in done.stderr


def test_a_damaged_database_is_named_and_left_alone(work, archive):
    agent = Agent(work / "damaged")
    agent.start()
    agent.stop()
    db = agent.data / "state.db"
    db.write_bytes(b"this is no database, and never was one" * 100)
    before = db.read_bytes()
    done = run("--config-file", "/dev/null", "--data-root", agent.data, "--exec-root", agent.exec, "--pidfile", agent.base / "pid",
               "-H", agent.host)
    assert done.returncode == 1 and str(db) in done.stderr
    assert db.read_bytes() == before


def test_a_full_disk_is_said_and_nothing_is_lost(work, archive):
    agent = Agent(work / "full")
    agent.data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(agent.data)], check=True)
    try:
        agent.start()
        agent.docker("load", "-i", archive)
        agent.docker("run", "-d", "--name", "before", "busybox", "sleep", "100000")
        with pytest.raises(OSError):
            with open(agent.data / "filler", "wb", buffering=0) as f:
                while True:
                    f.write(b"x" * 65536)
        done = agent.docker("load", "-i", archive, check=False)
        made = agent.docker("run", "-d", "--name", "during", "busybox", "sleep", "100000", check=False)
        assert made.returncode == 125 and ("No space left on device" in made.stderr or "full" in made.stderr), made.stderr
        assert done.returncode in (0, 1)
        assert agent.out("ps", "--format", "{{.Names}}") == "before"
        (agent.data / "filler").unlink()
        agent.docker("run", "-d", "--name", "after", "busybox", "sleep", "100000")
        agent.kill()
        agent.start()
        assert sorted(agent.out("ps", "--format", "{{.Names}}").split()) == ["after", "before"]
        agent.remove_everything()
        agent.stop()
    finally:
        subprocess.run(["umount", "-l", str(agent.data)])
