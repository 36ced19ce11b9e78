"""Other people's clients: Debian's python3-docker, dockerode and testcontainers from npm."""
import io
import os
import pathlib
import shutil
import subprocess
import tarfile
import time

import pytest

import conftest

HERE = pathlib.Path(__file__).parent
NPM = pathlib.Path(os.environ.get("BALLAST_NPM", conftest.ROOT / "build/npm")).resolve()


def node(agent, script, **env):
    """Runs a script of npm/ where tests/run has installed what it needs."""
    if not shutil.which("node") or not (NPM / "node_modules/dockerode").exists():
        pytest.skip("needs node, and build/npm as tests/run makes it")
    done = subprocess.run(["node", str(HERE / "npm" / script)], capture_output=True, text=True, timeout=120 * conftest.SLOW,
                          env={**agent.env(), "NODE_PATH": str(NPM / "node_modules"), **env})
    assert done.returncode == 0 and done.stdout.endswith("done\n"), done.stdout + done.stderr + agent.tail()


def test_dockerode(clean):
    node(clean, "dockerode.js")


def test_testcontainers(clean):
    node(clean, "testcontainers.js", TESTCONTAINERS_RYUK_DISABLED="true", TESTCONTAINERS_HOST_OVERRIDE="127.0.0.1")


@pytest.fixture
def client(clean):
    docker = pytest.importorskip("docker", reason="needs Debian's python3-docker")
    with_engine = docker.DockerClient(base_url=clean.host)
    yield with_engine
    with_engine.close()


def test_python_runs_and_reads_back(client):
    assert client.ping()
    assert client.containers.run("busybox", ["echo", "hello"], remove=True) == b"hello\n"
    with pytest.raises(Exception) as failed:
        client.containers.run("busybox", ["sh", "-c", "echo bad >&2; exit 3"], remove=True)
    assert failed.value.exit_status == 3 and b"bad" in failed.value.stderr
    with pytest.raises(Exception) as failed:
        client.containers.run("busybox", ["/nope"])
    assert "no such file or directory" in str(failed.value)


def test_python_drives_a_container_through_its_life(client):
    box = client.containers.run("busybox", ["sleep", "1000"], detach=True, name="py1", init=True, labels={"a": "b"},
                                environment={"A": "1"}, volumes={"pyvol": {"bind": "/v", "mode": "rw"}})
    code, output = box.exec_run(["sh", "-c", "echo $A; exit 5"])
    assert (code, output) == (5, b"1\n")
    _, (out, err) = box.exec_run(["sh", "-c", "echo o; echo e >&2"], demux=True)
    assert (out, err) == (b"o\n", b"e\n")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        info = tarfile.TarInfo("file")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"hello"))
    assert box.put_archive("/tmp", packed.getvalue())
    chunks, stat = box.get_archive("/tmp/file")
    assert stat["name"] == "file" and stat["size"] == 5
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        assert tar.extractfile("file").read() == b"hello"
    assert {"Path": "/tmp/file", "Kind": 1} in box.diff()
    assert box.stats(stream=False)["memory_stats"]["usage"] > 0
    assert box.top()["Processes"]
    box.update(cpu_shares=300)
    box.reload()
    assert box.attrs["HostConfig"]["CpuShares"] == 300
    made = box.commit("pymade", "1")
    assert made.tags == ["pymade:1"]
    client.images.remove("pymade:1")
    box.pause()
    box.unpause()
    box.rename("py2")
    assert [c.name for c in client.containers.list(filters={"label": "a=b"})] == ["py2"]
    box.stop(timeout=5)
    assert box.wait()["StatusCode"] in (0, 143)
    box.remove(v=True)
    assert client.volumes.get("pyvol").name == "pyvol"
    client.volumes.get("pyvol").remove()


def test_python_streams(client):
    box = client.containers.create("busybox", ["sh", "-c", "read x; echo got $x"], stdin_open=True)
    sock = box.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    box.start()
    sock._sock.sendall(b"words\n")
    assert box.wait(timeout=10)["StatusCode"] == 0
    sock.close()
    assert list(box.logs(stream=True)) == [b"got words\n"]
    events = [e["Action"] for e in client.events(since=1, until=int(time.time()) + 1, decode=True, filters={"container": box.name})]
    assert events[:2] == ["create", "attach"] and "die" in events
    box.remove()


def test_python_images_networks_and_system(client):
    image = client.images.get("busybox")
    assert "busybox:latest" in image.tags and image.history()
    saved = io.BytesIO(b"".join(image.save(named=True)))
    assert client.images.load(saved.getvalue())[0].id == image.id
    network = client.networks.create("pynet", driver="bridge", labels={"a": "b"})
    assert client.networks.get("pynet").attrs["Labels"] == {"a": "b"}
    network.remove()
    assert client.df()["Images"]
    assert client.containers.prune()["SpaceReclaimed"] == 0
