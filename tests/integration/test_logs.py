"""Logs on disk: what docker logs shows of the drivers that write files, whatever happens to the files meanwhile."""
import gzip
import json
import os
import pathlib
import shutil
import subprocess
import threading

import pytest

import conftest
import differential
from conftest import DOCKER, wait_for

DRIVERS = ["json-file", "local"]


def log_file(agent, cid, driver):
    folder = agent.data / "containers" / cid
    return folder / "local-logs/container.log" if driver == "local" else folder / f"{cid}-json.log"


def start(agent, driver, options, script, *more):
    args = [word for key, value in options.items() for word in ("--log-opt", f"{key}={value}")]
    return agent.out("run", "-d", "--network", "none", "--log-driver", driver, *args, *more, "busybox", "sh", "-c", script)


def run(agent, driver, options, script, *more):
    cid = start(agent, driver, options, script, *more)
    agent.out("wait", cid)
    return cid


def entries(data):
    """What is in a file of the driver local, read independently of ours: protobuf by hand."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at:at + 4], "big")
        entry = data[at + 4:at + 4 + size]
        assert data[at + 4 + size:at + 8 + size] == data[at:at + 4]
        assert entry[:2] == b"\n\x06" and entry[8] == 0x10
        p = 9
        while entry[p] & 0x80:
            p += 1
        assert entry[p + 1] == 0x1a
        n, shift, p = 0, 0, p + 2
        while True:
            n |= (entry[p] & 0x7F) << shift
            shift, p = shift + 7, p + 1
            if not entry[p - 1] & 0x80:
                break
        found.append((entry[2:8].decode(), entry[p:p + n].decode()))
        at += 8 + size
    return found


@pytest.mark.parametrize("driver", DRIVERS)
def test_old_files_are_compressed_and_docker_logs_reads_them(clean, driver):
    cid = run(clean, driver, {"max-size": "20k", "max-file": "5", "compress": "true"}, "seq 5000")
    path = log_file(clean, cid, driver)
    wait_for("old files are compressed", lambda: not list(path.parent.glob(path.name + ".[0-9]")) and not list(path.parent.glob("*.tmp")))
    assert sorted(p.name for p in path.parent.glob(path.name + "*")) == [path.name] + [f"{path.name}.{n}.gz" for n in range(1, 5)]
    shown = clean.out("logs", cid).split("\n")
    assert shown == [str(n) for n in range(int(shown[0]), 5001)] and len(shown) > 500
    for n in (0, 1, 50, len(shown) - 10):
        assert clean.out("logs", "--tail", n, cid) == "\n".join(shown[len(shown) - n:])
    oldest = gzip.decompress(pathlib.Path(f"{path}.4.gz").read_bytes())
    if driver == "local":
        assert entries(oldest)[0] == ("stdout", shown[0])
    else:
        assert json.loads(oldest.split(b"\n")[0])["log"] == shown[0] + "\n"


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("files", [1, 2, 3])
def test_a_follower_sees_every_line_through_a_hundred_rotations(clean, driver, files):
    options = {"max-size": "10k", "max-file": files, "compress": "true" if files == 3 else "false"}
    cid = start(clean, driver, options, "read go; seq 30000", "-i")
    follower = subprocess.Popen([DOCKER, "-H", clean.host, "logs", "-f", cid], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean.env())
    got = []
    reader = threading.Thread(target=lambda: got.extend(follower.stdout))
    reader.start()
    wait_for("the follower follows", lambda: b"logs" in pathlib.Path(f"/proc/{follower.pid}/cmdline").read_bytes() and _is_open(clean, cid, driver))
    subprocess.run([DOCKER, "-H", clean.host, "attach", cid], input=b"go\n", env=clean.env(), stdout=subprocess.DEVNULL, timeout=60, check=True)
    reader.join(60)
    assert follower.wait(10) == 0
    assert [int(line) for line in got] == list(range(1, 30001))


def _is_open(agent, cid, driver):
    """Whether the agent has the log open."""
    wanted = str(log_file(agent, cid, driver))
    return any(os.path.realpath(p) == wanted for p in pathlib.Path(f"/proc/{agent.process.pid}/fd").iterdir() if os.path.islink(p))


@pytest.mark.parametrize("driver", DRIVERS)
def test_details_timestamps_and_times(clean, driver):
    options = {"labels": "a,b", "env": "E1", "tag": "{{.Name}}/x y"} if driver == "json-file" else {}
    cid = run(clean, driver, options, "echo one; sleep 1.1; echo two", "--label", "a=1 2&=,%", "--label", "b=ü", "-e", "E1=v", "--name", "detailed")
    details = "E1=v,a=1+2%26%3D%2C%25,b=%C3%BC,tag=detailed%2Fx+y " if options else " "
    assert clean.http("GET", f"/containers/{cid}/logs?stdout=1&details=1&tail=1")[2].endswith((details + "two\n").encode())
    lines = clean.out("logs", "--timestamps", cid).split("\n")
    stamps = [line.split(" ")[0] for line in lines]
    assert [line.split(" ")[1] for line in lines] == ["one", "two"] and all(len(s) == 30 and s[-1] == "Z" for s in stamps)
    assert clean.out("logs", "--since", stamps[1], cid) == "two"
    assert clean.out("logs", "--until", stamps[0], cid) == "one"
    assert clean.out("logs", "--since", "1h", cid) == "one\ntwo"
    assert clean.out("logs", "--since", "2026-01-01", cid) == "one\ntwo"


@pytest.mark.parametrize("driver", DRIVERS)
def test_ballast_logs_shows_the_same(clean, driver):
    cid = run(clean, driver, {}, "for i in 1 2 3 4 5 6; do echo $i; done; echo err >&2")
    stamp = clean.out("logs", "-t", "--tail", "3", cid).split(" ")[0]
    for flags in ([], ["-t"], ["--details"], ["-n", "2"], ["--since", stamp], ["--until", stamp], ["-f"], ["-t", "--details", "-n", "4"]):
        theirs, ours = clean.docker("logs", *flags, cid), clean.ballast("logs", *flags, cid)
        assert (ours.stdout, ours.stderr) == (theirs.stdout, theirs.stderr)


def test_wrong_arguments_are_answered_as_dockerd_does(clean):
    cid = run(clean, "json-file", {}, "echo one")
    for query, status, text in [
            ("", 400, "Bad parameters: you must choose at least one stream"),
            ("stdout=1&since=abc", 500, 'strconv.ParseInt: parsing "abc": invalid syntax'),
            ("stdout=1&since=1.", 500, 'strconv.ParseInt: parsing "": invalid syntax'),
            ("stdout=1&until=1.x", 500, 'strconv.ParseInt: parsing "x": invalid syntax')]:
        got = clean.http("GET", f"/containers/{cid}/logs?{query}")
        assert (got[0], json.loads(got[2])["message"]) == (status, text)
    for query in ("tail=abc", "tail=-5", "since=-1.5", "since=", "until=99999999999999"):
        assert clean.http("GET", f"/containers/{cid}/logs?stdout=1&{query}")[2].endswith(b"one\n")
    for query in ("tail=0", "since=99999999999999", "until=5"):
        assert clean.http("GET", f"/containers/{cid}/logs?stdout=1&{query}")[2] == b""
    assert "does not support reading" in clean.docker("logs", run(clean, "none", {}, "true"), check=False).stderr


@pytest.mark.parametrize("driver", DRIVERS)
def test_files_that_go_away_under_a_follower_do_not_end_it(clean, driver):
    cid = start(clean, driver, {"max-size": "1m", "max-file": "3"}, "while read line && [ $line != end ]; do echo $line; done", "-i")
    path = log_file(clean, cid, driver)
    talk = subprocess.Popen([DOCKER, "-H", clean.host, "attach", "--sig-proxy=false", cid], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=clean.env())
    follower = subprocess.Popen([DOCKER, "-H", clean.host, "logs", "-f", cid], stdout=subprocess.PIPE, env=clean.env())
    got = []
    reader = threading.Thread(target=lambda: got.extend(follower.stdout))
    reader.start()

    def say(word):
        talk.stdin.write(word + b"\n")
        talk.stdin.flush()
        wait_for(f"{word} arrives", lambda: got and got[-1] == word + b"\n")

    say(b"one_which_is_longer_than_what_follows")  # else nobody could tell the new file from the old
    os.truncate(path, 0)
    say(b"two")
    with open(path, "ab") as f:
        f.write(b"\0\0\0\x40damage\n{\n")
    say(b"three")
    path.unlink()
    talk.stdin.write(b"four\nend\n")  # to a file that nobody can find any more
    talk.stdin.close()
    clean.out("wait", cid)
    reader.join(20)
    assert follower.wait(10) == 0 and talk.wait(10) == 0
    assert got[1:3] == [b"two\n", b"three\n"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_full_disk_costs_lines_that_are_counted_and_no_time(work, archive, driver):
    base = work / f"full-{driver}"
    containers = base / "data/containers"
    containers.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(containers)], check=True)
    try:
        agent = conftest.make_agent(work, base.name, archive)
        cid = start(agent, driver, {"max-size": "100m", "max-file": "2"}, "seq 100000; touch /done; read go; echo after", "-i")
        wait_for("the container went on", lambda: agent.docker("exec", cid, "ls", "/done", check=False).returncode == 0, 20)
        wait_for("the agent says so", lambda: "lines of its log were lost: write log file" in agent.ballast("explain", cid).stdout)
        subprocess.run(["mount", "-o", "remount,size=64m", str(containers)], check=True)
        subprocess.run([DOCKER, "-H", agent.host, "attach", cid], input=b"go\n", env=agent.env(), stdout=subprocess.DEVNULL, timeout=60, check=True)
        agent.out("wait", cid)
        shown = agent.run(DOCKER, "logs", cid)
        lines = shown.stdout.split()
        lost = sum(int(note.split()[1]) for note in shown.stderr.split("\n") if note.startswith("[ballast: "))
        assert lines[-1] == "after" and lost > 0
        assert lines[:-1] == [str(n) for n in range(1, len(lines))] or len(set(lines)) == len(lines)
        assert len(lines) - 1 + lost == 100000
        agent.remove_everything()
        subprocess.run(["umount", str(containers)], check=True)
        conftest.end_agent(agent)
    finally:
        subprocess.run(["umount", "-l", str(containers)], check=False, stderr=subprocess.DEVNULL)


def test_json_file_rotates_without_being_asked(clean):
    assert clean.inspect(run(clean, "json-file", {}, "true"))["HostConfig"]["LogConfig"] == {"Type": "json-file", "Config": {}}


@pytest.mark.skipif(not (differential.PEERS / "usr/sbin/dockerd").exists() or conftest.SLOW > 1, reason="needs dockerd in build/peers")
def test_dockerd_reads_our_files_and_we_read_dockerds(clean, work, archive):
    script = "echo out; echo err >&2; head -c 40000 /dev/zero | tr '\\0' x; echo; seq 3000; printf tail"
    other = differential.Dockerd(work / "logs-dockerd")
    other.start()
    try:
        other.docker("load", "-i", archive)
        for driver in DRIVERS:
            options = {"max-size": "30k", "max-file": "4", "compress": "true"}
            ours, theirs = (run(engine, driver, options, script) for engine in (clean, other))
            for engine, cid in ((clean, ours), (other, theirs)):
                path = log_file(engine, cid, driver)
                wait_for("old files are compressed", lambda: not list(path.parent.glob(path.name + ".[0-9]")) and not list(path.parent.glob("*.tmp")))
            before = {engine: engine.docker("logs", "--timestamps", cid).stdout for engine, cid in ((clean, ours), (other, theirs))}
            mine, his = log_file(clean, ours, driver), log_file(other, theirs, driver)
            for path in (mine, his):
                (path.parent / "kept").mkdir()
                for file in path.parent.glob(path.name + "*"):
                    shutil.move(file, path.parent / "kept" / file.name.replace(path.name, "log"))
            for file in (mine.parent / "kept").iterdir():
                shutil.move(file, his.parent / file.name.replace("log", his.name))
            for file in (his.parent / "kept").iterdir():
                shutil.move(file, mine.parent / file.name.replace("log", mine.name))
            assert other.docker("logs", "--timestamps", theirs).stdout == before[clean]
            assert clean.docker("logs", "--timestamps", ours).stdout == before[other]
            assert len(before[clean]) > 20000 and len(before[other]) > 20000
            for engine, cid in ((clean, ours), (other, theirs)):
                assert engine.docker("logs", "--tail", "700", cid).stdout.endswith("\n2999\n3000\ntail")
                engine.docker("rm", "-f", cid)
    finally:
        other.stop()
