"""Files in and out of containers: archive, cp, changes, export, commit; and containers that try to reach the host by it.

What is compared word for word was printed by dockerd 28.5 for the same calls.
"""
import base64
import bz2
import gzip
import io
import json
import lzma
import os
import pathlib
import socket
import subprocess
import tarfile
import threading
import time

import pytest

import conftest
from conftest import DOCKER, wait_for

DIR, LINK, HARD, CHAR, FIFO = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE
FILES = r"""
mkdir -p /w/sub /w/empty; echo hi >/w/f; ln -s f /w/l; ln -s /w/nope /w/dang; ln -s /w/sub /dl; ln -s ../w /w/sub/up
ln /w/f /w/hard; mkfifo /w/fifo; echo s >/w/sub/s; chmod 4755 /w/f; chmod 1777 /w/sub; mknod /w/null c 1 3
echo v >/vol/v; echo t >/tm/t; chown 1000:50 /w/sub/s; touch /w/.wh.x; ln -s loop2 /w/loop1; ln -s loop1 /w/loop2
nc -l -p 1 -s local:/w/sock 2>/dev/null & touch /ready; exec sleep 1000"""


def pack(*entries):
    """A tar of (name, data or type, more)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, what, more in entries:
            info = tarfile.TarInfo(name)
            info.mode, info.mtime = 0o644, 1600000000
            for key, value in more.items():
                setattr(info, key, value)
            if isinstance(what, bytes) and len(what) != 1 or what == b"":
                info.size = len(what)
                tar.addfile(info, io.BytesIO(what))
            else:
                info.type = what
                tar.addfile(info)
    return out.getvalue()


def unpack(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {m.name: m for m in tar}


def get(agent, container, path):
    status, head, body = agent.http("GET", f"/v1.51/containers/{container}/archive?path={path}")
    return status, head, unpack(body) if status == 200 else json.loads(body)["message"]


def content(agent, container, path):
    status, _, body = agent.http("GET", f"/v1.51/containers/{container}/archive?path={path}")
    assert status == 200, body
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return tar.extractfile(tar.next()).read()


def put(agent, container, query, body):
    status, _, reply = agent.http("PUT", f"/v1.51/containers/{container}/archive?{query}", body,
                                  {"Content-Type": "application/x-tar"})
    return status, json.loads(reply)["message"] if reply else ""


def is_there(agent, container, path):
    return agent.http("HEAD", f"/v1.51/containers/{container}/archive?path={path}")[0] == 200


def changes(agent, container):
    listed = agent.json(f"/v1.51/containers/{container}/changes")
    return listed and {c["Path"]: c["Kind"] for c in listed}


@pytest.fixture(scope="module")
def full(agent):
    """A running container with something of everything in it."""
    agent.docker("run", "-d", "--name", "full", "-v", "/vol", "--tmpfs", "/tm", "busybox", "sh", "-c", FILES)
    wait_for("its files are there", lambda: is_there(agent, "full", "/ready"))
    return "full"


# ------------------------------------------------------------------ what a path is

PATHS = [  # path, name, mode of Go's os.FileMode, target of a link
    ("/w/f", "f", 0o755 | 1 << 23, ""), ("w/f", "f", 0o755 | 1 << 23, ""), ("..//w/../w/f", "f", 0o755 | 1 << 23, ""),
    ("/w/l", "l", 0o777 | 1 << 27, "/w/f"), ("/w/dang", "dang", 0o777 | 1 << 27, "/w/nope"),
    ("/w", "w", 0o755 | 1 << 31, ""), ("/w/", "w", 0o755 | 1 << 31, ""), ("/w/.", ".", 0o755 | 1 << 31, ""),
    ("/dl", "dl", 0o777 | 1 << 27, "/w/sub"), ("/dl/", "dl", 0o777 | 1 << 31 | 1 << 20, ""),
    ("/w/fifo", "fifo", 0o644 | 1 << 25, ""), ("/w/null", "null", 0o644 | 1 << 26 | 1 << 21, ""),
    ("/", "/", 0o755 | 1 << 31, ""), ("/w/sub/up", "up", 0o777 | 1 << 27, "/w/w"), ("/vol/v", "v", 0o644, ""),
    ("/tm/t", "t", 0o644, ""), ("/w/sub/..", "..", 0o755 | 1 << 31, ""),
]


@pytest.mark.parametrize("path,name,mode,target", PATHS)
def test_a_path_is_described_as_dockerd_does(agent, full, path, name, mode, target):
    status, head, body = agent.http("HEAD", f"/v1.51/containers/{full}/archive?path={path}")
    assert status == 200 and body == b""
    stat = json.loads(base64.b64decode(head["x-docker-container-path-stat"]))
    assert list(stat) == ["name", "size", "mode", "mtime", "linkTarget"]
    assert (stat["name"], stat["mode"], stat["linkTarget"]) == (name, mode, target)


@pytest.mark.parametrize("path,status,text", [
    ("/nope", 404, "Could not find the file /nope in container full"),
    ("/proc/version", 404, "Could not find the file /proc/version in container full"),
    ("/w/f/", 500, "lstat /w/f/: not a directory"),
    ("/w/f/.", 500, "lstat /w/f/.: not a directory"),
    ("/w/loop1/", 500, "lstat /w/loop1/: too many levels of symbolic links"),
    ("/w/loop1", 500, "evalSymlinksInScope: too many links in /w/loop1"),
    ("/w/sub/up/", 404, "Could not find the file /w/sub/up/ in container full"),
    ("", 400, "bad parameter: pathcannot be empty"),
])
def test_a_path_that_leads_nowhere_is_refused_in_dockerds_words(agent, full, path, status, text):
    assert get(agent, full, path)[0::2] == (status, text)
    assert agent.http("HEAD", f"/v1.51/containers/{full}/archive?path={path}")[0] == status


def test_no_container_no_archive(agent):
    for method in ("HEAD", "GET", "PUT"):
        assert agent.http(method, "/v1.51/containers/nobody/archive?path=/x")[0] == 404
        assert agent.http(method, "/v1.51/containers/nobody/archive")[0] == 400
    for what in ("changes", "export"):
        assert agent.http("GET", f"/v1.51/containers/nobody/{what}")[0] == 404


# ------------------------------------------------------------------ out

def test_the_names_in_an_archive_follow_from_the_path(agent, full):
    below = [".wh.x", "dang", "empty", "f", "fifo", "hard", "l", "loop1", "loop2", "null", "sub", "sub/s", "sub/up"]
    for path, top in (("/w", "w"), ("/w/", "w"), ("/w/.", "."), ("/w/sub/..", "w")):
        assert list(get(agent, full, path)[2]) == [top, *(f"{top}/{name}" for name in below)]
    assert list(get(agent, full, "/dl/")[2]) == ["dl", "dl/s", "dl/up"]
    for path in ("/w/f", "/w/l", "/w/dang", "/w/fifo", "/w/null"):
        assert list(get(agent, full, path)[2]) == [path.split("/")[-1]]


def test_an_archive_holds_all_kinds_of_files(agent, full):
    files = get(agent, full, "/w")[2]
    assert files["w/hard"].islnk() and files["w/hard"].linkname == "w/f"
    assert (files["w/l"].type, files["w/l"].linkname) == (LINK, "f")
    assert (files["w/null"].type, files["w/null"].devmajor, files["w/null"].devminor) == (CHAR, 1, 3)
    assert files["w/fifo"].isfifo() and files["w/sub"].mode == 0o1777 and files["w/f"].mode == 0o4755
    assert (files["w/sub/s"].uid, files["w/sub/s"].gid, files["w/sub/s"].size) == (1000, 50, 2)
    assert "w/sock" not in files


def test_the_whole_root_of_a_running_container_comes_without_the_kernels_files(agent, full):
    names = list(get(agent, full, "/")[2])
    assert "/proc" in names and "/sys" in names and "/vol/v" in names and "/bin/busybox" in names
    assert not [n for n in names if n.startswith(("/proc/", "/sys/"))]


def test_export_is_the_root_without_volumes(agent, full, tmp_path):
    agent.docker("export", "-o", tmp_path / "x.tar", full)
    with tarfile.open(tmp_path / "x.tar") as tar:
        names = tar.getnames()
    assert "w/sub/s" in names and "vol" in names and "tm" in names
    assert {".dockerenv", "etc/hosts", "etc/mtab", "dev/console", "proc"} <= set(names)
    assert "vol/v" not in names and "tm/t" not in names and "proc/1" not in names


# ------------------------------------------------------------------ in

def test_refusals_of_an_upload_are_dockerds(agent):
    agent.docker("create", "--name", "in1", "-v", "/rw", "-v", "ro1:/ro:ro", "busybox", "true")
    agent.docker("create", "--name", "in2", "--read-only", "-v", "/rw", "-v", "ro1:/ro:ro", "busybox", "true")
    one = pack(("a", b"AA", {}))
    rows = [
        ("in1", "path=/tmp", one, 200, ""),
        ("in1", "path=/tmp/a", one, 400, "extraction point is not a directory"),
        ("in1", "path=/tmp/a/", one, 500, "lstat /tmp/a/: not a directory"),
        ("in1", "path=nope/x", one, 404, "Could not find the file nope/x in container in1"),
        ("in1", "path=/ro", one, 400, "mounted volume is marked read-only"),
        ("in2", "path=/tmp", one, 400, "container rootfs is marked read-only"),
        ("in2", "path=/rw/../tmp", one, 400, "container rootfs is marked read-only"),
        ("in2", "path=/rw", one, 200, ""),
        ("in2", "path=/ro", one, 400, "mounted volume is marked read-only"),
        ("in1", "path=/", pack(("d", DIR, {"mode": 0o755}), ("d/x", b"11", {}), ("dl", LINK, {"linkname": "/d"})), 200, ""),
        ("in1", "path=/dl", one, 200, ""),
        ("in1", "path=/&noOverwriteDirNonDir=true", pack(("d", b"XX", {})), 500,
         'cannot overwrite directory "d" with non-directory "/"'),
        ("in1", "path=/d&noOverwriteDirNonDir=1", pack(("x", DIR, {"mode": 0o755})), 500,
         'cannot overwrite non-directory "x" with directory "/d"'),
        ("in1", "path=/&noOverwriteDirNonDir=0", pack(("d/x", DIR, {"mode": 0o755})), 200, ""),
        ("in1", "path=/d", b"garbage" * 200, 500, "archive/tar: invalid tar header"),
        ("in1", "path=/d", b"short", 500, "unexpected EOF"),
        ("in1", "path=/d", b"", 200, ""),
        ("in1", "path=/d", bytes(1024), 200, ""),
        ("in1", "path=/d", pack(("../../e", b"11", {})), 500, 'invalid entry name "../../e"'),
        ("in1", "path=/d", pack(("h", HARD, {"linkname": "../etc/passwd"})), 500, 'invalid hardlink target "../etc/passwd"'),
        ("in1", "path=/d", pack(("h", HARD, {"linkname": "nope"})), 404, "Could not find the file /d in container in1"),
    ]
    for container, query, body, status, text in rows:
        assert put(agent, container, query, body) == (status, text), query
    assert list(get(agent, "in1", "/d")[2]) == ["d", "d/a", "d/x"]
    agent.docker("rm", "-v", "in1", "in2")


def test_an_upload_unpacks_what_it_holds_and_stays_where_it_was_sent(agent):
    agent.docker("create", "--name", "in3", "busybox", "true")
    body = pack(("y", b"yy", {}), ("h", HARD, {"linkname": "y"}), ("out", LINK, {"linkname": "/etc"}),
                ("out/in", b"in", {}), (".wh.y", b"", {}), ("null", CHAR, {"devmajor": 1, "devminor": 3}),
                ("ff", FIFO, {}), ("suid", b"ss", {"mode": 0o6755, "uid": 5}), ("p/q/r", b"rr", {"uid": 7, "gid": 8}),
                ("/abs", b"ab", {}), (".", DIR, {"mode": 0o700, "uid": 9}),
                ("xa", b"xx", {"pax_headers": {"SCHILY.xattr.user.color": "blue"}}))
    assert put(agent, "in3", "path=/data", body) == (200, "")
    files = get(agent, "in3", "/data")[2]
    assert files["data/y"].islnk() and files["data/y"].linkname == "data/h"
    assert files["data/etc/in"].size == 2 and not is_there(agent, "in3", "/etc/in")
    assert files["data/.wh.y"].size == 0 and files["data/null"].ischr() and files["data/ff"].isfifo()
    assert (files["data/suid"].mode, files["data/suid"].uid) == (0o6755, 5)
    assert (files["data/p"].mode, files["data/p"].uid, files["data/p/q/r"].gid) == (0o755, 0, 8)
    assert files["data/abs"].size == 2 and (files["data"].mode, files["data"].uid) == (0o755, 0)
    assert files["data/xa"].pax_headers["SCHILY.xattr.user.color"] == "blue"
    agent.docker("rm", "in3")


def test_compressed_uploads_and_owners(agent):
    agent.docker("create", "--name", "in4", "-u", "web", "busybox", "true")
    zstd = lambda data: subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout
    for name, squeeze in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("zst", zstd)):
        assert put(agent, "in4", "path=/tmp", squeeze(pack((name, b"AA", {"uid": 5, "gid": 6})))) == (200, "")
    assert put(agent, "in4", "path=/tmp&copyUIDGID=1", pack(("own", b"AA", {"uid": 5, "gid": 6}))) == (200, "")
    files = get(agent, "in4", "/tmp")[2]
    assert {n: (m.uid, m.gid) for n, m in files.items()} == {
        "tmp": (0, 0), "tmp/gz": (5, 6), "tmp/bz2": (5, 6), "tmp/xz": (5, 6), "tmp/zst": (5, 6), "tmp/own": (1000, 1000)}
    agent.docker("rm", "in4")


# ------------------------------------------------------------------ the real client

@pytest.mark.parametrize("state", ["created", "running", "paused", "exited"])
def test_docker_cp_whatever_the_container_does(agent, tmp_path, state):
    name = f"cp-{state}"
    agent.docker("create", "--name", name, "-v", f"vol-{state}:/data", "busybox", "sleep", "1000")
    if state != "created":
        agent.docker("start", name)
    if state == "paused":
        agent.docker("pause", name)
    if state == "exited":
        agent.docker("stop", "-t", "0", name)
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "file").write_text("from the host\n")
    (tree / "sub/link").symlink_to("../file")
    agent.docker("cp", tree, f"{name}:/root")
    agent.docker("cp", tree / "file", f"{name}:/root/renamed")
    agent.docker("cp", f"{tree}/.", f"{name}:/data")
    agent.docker("cp", "-", f"{name}:/tmp", input=pack(("streamed", b"bytes", {})))
    agent.docker("cp", f"{name}:/root/tree", tmp_path / "back")
    agent.docker("cp", "-L", f"{name}:/data/sub/link", tmp_path / "followed")
    agent.docker("cp", f"{name}:/data/seed", tmp_path)  # a new volume is filled from the image before
    assert (tmp_path / "back/sub/link").readlink() == pathlib.Path("../file")
    assert (tmp_path / "followed").read_text() == "from the host\n"
    assert (tmp_path / "seed").read_text() == "from the image\n"
    assert content(agent, name, "/root/renamed") == b"from the host\n"
    assert content(agent, name, "/tmp/streamed") == b"bytes"
    assert "nope" in agent.docker("cp", f"{name}:/nope", tmp_path, check=False).stderr
    agent.docker("unpause", name, check=False)
    assert agent.out("start", name) == name
    assert agent.out("exec", name, "cat", "/root/tree/sub/link", "/data/file", "/root/renamed") == "\n".join(3 * ["from the host"])
    agent.docker("rm", "-f", name)


def test_ballast_has_the_same_commands(agent, tmp_path):
    agent.docker("run", "-d", "--name", "own", "busybox", "sh", "-c", "mkdir -p /w/sub; echo hi >/w/f; ln -s f /w/l; touch /ready; exec sleep 1000")
    wait_for("its files are there", lambda: is_there(agent, "own", "/ready"))
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "file").write_text("from the host\n")
    (tree / "sub/link").symlink_to("../file")
    tree.chmod(0o700)
    agent.ballast("cp", tree, "own:/root")  # into a directory
    agent.ballast("cp", tree, "own:/root/other")  # under another name
    agent.ballast("cp", f"{tree}/.", "own:/tmp")  # its contents
    agent.ballast("cp", tree / "file", "own:/root/renamed")
    agent.ballast("cp", "-L", tree / "sub/link", "own:/root/followed")
    agent.ballast("cp", "-", "own:/home", input=pack(("streamed", b"bytes", {})))
    listed = agent.out("exec", "own", "sh", "-c", "cd /root; cat tree/sub/link other/file /tmp/sub/link renamed followed; stat -c %a other").splitlines()
    assert listed == 5 * ["from the host"] + ["700"]
    assert content(agent, "own", "/home/streamed") == b"bytes"
    agent.ballast("cp", "own:/w", tmp_path / "w")
    agent.ballast("cp", "own:/w", tmp_path / "w")
    agent.ballast("cp", "own:/w/.", tmp_path / "contents")
    agent.ballast("cp", "own:/w/f", tmp_path / "f2")
    agent.ballast("cp", "-L", "own:/w/l", tmp_path / "l2")
    assert (tmp_path / "w/l").is_symlink() and (tmp_path / "w/w/f").exists() and (tmp_path / "contents/sub").is_dir()
    assert (tmp_path / "f2").read_text() == (tmp_path / "l2").read_text() == "hi\n"
    for bad in (("own:/nope", "x"), (tmp_path / "nope", "own:/"), ("own:/w", tmp_path / "f2"), ("own:/w/f", tmp_path / "no/such"),
                (tree, "own:/w/f"), ("a", "b"), ("a:b", "c:d")):
        assert agent.ballast("cp", *bad, check=False).returncode == 1, bad
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".ballast")]
    assert set(agent.ballast("diff", "own").stdout.splitlines()) >= {"A /w/f", "A /w/l", "C /root"}
    agent.ballast("export", "-o", tmp_path / "own.tar", "own")
    with tarfile.open(tmp_path / "own.tar") as tar:
        assert "w/sub" in tar.getnames()
    image = agent.ballast("commit", "-m", "why", "-c", "CMD cat /w/f", "own", "own/image:1").stdout.strip()
    assert image.startswith("sha256:") and agent.out("run", "--rm", "own/image:1") == "hi"
    agent.docker("rm", "-f", "own")
    agent.docker("rmi", "own/image:1")


def test_what_the_agent_mounts_is_gone_afterwards(agent):
    agent.docker("create", "--name", "mnt", "-v", "mntvol:/data", "busybox", "true")
    for _ in range(3):
        put(agent, "mnt", "path=/data", pack(("f", b"ff", {})))
        get(agent, "mnt", "/data")
    mounts = pathlib.Path(f"/proc/{agent.process.pid}/mountinfo").read_text().splitlines()
    assert not [line for line in mounts if str(agent.base) in line and " nsfs " not in line]
    agent.docker("rm", "mnt")
    agent.docker("volume", "rm", "mntvol")


def test_events_tell_of_copies(agent):
    agent.docker("create", "--name", "ev", "--label", "x=y", "busybox", "true")
    get(agent, "ev", "/etc/group")
    put(agent, "ev", "path=/tmp", pack(("f", b"ff", {})))
    agent.http("GET", "/v1.51/containers/ev/export")
    agent.docker("rm", "ev")
    lines = agent.out("events", "--since", "1m", "--until", f"{time.time():.9f}", "--filter", "container=ev", "--format", "{{.Action}} {{.Actor.Attributes.x}}")
    assert lines.splitlines() == [f"{a} y" for a in ("create", "archive-path", "extract-to-dir", "export", "destroy")]


# ------------------------------------------------------------------ changes

CHANGES = r"""mkdir -p /n/sub; echo hi >/n/f; rm /etc/noexec; rm -r /home/web; mkdir /home/web; touch /home/web/new
echo x >>/etc/passwd; chmod 700 /root; ln -s a /n/l; touch /var/x; rm /var/x; rm -r /usr; touch /usr; rm '/bin/[['; mkdir '/bin/[['
touch /.wh.foo /dev/shm/x /vol/v; mkfifo /ff; exec sleep 1000"""
CHANGED = {"/.wh.foo": 1, "/bin": 0, "/bin/[[": 0, "/etc": 0, "/etc/noexec": 2, "/etc/passwd": 0, "/ff": 1, "/home": 0,
           "/home/web": 0, "/home/web/new": 1, "/n": 1, "/n/f": 1, "/n/l": 1, "/n/sub": 1, "/root": 0, "/usr": 0,
           "/var": 0, "/vol": 1}


def check_changes(agent):
    agent.docker("run", "-d", "--name", "quiet", "busybox", "sleep", "1000")
    agent.docker("run", "-d", "--name", "busy", "-v", "/vol", "busybox", "sh", "-c", CHANGES)
    wait_for("it has changed all", lambda: (changes(agent, "busy") or {}).get("/ff") == 1)
    assert changes(agent, "quiet") is None
    assert changes(agent, "busy") == CHANGED
    listed = agent.out("diff", "busy").splitlines()
    assert sorted(listed) == sorted(f"{'CAD'[kind]} {path}" for path, kind in CHANGED.items())
    agent.docker("stop", "-t", "0", "busy")
    assert changes(agent, "busy") == CHANGED


def test_changes_are_dockers(agent):
    check_changes(agent)
    agent.docker("rm", "-fv", "busy", "quiet")


# ------------------------------------------------------------------ commit

def layers_of(agent, image):
    """The tars of an image's layers, by docker save."""
    saved = subprocess.run([DOCKER, "save", image], capture_output=True, env=agent.env(), check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(saved)) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))[0]
        return saved, [unpack(tar.extractfile(name).read()) for name in manifest["Layers"]]


def commit(agent, query, body=None):
    status, _, reply = agent.http("POST", f"/v1.51/commit?{query}", body)
    return status, json.loads(reply).get("Id") or json.loads(reply)["message"]


def check_commit(agent):
    agent.docker("run", "-d", "--name", "busy", "-v", "/vol", "-e", "A=b", "-w", "/tmp", "--label", "x=y", "busybox", "sh", "-c", CHANGES)
    wait_for("it has changed all", lambda: is_there(agent, "busy", "/ff"))
    image = agent.out("commit", "-m", "why", "-a", "me", "-c", "CMD cat /n/f", "-c", "ENV Q=1", "busy", "mine:v1")
    shown = json.loads(agent.out("image", "inspect", "mine:v1"))[0]
    assert shown["Id"] == image and shown["Parent"] == agent.inspect("busy")["Image"]
    assert (shown["Comment"], shown["Author"], shown["RepoTags"]) == ("why", "me", ["mine:v1"])
    conf = shown["Config"]
    assert conf["Cmd"] == ["/bin/sh", "-c", "cat /n/f"] and "Q=1" in conf["Env"] and "A=b" in conf["Env"]
    assert conf["WorkingDir"] == "/tmp" and conf["Labels"] == {"x": "y"} and conf["Volumes"] == {"/vol": {}}
    assert agent.out("run", "--rm", "mine:v1") == "hi"
    there = agent.out("run", "--rm", "mine:v1", "sh", "-c", "ls -d /etc/noexec /home/web/* /usr /data/seed; stat -c %a /root; ls /vol",
                      check=False)
    assert there.splitlines() == ["/data/seed", "/home/web/new", "/usr", "700"]
    saved, layers = layers_of(agent, "mine:v1")
    top = layers[-1]
    assert len(layers) == 2 and "etc/.wh.noexec" in top and "n/l" in top and ".wh.foo" in top
    assert not {"etc/hosts", "proc", "sys", "dev", "vol/v"} & set(top)
    return saved


def test_a_committed_image_runs_is_saved_and_loaded(agent, work):
    saved = check_commit(agent)
    agent.docker("rm", "-fv", "busy")
    agent.docker("rmi", "mine:v1")
    agent.docker("load", input=saved)
    assert agent.out("run", "--rm", "mine:v1") == "hi"
    agent.docker("run", "--name", "again", "mine:v1", "sh", "-c", "rm /n/f; echo 2 >/n/g")
    agent.docker("commit", "again", "mine:v2")
    assert agent.out("run", "--rm", "mine:v2", "ls", "/n").split() == ["g", "l", "sub"]
    history = agent.json("/v1.51/images/mine:v2/history")
    assert [h["CreatedBy"] for h in history][0::2] == ["sh -c rm /n/f; echo 2 >/n/g", "busybox"] and len(history) == 3
    assert [h["Tags"] for h in history] == [["mine:v2"], ["mine:v1"], None]  # what was loaded has no parent
    agent.docker("rm", "again")
    agent.docker("rmi", "mine:v2", "mine:v1")


def test_commits_without_changes_and_with_a_config(agent):
    agent.docker("run", "-d", "--name", "still", "busybox", "sleep", "1000")
    status, image = commit(agent, "container=still&repo=still/same")
    assert status == 201
    shown = json.loads(agent.out("image", "inspect", "still/same"))[0]
    assert shown["RootFS"]["Layers"] == json.loads(agent.out("image", "inspect", "busybox"))[0]["RootFS"]["Layers"]
    assert agent.json(f"/v1.51/images/{image}/history")[0]["Size"] == 0
    status, image = commit(agent, "container=still", {"Cmd": ["true"], "Env": ["Z=1"]})
    conf = json.loads(agent.out("image", "inspect", image))[0]["Config"]
    assert conf["Cmd"] == ["true"] and conf["Env"][0] == "Z=1" and conf["Env"][1].startswith("PATH=")
    agent.docker("rm", "-f", "still")
    agent.docker("rmi", image, "still/same")


def test_commits_are_refused_in_dockerds_words(agent):
    agent.docker("create", "--name", "ref", "busybox", "true")
    rows = [("", 400, 'invalid name or ID supplied: ""'), ("container=nobody", 404, "No such container: nobody"),
            ("container=ref&repo=UPPER", 400, "invalid reference format: repository name (library/UPPER) must be lowercase"),
            ("container=ref&repo=a&tag=b%20c", 400, "invalid tag format"),
            ("container=ref&changes=FOO%20x", 400, "FOO is not a valid change command"),
            ("container=ref&changes=ENV", 400, "ENV requires at least one argument"),
            ("container=ref&repo=x@sha256:" + 64 * "a", 400, "cannot import digest reference")]
    for query, status, text in rows:
        assert commit(agent, query) == (status, text)
    for query, name in (("repo=a:b", "a:b"), ("repo=a:b&tag=c", "a:c"), ("repo=a&changes=ENV%20k=v%0AENV%20l=w", "a:latest")):
        assert commit(agent, f"container=ref&{query}")[0] == 201
        assert agent.out("image", "inspect", "-f", "{{index .RepoTags 0}}", name) == name
        agent.docker("rmi", name)
    agent.docker("rm", "ref")


def test_a_commit_pauses_and_tells(agent):
    agent.docker("run", "-d", "--name", "pz", "busybox", "sleep", "1000")
    agent.docker("commit", "-m", "note", "pz", "pz:1")
    agent.docker("commit", "--pause=false", "pz", "pz:2")
    lines = agent.out("events", "--since", "1m", "--until", f"{time.time():.9f}", "--format", "{{.Type}} {{.Action}} {{.Actor.Attributes.imageRef}}",
                      "--filter", "event=pause", "--filter", "event=unpause", "--filter", "event=commit", "--filter", "container=pz")
    assert [l.split()[:3] for l in lines.replace("<no value>", "").splitlines()] == [
        ["container", "pause"], ["container", "commit", "pz:1"], ["container", "unpause"], ["container", "commit", "pz:2"]]
    assert agent.inspect("pz")["State"]["Status"] == "running"
    agent.docker("rm", "-f", "pz")
    agent.docker("rmi", "pz:1", "pz:2")


def test_an_image_survives_the_forced_removal_of_its_parent(agent, archive):
    agent.docker("tag", "busybox", "parent:1")
    agent.docker("run", "--name", "orphan", "parent:1", "sh", "-c", "echo kept >/kept")
    for name in ("parent:1", "busybox"):
        agent.docker("rmi", "-f", name)
    agent.docker("commit", "orphan", "child:1")
    assert agent.out("run", "--rm", "child:1", "cat", "/kept") == "kept"
    agent.docker("rm", "orphan")
    agent.docker("rmi", "child:1")
    agent.docker("load", "-i", archive)


def test_an_agent_killed_during_a_commit_lets_the_container_go_on(agent):
    agent.docker("run", "-d", "--name", "cut", "busybox", "sh", "-c", "head -c 200000000 /dev/urandom >/big; touch /ready; exec sleep 1000")
    wait_for("it has something to commit", lambda: is_there(agent, "cut", "/ready"), 30)
    client = subprocess.Popen([DOCKER, "commit", "cut", "cut:1"], env=agent.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("it is paused", lambda: client.poll() is not None or agent.inspect("cut")["State"]["Status"] == "paused")
    agent.kill()
    client.wait()
    agent.start()
    wait_for("it goes on", lambda: agent.inspect("cut")["State"]["Status"] == "running")
    agent.docker("commit", "cut", "cut:1")
    assert agent.out("run", "--rm", "cut:1", "stat", "-c", "%s", "/big") == "200000000"
    agent.docker("rm", "-f", "cut")
    agent.docker("rmi", "cut:1")


def test_with_vfs_all_of_it_works_as_well(work, archive):
    agent = conftest.make_agent(work, "files-vfs", archive, "--storage-driver", "vfs")
    try:
        check_changes(agent)
        agent.docker("rm", "-fv", "busy", "quiet")
        check_commit(agent)
        agent.docker("stop", "-t", "0", "busy")
        assert put(agent, "busy", "path=/root", pack(("f", b"ff", {}))) == (200, "")
        assert content(agent, "busy", "/root/f") == b"ff"
        assert "n/f" in unpack(agent.http("GET", "/v1.51/containers/busy/export")[2])
    finally:
        agent.remove_everything()
        agent.stop()


def test_in_a_user_namespace_ids_are_those_of_the_inside(work, archive):
    ranges = work / "ranges"
    ranges.write_text("nobody:300000:65536\nnogroup:300000:65536\n")
    files = ["/etc/subuid", "/etc/subgid"]
    for f in files:
        subprocess.run(["mount", "--bind", ranges, f], check=True)
    try:
        agent = conftest.make_agent(work, "files-remap", archive, "--userns-remap", "nobody:nogroup")
    finally:
        subprocess.run(["umount", *files], check=True)
    try:
        agent.docker("run", "-d", "--name", "in", "busybox", "sh", "-c", "echo x >/f; chown 5:6 /f; touch /ready; exec sleep 1000")
        wait_for("its files are there", lambda: is_there(agent, "in", "/ready"))
        for state in ("running", "exited"):
            files = get(agent, "in", "/f")[2]
            assert (files["f"].uid, files["f"].gid) == (5, 6), state
            assert put(agent, "in", "path=/tmp", pack((state, b"xx", {"uid": 7, "gid": 8}))) == (200, "")
            assert (get(agent, "in", f"/tmp/{state}")[2][state].uid) == 7
            agent.docker("stop", "-t", "0", "in")
        assert changes(agent, "in") == {"/f": 1, "/ready": 1, "/tmp": 0, "/tmp/running": 1, "/tmp/exited": 1}
        agent.docker("commit", "in", "in:1")
        assert layers_of(agent, "in:1")[1][-1]["f"].uid == 5
        ids = agent.out("run", "--rm", "in:1", "stat", "-c", "%u:%g", "/f", "/tmp/running", "/tmp/exited", "/.dockerenv")
        assert ids.split() == ["5:6", "7:8", "7:8", "0:0"]
    finally:
        agent.remove_everything()
        agent.stop()


# ------------------------------------------------------------------ large, slow, and gone

def resident(agent):
    lines = pathlib.Path(f"/proc/{agent.process.pid}/status").read_text()
    return int(lines.split("VmRSS:")[1].split()[0])


def request(agent, text):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(str(agent.sock))
    s.sendall(text.encode())
    return s


def test_large_files_take_no_memory_and_a_client_that_leaves_ends_it(agent):
    agent.docker("run", "-d", "--name", "big", "busybox", "sh", "-c", "truncate -s 600M /sparse; exec sleep 1000")
    wait_for("the file is there", lambda: is_there(agent, "big", "/sparse"))
    before = resident(agent)
    s = request(agent, "GET /v1.51/containers/big/archive?path=/sparse HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
    total, peak = 0, 0
    while chunk := s.recv(1 << 20):
        total += len(chunk)
        if total % 50 < 5:
            peak = max(peak, resident(agent))
    s.close()
    assert total > 600 << 20
    if conftest.SLOW == 1:  # a sanitizer keeps what is freed
        assert peak - before < 16 << 10
    s = request(agent, "GET /v1.51/containers/big/archive?path=/sparse HTTP/1.1\r\nHost: d\r\n\r\n")
    assert s.recv(65536)
    fds = lambda: len(os.listdir(f"/proc/{agent.process.pid}/fd"))
    many = fds()
    s.close()
    wait_for("the agent lets go", lambda: fds() < many)
    agent.docker("rm", "-f", "big")


def test_a_start_waits_for_an_upload_under_way(agent):
    agent.docker("create", "--name", "slow", "busybox", "sh", "-c", "cat /tmp/a; sleep 1000")
    body = pack(("a", b"all of it\n", {}), ("b", b"x" * 3000000, {}))
    s = request(agent, "PUT /v1.51/containers/slow/archive?path=/tmp HTTP/1.1\r\nHost: d\r\nConnection: close\r\n"
                f"Content-Length: {len(body)}\r\nContent-Type: application/x-tar\r\n\r\n")
    s.sendall(body[:1500000])
    wait_for("the upload has begun", lambda: is_there(agent, "slow", "/tmp/a"))
    start = threading.Thread(target=agent.docker, args=("start", "slow"))
    start.start()
    start.join(0.3)
    assert agent.inspect("slow")["State"]["Status"] == "created"
    s.sendall(body[1500000:])
    assert s.recv(12) == b"HTTP/1.1 200"
    s.close()
    start.join()
    wait_for("it runs with the file", lambda: agent.out("logs", "slow") == "all of it")
    agent.docker("rm", "-f", "slow")


# ------------------------------------------------------------------ against the host

RACER = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv) /* exchanges directories and links to the host's paths without end */
{
    (void)argc;
    mkdir("/race", 0777); mkdir("/race/d", 0777); mkdir("/race/d/e", 0777);
    close(open("/race/d/f", O_CREAT | O_WRONLY, 0644)); close(open("/race/d/e/f", O_CREAT | O_WRONLY, 0644));
    symlink(argv[1], "/race/link"); symlink(argv[1], "/race/d/link2");
    close(open("/race/ready", O_CREAT | O_WRONLY, 0644));
    for (;;) {
        syscall(SYS_renameat2, AT_FDCWD, "/race/d", AT_FDCWD, "/race/link", 2);
        syscall(SYS_renameat2, AT_FDCWD, "/race/d/e", AT_FDCWD, "/race/d/link2", 2);
        syscall(SYS_renameat2, AT_FDCWD, "/race/link/e", AT_FDCWD, "/race/link/link2", 2);
        mkdir("/race/d/made", 0777);
        syscall(SYS_renameat2, AT_FDCWD, "/race/d/made", AT_FDCWD, "/race/d/link2", 2);
    }
}
"""


@pytest.fixture(scope="module")
def racer(work):
    path = work / "racer"
    subprocess.run(["gcc", "-x", "c", "-Os", "-static", "-w", "-o", path, "-"], input=RACER, text=True, check=True)
    return path


def snapshot(top):
    return {str(p): (p.lstat().st_mode, p.lstat().st_uid, p.lstat().st_mtime_ns, p.read_bytes() if p.is_file() else b"")
            for p in sorted([top, *top.rglob("*")])}


def test_a_container_that_exchanges_paths_reaches_nothing_of_the_host(agent, work, racer):
    canary = work / "canary"
    (canary / "e").mkdir(parents=True)
    for name in ("f", "e/f", "secret"):
        (canary / name).write_text("CANARY")
    before = snapshot(canary)
    agent.docker("create", "--name", "racer", "busybox", "/racer", str(canary))
    agent.docker("cp", racer, "racer:/racer")
    agent.docker("start", "racer")
    wait_for("it races", lambda: is_there(agent, "racer", "/race/ready"))
    body = pack(("f", b"PWNED", {"mode": 0o4777}), ("e", DIR, {"mode": 0o777, "uid": 1234}), ("e/f", b"PWNED", {}),
                ("made", DIR, {"mode": 0o777, "uid": 1234}), ("made/f", b"PWNED", {}), ("link2/x", b"PWNED", {}))
    read = written = 0
    for _ in range(150):
        for path in ("/race/d/f", "/race/d/e/f", "/race/d/e/", "/race", "/race/d/"):
            status, _, got = agent.http("GET", f"/v1.51/containers/racer/archive?path={path}")
            assert b"CANARY" not in got, path
            read += status == 200
        for path in ("/race/d", "/race/d/e", "/race"):
            status, _ = put(agent, "racer", f"path={path}", body)
            written += status == 200
    assert read and written  # it was no race if nothing ever got through
    assert snapshot(canary) == before
    agent.docker("rm", "-f", "racer")


def test_a_stopped_container_full_of_links_reaches_nothing_of_the_host(agent, work):
    canary = work / "canary2"
    canary.mkdir()
    (canary / "secret").write_text("CANARY")
    before = snapshot(canary)
    agent.docker("run", "--name", "links", "busybox", "sh", "-c",
                 f"ln -s {canary} /a; ln -s ../../../../../..{canary} /b; ln -s /proc/self/root{canary} /c; ln -s /proc/1/cwd /d;"
                 "rm /etc/passwd; ln -s /a/secret /etc/passwd; mkdir -p /x; ln -s /a /x/vol")
    for path in ("/a", "/b", "/c", "/d"):
        assert get(agent, "links", f"{path}/secret")[0] in (404, 500)
        assert put(agent, "links", f"path={path}", pack(("new", b"PWNED", {})))[0] in (404, 500)
        agent.docker("cp", "-L", f"links:{path}/secret", "-", check=False)
    assert b"CANARY" not in agent.http("GET", "/v1.51/containers/links/export")[2]
    agent.docker("commit", "links", "links:1")
    saved, _ = layers_of(agent, "links:1")
    assert b"CANARY" not in saved
    assert snapshot(canary) == before
    agent.docker("rm", "links")
    agent.docker("rmi", "links:1")
