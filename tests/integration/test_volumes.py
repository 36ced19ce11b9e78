"""Volumes and mounts: the local driver, volume plugins, every kind of mount, and what a killed agent leaves.

The plugin is volume_plugin.py, a process of its own.  Its sockets and files are in directories of the agent under test.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from conftest import end_agent, make_agent, wait_for

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def agent(work, archive):
    base = work / "volumes"
    (base / "sockets").mkdir(parents=True)
    (base / "specs").mkdir()
    agent = make_agent(work, "volumes", archive, "--plugin-socket-dir", base / "sockets",
                       "--plugin-spec-dir", base / "specs", "--plugin-spec-dir", base / "no-such-directory")
    yield agent
    end_agent(agent)


class Plugin:
    def __init__(self, agent, name="vp", address=None):
        self.base = agent.base / f"plugin-{name}"
        shutil.rmtree(self.base, ignore_errors=True)
        self.base.mkdir()
        self.name, self.process = name, None
        self.address = address or f"unix:{agent.base / 'sockets' / (name + '.sock')}"

    def start(self):
        (self.base / "ready").unlink(missing_ok=True)
        self.process = subprocess.Popen([sys.executable, HERE / "volume_plugin.py", self.base, self.address],
                                        stdin=subprocess.DEVNULL)
        wait_for("the plugin is up", lambda: (self.base / "ready").exists())
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()
        self.process = None

    def fail(self, **calls):
        (self.base / "fail").write_text(json.dumps(calls))

    def calls(self, method=None):
        path = self.base / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(l.partition(" ")[2]) for l in lines if method is None or l.startswith(method + " ")]

    def state(self):
        return json.loads((self.base / "state.json").read_text())

    def users(self, volume):
        return self.state()[volume]["users"]


@pytest.fixture
def plugin(clean):
    plugin = Plugin(clean).start()
    yield plugin
    plugin.fail()
    if plugin.process is None or plugin.process.poll() is not None:
        plugin.start()
    clean.remove_everything()
    plugin.stop()
    pathlib.Path(plugin.address.partition(":")[2]).unlink(missing_ok=True)


def ask(agent, method, path, body=None, version="v1.51"):
    status, _, text = agent.http(method, f"/{version}{path}", body)
    return status, json.loads(text) if text.strip() else None


def message(reply):
    return reply[0], reply[1]["message"]


def create(agent, host, name="c1", cmd=("true",), **config):
    return ask(agent, "POST", f"/containers/create?name={name}",
               {"Image": "busybox", "Cmd": list(cmd), "HostConfig": host, **config})


def run(agent, host, *cmd, name="c1", keep=False, **config):
    """What the command prints; its container is gone afterwards."""
    status, reply = create(agent, host, name, cmd, **config)
    assert status == 201, reply
    status, reply = ask(agent, "POST", f"/containers/{name}/start")
    assert status == 204, reply
    ask(agent, "POST", f"/containers/{name}/wait")
    done = agent.docker("logs", name)
    if not keep:
        agent.docker("rm", name)
    return done.stdout + done.stderr


def start_error(agent, host, name="c1", **config):
    status, reply = create(agent, host, name, **config)
    assert status == 201, reply
    reply = ask(agent, "POST", f"/containers/{name}/start")
    agent.docker("rm", name)
    return message(reply)


def mounted_below(agent):
    return [l.split()[4] for l in open("/proc/self/mountinfo") if str(agent.data) in l.split()[4]]


# ---------------------------------------------------------------------- the local driver

def test_the_same_create_again_is_the_same_volume_and_another_driver_a_conflict(clean, plugin):
    first = ask(clean, "POST", "/volumes/create", {"Name": "vol", "Labels": {"a": "b"}})
    assert first[0] == 201 and first[1]["Mountpoint"] == str(clean.data / "volumes/vol/_data")
    assert first[1]["Labels"] == {"a": "b"} and first[1]["Options"] is None and first[1]["Scope"] == "local"
    assert ask(clean, "POST", "/volumes/create", {"Name": "vol"}) == first
    again = {"Name": "vol", "Driver": "local", "DriverOpts": {"type": "tmpfs", "device": "tmpfs"}}
    assert ask(clean, "POST", "/volumes/create", again) == first
    assert message(ask(clean, "POST", "/volumes/create", {"Name": "vol", "Driver": "vp"})) == \
        (409, "create vol: driver 'local' already has volume 'vol': volume name must be unique")
    assert message(ask(clean, "POST", "/volumes/create", {"Name": "vol", "Driver": "nope"})) == \
        (404, 'create vol: error looking up volume plugin nope: plugin "nope" not found')


@pytest.mark.parametrize("options, text", [
    ({"type": "tmpfs"}, 'missing required option: "device"'),
    ({"o": "size=1m"}, 'missing required option: "device"'),
    ({"device": "/x"}, 'missing required option: "type"'),
    ({"size": "foo"}, "invalid size: 'foo'"),
    ({"foo": "bar"}, 'invalid option: "foo"'),
])
def test_options_that_make_no_sense_are_refused_in_dockers_words(clean, options, text):
    assert message(ask(clean, "POST", "/volumes/create", {"Name": "vo", "DriverOpts": options})) == (400, f"create vo: {text}")
    assert ask(clean, "GET", "/volumes/vo")[0] == 404


@pytest.mark.parametrize("options, text", [
    ({"type": "none", "device": "/no/such/path", "o": "bind"}, "mount /no/such/path:{}, flags: 0x1000: no such file or directory"),
    ({"type": "tmpfs", "device": "tmpfs", "o": "foo=bar"}, "mount tmpfs:{}, data: foo=bar: invalid argument"),
    ({"type": "nosuchfs", "device": "x", "o": "user=u,password=pw"},
     "mount x:{}, data: user=u,password=********: no such device"),
])
def test_a_mount_that_fails_says_what_it_was_without_its_password(clean, options, text):
    ask(clean, "POST", "/volumes/create", {"Name": "vo", "DriverOpts": options})
    place = clean.data / "volumes/vo/_data"
    assert start_error(clean, {"Binds": ["vo:/x"]}) == \
        (500, f"error while mounting volume '{place}': failed to mount local volume: " + text.format(place))
    assert b"password=pw" not in clean.log.read_bytes()


def test_a_volume_with_options_is_mounted_while_somebody_uses_it(clean):
    opts = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=3"}
    ask(clean, "POST", "/volumes/create", {"Name": "ram", "DriverOpts": opts})
    place = str(clean.data / "volumes/ram/_data")
    for name in ("one", "two"):
        clean.docker("run", "-d", "--init", "--name", name, "-v", "ram:/r", "busybox", "sleep", "1000")
    clean.docker("exec", "one", "touch", "/r/shared")
    assert clean.out("exec", "two", "sh", "-c", "ls /r; stat -c %u /r").split() == ["shared", "3"]
    assert mounted_below(clean) == [place]
    clean.docker("stop", "-t", "0", "one")
    assert mounted_below(clean) == [place]
    assert message(ask(clean, "DELETE", "/volumes/ram"))[0] == 409
    clean.docker("rm", "-f", "two")
    assert mounted_below(clean) == []


def test_a_directory_bound_into_a_volume_survives_the_volume(clean, tmp_path):
    (tmp_path / "file").write_text("mine")
    ask(clean, "POST", "/volumes/create", {"Name": "bound", "DriverOpts": {"type": "none", "device": str(tmp_path), "o": "bind,ro"}})
    assert "Read-only" in run(clean, {"Binds": ["bound:/x"]}, "sh", "-c", "cat /x/file; touch /x/y")
    clean.docker("volume", "rm", "bound")
    assert (tmp_path / "file").read_text() == "mine"


def test_killed_while_volumes_are_mounted_the_next_agent_unmounts_what_nobody_uses(clean):
    opts = {"type": "tmpfs", "device": "tmpfs"}
    for name in ("stays", "goes"):
        ask(clean, "POST", "/volumes/create", {"Name": name, "DriverOpts": opts})
        clean.docker("run", "-d", "--init", "--name", f"c-{name}", "-v", f"{name}:/v", "busybox", "sleep", "1000")
    assert len(mounted_below(clean)) == 2
    pid = clean.inspect("c-goes")["State"]["Pid"]
    clean.kill()
    os.kill(pid, signal.SIGKILL)
    clean.start()
    wait_for("only one is mounted", lambda: mounted_below(clean) == [str(clean.data / "volumes/stays/_data")])
    clean.docker("exec", "c-stays", "touch", "/v/x")
    clean.docker("rm", "-f", "c-stays", "c-goes")
    assert mounted_below(clean) == []


def test_size_is_kept_where_the_file_system_has_project_quotas(work, archive):
    """ext4 on a loop device; the agent's data is there, so the writable layer has a limit, too."""
    made = subprocess.run(["sh", "-c", "losetup -f"], capture_output=True)
    if made.returncode != 0 or not shutil.which("mkfs.ext4"):
        pytest.skip("loop: no loop devices here")
    disk, place = work / "quota.img", work / "quota"
    place.mkdir()
    with open(disk, "wb") as f:
        f.truncate(300 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-O", "quota,project", "-E", "quotatype=prjquota", disk], check=True)
    if subprocess.run(["mount", "-o", "loop,prjquota", disk, place]).returncode != 0:
        pytest.skip("loop: this kernel has no ext4 with project quotas")
    quota = None
    try:
        quota = make_agent(place, "q", archive)
        assert ask(quota, "POST", "/volumes/create", {"Name": "small", "DriverOpts": {"size": "2m"}})[0] == 201
        fill = "dd if=/dev/zero of=$0 bs=1M count=4 2>&1; stat -c %s $0; dd if=/dev/zero of=/tmp/x bs=1M count=4 2>&1 | grep -c space"
        out = run(quota, {"Binds": ["small:/v"]}, "sh", "-c", fill, "/v/f")
        assert "No space left" in out or "quota" in out.lower(), out
        assert "2097152" in out and out.strip().endswith("0")
        out = run(quota, {"StorageOpt": {"size": "3m"}}, "sh", "-c", "dd if=/dev/zero of=/f bs=1M count=5 2>&1; stat -c %s /f")
        assert "No space left" in out or "quota" in out.lower(), out
        assert int(out.split()[-1]) <= 3 << 20
    finally:
        if quota:
            end_agent(quota)
        subprocess.run(["umount", place])


def test_storage_opt_without_quotas_is_refused_in_dockers_words(clean):
    assert message(create(clean, {"StorageOpt": {"size": "1g"}})) == \
        (500, "--storage-opt is supported only for overlay over xfs with 'pquota' mount option")
    assert message(create(clean, {"StorageOpt": {"foo": "1g"}})) == (500, "Unknown option foo")
    assert message(ask(clean, "POST", "/volumes/create", {"Name": "vo", "DriverOpts": {"size": "1m"}})) == \
        (400, "create vo: quota size requested but no quota support")


# ---------------------------------------------------------------------- list, prune, events

def test_filters_of_the_list(clean, plugin):
    for body in ({"Name": "data-a", "Labels": {"env": "prod", "x": ""}}, {"Name": "data-b", "Labels": {"env": "dev"}},
                 {"Name": "far", "Driver": "vp"}):
        assert ask(clean, "POST", "/volumes/create", body)[0] == 201
    create(clean, {"Binds": ["data-a:/d"]})

    def names(**filters):
        status, reply = ask(clean, "GET", "/volumes?filters=" + json.dumps(filters).replace(" ", ""))
        assert status == 200 and reply["Warnings"] is None, reply
        return [v["Name"] for v in reply["Volumes"]]

    assert names() == ["data-a", "data-b", "far"]
    assert names(dangling=["true"]) == ["data-b", "far"]
    assert names(dangling=["false"]) == ["data-a"]
    assert names(driver=["vp"]) == ["far"]
    assert names(label=["env=prod"]) == ["data-a"]
    assert names(label=["env", "x"]) == ["data-a"]
    assert names(name=["data"]) == ["data-a", "data-b"]
    assert message(ask(clean, "GET", '/volumes?filters={"foo":["x"]}')) == (400, "invalid filter 'foo'")


def test_prune_spares_names_since_1_42_and_says_what_it_reclaimed(clean):
    run(clean, {"Binds": ["named:/n"]}, "sh", "-c", "head -c 1000 /dev/zero >/n/f")
    create(clean, {}, "holder", Volumes={"/v": {}})
    anonymous = clean.inspect("holder")["Mounts"][0]["Name"]
    ask(clean, "POST", "/volumes/create", {"Name": "opts", "DriverOpts": {"type": "tmpfs", "device": "tmpfs"}})
    since = time.time()
    assert ask(clean, "POST", "/volumes/prune")[1] == {"VolumesDeleted": [], "SpaceReclaimed": 0}
    clean.docker("rm", "holder")
    assert ask(clean, "POST", "/volumes/prune")[1] == {"VolumesDeleted": [anonymous], "SpaceReclaimed": 0}
    assert ask(clean, "POST", "/volumes/prune", version="v1.41")[1] == {"VolumesDeleted": ["named"], "SpaceReclaimed": 1000}
    ask(clean, "POST", "/volumes/create", {"Name": "named", "Labels": {"keep": ""}})
    for query in ('{"all":["true"],"label!":["keep"]}', '{"all":["false"]}'):
        assert ask(clean, "POST", f"/volumes/prune?filters={query}")[1]["VolumesDeleted"] == []
    assert ask(clean, "POST", '/volumes/prune?filters={"all":["1"]}')[1]["VolumesDeleted"] == ["named"]
    events = clean.out("events", "--since", str(since - 1), "--until", str(time.time() + 1), "--filter", "event=prune", "--format", "{{json .}}")
    assert [json.loads(l)["Actor"]["Attributes"]["reclaimed"] for l in events.splitlines()][-3:] == ["0", "0", "0"]


def test_system_df_counts_users_and_bytes_of_plain_volumes(clean):
    run(clean, {"Binds": ["used:/n"]}, "sh", "-c", "head -c 1000 /dev/zero >/n/f", keep=True)
    ask(clean, "POST", "/volumes/create", {"Name": "opts", "DriverOpts": {"type": "tmpfs", "device": "tmpfs"}})
    volumes = ask(clean, "GET", "/system/df?type=volume")[1]["Volumes"]
    assert [(v["Name"], v["UsageData"]) for v in volumes] == [("used", {"RefCount": 1, "Size": 1000})]
    assert "1kB" in clean.out("system", "df", "-v")


def test_events_tell_of_each_mount(clean):
    create(clean, {"Binds": ["ev:/x:ro"]}, "c1", ("sleep", "1000"), Volumes={"/v": {}})
    for call in ("start", "stop?t=0"):
        assert ask(clean, "POST", f"/containers/c1/{call}")[0] == 204
    clean.docker("rm", "-v", "c1")
    clean.docker("volume", "rm", "ev")
    lines = clean.out("events", "--since", "1", "--until", str(time.time() + 1), "--filter", "type=volume", "--format", "{{json .}}")
    events = [json.loads(l) for l in lines.splitlines()]
    events = events[next(i for i, e in enumerate(events) if e["Actor"]["ID"] == "ev"):]
    of_ev = [(e["Action"], e["Actor"]["Attributes"]) for e in events if e["Actor"]["ID"] == "ev"]
    for _, attributes in of_ev:
        attributes.pop("by", None)
    cid = of_ev[1][1]["container"]
    assert of_ev == [
        ("create", {"driver": "local"}),
        ("mount", {"container": cid, "destination": "/x", "driver": "local", "propagation": "", "read/write": "false"}),
        ("unmount", {"container": cid, "driver": "local"}),
        ("destroy", {"driver": "local"})]
    assert [e["Action"] for e in events if e["Actor"]["ID"] != "ev"] == ["create", "mount", "unmount", "destroy"]


def test_200_volumes_are_made_listed_and_removed(clean):
    for i in range(200):
        assert ask(clean, "POST", "/volumes/create", {"Name": f"many-{i:03}"})[0] == 201
    assert [v["Name"] for v in ask(clean, "GET", "/volumes")[1]["Volumes"]] == [f"many-{i:03}" for i in range(200)]
    clean.kill()
    clean.start()
    assert len(ask(clean, "POST", '/volumes/prune?filters={"all":["true"]}')[1]["VolumesDeleted"]) == 200
    assert os.listdir(clean.data / "volumes") == []


def test_our_own_command_for_volumes(clean):
    def volume(*args, **kw):
        return clean.ballast("volume", *args, **kw).stdout.split()
    assert volume("create", "--label", "env=prod", "-o", "type=tmpfs", "-o", "device=tmpfs", "ram") == ["ram"]
    (anonymous,) = volume("create")
    assert json.loads(clean.ballast("volume", "inspect", "ram").stdout)["Labels"] == {"env": "prod"}
    assert volume("ls", "-q", "-f", "label=env") == ["ram"]
    assert volume("ls")[:3] == ["DRIVER", "VOLUME", "NAME"]
    assert volume("prune") == [anonymous, "Total", "reclaimed", "space:", "0B"]
    assert volume("rm", "ram") == ["ram"]
    assert clean.ballast("volume", "rm", "ram", check=False).stderr.strip().endswith("get ram: no such volume")
    assert clean.ballast("volume", "sing", check=False).returncode != 0


# ---------------------------------------------------------------------- plugins

def test_a_plugins_volume_from_create_to_remove(clean, plugin):
    status, made = ask(clean, "POST", "/volumes/create",
                       {"Name": "far", "Driver": "vp", "DriverOpts": {"a": "b"}, "Labels": {"l": "1"}})
    assert status == 201, made
    assert plugin.calls("Create") == [{"Name": "far", "Opts": {"a": "b"}}]
    seen = ask(clean, "GET", "/volumes/far")[1]
    assert seen == {"CreatedAt": "2026-01-02T03:04:05Z", "Driver": "vp", "Labels": {"l": "1"},
                    "Mountpoint": plugin.state()["far"]["path"], "Name": "far", "Options": {"a": "b"}, "Scope": "global",
                    "Status": {"users": [], "opts": {"a": "b"}}}
    assert run(clean, {"Binds": ["far:/x", "far:/y"]}, "sh", "-c", "echo hello >/x/f; cat /y/f", keep=True) == "hello\n"
    cid = clean.inspect("c1")["Id"]
    assert plugin.calls("Mount") == plugin.calls("Unmount") == [{"ID": cid, "Name": "far"}]
    assert clean.inspect("c1")["Mounts"][0]["Driver"] == "vp" and clean.inspect("c1")["Mounts"][0]["Mode"] == ""
    assert message(ask(clean, "DELETE", "/volumes/far")) == (409, f"remove far: volume is in use - [{cid}]")
    clean.docker("rm", "c1")
    assert "far" not in ask(clean, "POST", '/volumes/prune?filters={"all":["true"]}')[1]["VolumesDeleted"]
    assert ask(clean, "DELETE", "/volumes/far")[0] == 204
    assert plugin.state() == {}
    assert message(ask(clean, "GET", "/volumes/far")) == (404, "get far: no such volume")


def test_what_a_plugin_refuses_reaches_the_client_word_for_word(clean, plugin):
    def creates():
        return message(ask(clean, "POST", "/volumes/create", {"Name": "p2", "Driver": "vp"}))

    plugin.fail(Create="no room")
    assert creates() == (500, "create p2: no room")
    plugin.fail(Create=[500, '{"Err":"no room"}'])
    assert creates() == (500, "create p2: VolumeDriver.Create: no room")
    plugin.fail(Create=[500, "just text"])
    assert creates() == (500, "create p2: VolumeDriver.Create: just text")
    plugin.fail(Create=[200, "{not json"])
    assert creates()[0] >= 400
    plugin.fail()
    assert ask(clean, "POST", "/volumes/create", {"Name": "p2", "Driver": "vp"})[0] == 201
    plugin.fail(Mount="cannot attach")
    assert start_error(clean, {"Binds": ["p2:/x"]})[1].endswith("': cannot attach")
    plugin.fail(Mount=[500, "cannot attach"])
    assert start_error(clean, {"Binds": ["p2:/x"]})[1].endswith("': VolumeDriver.Mount: cannot attach")
    plugin.fail(Remove="busy")
    assert message(ask(clean, "DELETE", "/volumes/p2")) == (500, "remove p2: busy")
    plugin.fail(List="not today")
    reply = ask(clean, "GET", "/volumes")
    assert reply[0] == 200 and reply[1]["Warnings"] == ["list vp: not today"]


def test_volumes_that_only_the_plugin_knows_are_found_and_listed(clean, plugin):
    path = plugin.base / "volumes/ext"
    path.mkdir(parents=True)
    (plugin.base / "state.json").write_text(json.dumps({"pool/ext": {"path": str(path), "users": [], "opts": {}}}))
    assert [v["Name"] for v in ask(clean, "GET", "/volumes")[1]["Volumes"]] == ["pool/ext"]
    assert ask(clean, "GET", "/volumes/pool%2Fext")[1]["Driver"] == "vp"
    run(clean, {"Mounts": [{"Type": "volume", "Source": "pool/ext", "Target": "/x"}]}, "touch", "/x/y")
    assert (path / "y").exists() and plugin.calls("Create") == []
    assert ask(clean, "DELETE", "/volumes/pool%2Fext")[0] == 204
    assert plugin.state() == {}


def test_a_plugin_that_restarts_is_waited_for_and_one_that_died_holds_up_nobody(clean, plugin):
    ask(clean, "POST", "/volumes/create", {"Name": "far", "Driver": "vp"})
    clean.docker("run", "-d", "--init", "--name", "c1", "-v", "far:/x", "busybox", "sleep", "1000")
    plugin.stop()
    begun = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.5)"])
    clean.docker("exec", "c1", "touch", "/x/still-there")
    clean.docker("stop", "-t", "0", "c1")  # its plugin cannot be told
    assert clean.inspect("c1")["State"]["Status"] == "exited"
    begun.wait()
    waiting = subprocess.Popen([*map(str, ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", clean.sock,
                                           "-X", "POST", "http://d/containers/c1/start"))], stdout=subprocess.PIPE, text=True)
    wait_for("the start waits for the plugin", lambda: "plugin cannot be reached" in clean.tail(50))
    plugin.start()
    assert waiting.communicate(timeout=30)[0] == "204"
    clean.docker("rm", "-f", "c1")


def test_a_plugin_that_dies_in_the_middle_of_a_mount(clean, plugin):
    ask(clean, "POST", "/volumes/create", {"Name": "far", "Driver": "vp"})
    plugin.fail(Mount="!die")
    assert start_error(clean, {"Binds": ["far:/x"]})[0] == 500
    plugin.fail()
    plugin.start()
    assert run(clean, {"Binds": ["far:/x"]}, "echo", "fine") == "fine\n"
    assert plugin.users("far") == []


def test_a_plugins_mounts_are_counted_across_a_killed_agent(clean, plugin):
    for volume in ("far", "near"):
        ask(clean, "POST", "/volumes/create", {"Name": volume, "Driver": "vp"})
        clean.docker("run", "-d", "--init", "--name", f"c-{volume}", "-v", f"{volume}:/x", "busybox", "sleep", "1000")
    ids = {v: clean.inspect(f"c-{v}")["Id"] for v in ("far", "near")}
    pid = clean.inspect("c-near")["State"]["Pid"]
    clean.kill()
    os.kill(pid, signal.SIGKILL)
    clean.start()
    wait_for("the one that ended let go", lambda: plugin.users("near") == [])
    assert plugin.users("far") == [ids["far"]]
    clean.docker("rm", "-f", "c-far", "c-near")
    assert plugin.users("far") == []
    assert len(plugin.calls("Mount")) == len(plugin.calls("Unmount")) == 2


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.parametrize("kind", ["spec", "spec-below", "json", "socket-below"])
def test_plugins_are_discovered_by_sockets_and_files(clean, kind):
    port, name = free_port(), f"by-{kind}"
    below = clean.base / ("sockets" if kind.startswith("socket") else "specs") / name
    address = f"tls:{port}" if kind == "json" else f"tcp:{port}"
    if kind.endswith("below"):
        below.mkdir()
    if kind == "socket-below":
        address = f"unix:{below / (name + '.sock')}"
    plugin = Plugin(clean, name, address)
    files = {"spec": clean.base / "specs" / f"{name}.spec", "spec-below": below / f"{name}.spec", "json": clean.base / "specs" / f"{name}.json"}
    if kind == "json":
        cert, key = plugin.base / "cert.pem", plugin.base / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        files[kind].write_text(json.dumps({"Name": name, "Addr": f"https://127.0.0.1:{port}", "TLSConfig": {
            "CAFile": str(cert), "CertFile": str(cert), "KeyFile": str(key)}}))
    elif kind in files:
        files[kind].write_text(f"tcp://127.0.0.1:{port}\n")
    plugin.start()
    try:
        assert ask(clean, "POST", "/volumes/create", {"Name": "vol", "Driver": name})[0] == 201
        assert run(clean, {"Binds": ["vol:/x"]}, "echo", "fine") == "fine\n"
        assert ask(clean, "GET", "/volumes/vol")[1]["Driver"] == name
        assert ask(clean, "DELETE", "/volumes/vol")[0] == 204
    finally:
        plugin.stop()
        if kind in files:
            files[kind].unlink()
        shutil.rmtree(below, ignore_errors=True)


def test_a_plugin_of_another_kind_is_no_volume_driver(clean):
    plugin = Plugin(clean, "odd").start()
    plugin.fail(Activate=[200, '{"Implements":["authz"]}'])
    try:
        assert message(ask(clean, "POST", "/volumes/create", {"Name": "vol", "Driver": "odd"}))[1] == (
            'create vol: error looking up volume plugin odd: legacy plugin: Plugin does not implement the requested driver: '
            'plugin="odd", requested implementation="volumedriver"')
    finally:
        plugin.stop()
        pathlib.Path(plugin.address.partition(":")[2]).unlink()


# ---------------------------------------------------------------------- mounts

def mount(kind, target="/x", **more):
    return {"Mounts": [{"Type": kind, "Target": target, **more}]}


def test_a_mount_of_an_image_is_read_only_and_may_be_a_part_of_it(clean):
    assert create(clean, mount("image", Source="busybox"))[1]["Warnings"] == ["Image mount is an experimental feature"]
    point = clean.inspect("c1")["Mounts"][0]
    assert (point["Type"], point["Name"], point["RW"], point["Propagation"]) == ("image", "busybox", False, "rprivate")
    assert message(ask(clean, "DELETE", "/images/busybox"))[0] == 409
    clean.docker("rm", "c1")
    whole = run(clean, mount("image", Source="busybox"), "sh", "-c", "ls /x; touch /x/y; mount | grep -c 'on /x type.*ro'")
    assert {"bin", "etc"} <= set(whole.split()) and "Read-only file system" in whole
    part = mount("image", Source="busybox", ImageOptions={"Subpath": "bin"})
    assert "busybox" in run(clean, part, "ls", "/x").split()
    file = mount("image", "/busybox", Source="busybox", ImageOptions={"Subpath": "bin/busybox"})
    assert run(clean, file, "sh", "-c", "test -f /busybox && /busybox echo run") == "run\n"
    assert start_error(clean, mount("image", Source="busybox", ImageOptions={"Subpath": "nope"}))[0] == 404
    assert message(create(clean, mount("image", Source="no-such"))) == (404, "No such image: no-such:latest")
    assert [p for p in clean.data.rglob("rw/*-m*") if p.parent.name == "rw"] == []


def test_an_image_of_several_layers_is_mounted_as_one(clean):
    clean.docker("run", "--name", "c1", "busybox", "sh", "-c", "echo new >/new; rm -r /usr")
    clean.docker("commit", "c1", "layered")
    clean.docker("rm", "c1")
    assert run(clean, mount("image", Source="layered"), "sh", "-c", "cat /x/new; ls -d /x/usr 2>/dev/null; ls -d /x/bin; touch /x/y 2>/dev/null") == "new\n/x/bin\n"
    assert run(clean, mount("image", Source="layered", ImageOptions={"Subpath": "new"}), "cat", "/x") == "new\n"
    clean.docker("rmi", "layered")


def test_a_subpath_of_a_volume_cannot_be_led_out_of_it(clean):
    run(clean, {"Binds": ["sub:/v"]}, "sh", "-c",
        "mkdir -p /v/a/b; echo in >/v/a/b/f; ln -s /etc /v/out; ln -s ../../../../../../etc /v/up; ln -s a/b /v/ok")
    def part(path):
        return mount("volume", Source="sub", VolumeOptions={"Subpath": path})
    assert run(clean, part("a/b"), "cat", "/x/f") == "in\n"
    assert run(clean, part("ok"), "cat", "/x/f") == "in\n"
    assert run(clean, part("a/b/f"), "cat", "/x") == "in\n"
    place = clean.data / "volumes/sub/_data/nope"
    assert start_error(clean, part("nope")) == (404, f"cannot access path {place}: lstat {place}: no such file or directory")
    for path in ("out", "up"):  # inside the volume there is no /etc
        status, text = start_error(clean, part(path))
        assert status >= 400 and "cannot access path" in text


def test_a_subpath_that_is_exchanged_for_a_link_meanwhile_never_leads_out(clean, tmp_path):
    (tmp_path / "canary").write_text("secret")
    run(clean, {"Binds": ["race:/v"]}, "mkdir", "-p", "/v/dir")
    root = clean.data / "volumes/race/_data"
    (root / "link").symlink_to(tmp_path)
    code = ("import ctypes,sys\nlibc=ctypes.CDLL(None)\n"
            "while True: libc.renameat2(-100,sys.argv[1].encode(),-100,sys.argv[2].encode(),2)")
    swap = subprocess.Popen([sys.executable, "-c", code, root / "dir", root / "link"])
    try:
        for _ in range(12):
            status, _ = create(clean, mount("volume", Source="race", VolumeOptions={"Subpath": "dir"}), "c1", ("ls", "/x"))
            assert status == 201
            ask(clean, "POST", "/containers/c1/start")
            ask(clean, "POST", "/containers/c1/wait?condition=not-running")
            assert "canary" not in clean.docker("logs", "c1", check=False).stdout
            clean.docker("rm", "-f", "c1")
    finally:
        swap.kill()
        swap.wait()


def test_the_images_content_fills_an_empty_volume_when_the_container_is_created(clean):
    clean.docker("run", "--name", "c1", "busybox", "sh", "-c",
                 "mkdir -p /d/sub; echo x >/d/sub/f; chown 3:4 /d/sub /d; chmod 1750 /d; chmod 4755 /d/sub/f; ln -s sub /d/l")
    clean.docker("commit", "c1", "filled")
    clean.docker("rm", "c1")
    clean.docker("create", "--name", "never-started", "-v", "data:/d", "-v", "/d/anon", "filled", "true")
    look = "stat -c '%u %g %a' /x /x/sub /x/sub/f; readlink /x/l"
    assert run(clean, {"Binds": ["data:/x"]}, "sh", "-c", look).split("\n")[:4] == ["3 4 1750", "3 4 755", "0 0 4755", "sub"]
    assert clean.out("run", "--rm", "-v", "ro-data:/d:ro", "filled", "cat", "/d/sub/f") == "x"
    assert clean.out("run", "--rm", "-v", "none:/d:nocopy", "filled", "ls", "/d") == ""
    assert clean.out("run", "--rm", "--mount", "type=volume,src=none2,dst=/d,volume-nocopy", "filled", "ls", "/d") == ""
    run(clean, {"Binds": ["full:/x"]}, "touch", "/x/mine")
    assert clean.out("run", "--rm", "-v", "full:/d", "filled", "ls", "/d") == "mine"
    assert message(create(clean, {}, Volumes={"/bin/busybox": {}})) == \
        (500, "cannot mount volume over existing file, file exists /bin/busybox")
    assert ask(clean, "GET", "/containers/c1/json")[0] == 404
    clean.docker("rm", "-v", "never-started")
    clean.docker("rmi", "filled")


def test_volumes_from_another_container(clean, tmp_path):
    (tmp_path / "f").write_text("host\n")
    create(clean, {"Binds": ["shared:/data", f"{tmp_path}:/host:ro"], "Mounts": [{"Type": "tmpfs", "Target": "/t"}]}, "giver", Volumes={"/anon": {}})
    anonymous = next(m["Name"] for m in clean.inspect("giver")["Mounts"] if m["Destination"] == "/anon")

    def points(*froms, **more):
        assert create(clean, {"VolumesFrom": list(froms), **more}, "taker")[0] == 201
        found = {m["Destination"]: (m.get("Name") or m["Source"], m["RW"]) for m in clean.inspect("taker")["Mounts"]}
        clean.docker("rm", "-v", "taker")
        return found

    same = {"/data": ("shared", True), "/anon": (anonymous, True), "/host": (str(tmp_path), False)}
    assert points("giver") == points("giver:rw") == points("/giver:z") == same
    assert points("giver:ro") == {k: (v[0], False) for k, v in same.items()}
    assert points("giver", Binds=["other:/data"])["/data"] == ("other", True)
    assert points("giver", Tmpfs={"/data": ""})["/host"] == (str(tmp_path), False)
    create(clean, {"Binds": ["second:/data"]}, "giver2")
    assert points("giver", "giver2")["/data"] == ("second", True)
    assert points("giver2", "giver")["/data"] == ("shared", True)
    assert run(clean, {"VolumesFrom": ["giver"]}, "cat", "/host/f") == "host\n"
    for text, said in (("nobody", "No such container: nobody"), ("", "volumes-from specification cannot be an empty string"),
                       ("giver:foo", "invalid mode: foo"), ("giver:rshared", "invalid mode: rshared"),
                       ("giver:ro:z", "invalid mode: ro:z"), (":ro", 'invalid name or ID supplied: ""')):
        assert message(create(clean, {"VolumesFrom": [text]})) == (400, said)
    assert anonymous in clean.out("volume", "ls", "-q").split()
    clean.docker("rm", "-v", "giver")
    assert anonymous not in clean.out("volume", "ls", "-q").split()


def test_tmpfs_of_both_kinds(clean):
    def line(host):
        return run(clean, host, "grep", " /x ", "/proc/mounts").split()[3].split(",")
    assert {"nosuid", "nodev", "size=65536k"} <= set(line({"Tmpfs": {"/x": "size=64m,mode=1777,exec"}}))
    assert "noexec" not in line({"Tmpfs": {"/x": "size=64m,exec"}})
    assert {"rw", "noexec", "nosuid", "nodev"} <= set(line(mount("tmpfs")))
    assert {"size=1024k", "mode=700"} <= set(line(mount("tmpfs", TmpfsOptions={"SizeBytes": 1 << 20, "Mode": 0o700, "Options": [["exec"]]})))
    assert line(mount("tmpfs", ReadOnly=True))[0] == "ro"
    assert run(clean, {**mount("volume", Source="below"), "Tmpfs": {"/x": ""}}, "grep", "-c", "tmpfs /x ", "/proc/mounts") == "1\n"
    assert start_error(clean, {"Tmpfs": {"/x": "foo=1"}}) == (500, 'invalid tmpfs option "foo"')


@pytest.fixture
def tree(tmp_path):
    """A directory with a mount below it."""
    (tmp_path / "below").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", tmp_path / "below"], check=True)
    (tmp_path / "below/f").write_text("x")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path / "below"], check=True)


def test_read_only_binds_are_so_all_the_way_down_unless_asked_otherwise(clean, tree):
    def tries(**options):
        return run(clean, mount("bind", Source=str(tree), ReadOnly=True, BindOptions=options), "sh", "-c",
                   "ls /x/below; touch /x/a 2>/dev/null && echo top; touch /x/below/a 2>/dev/null && echo deep; true").split()
    assert tries() == ["f"]
    assert tries(ReadOnlyForceRecursive=True) == ["f"]
    assert tries(NonRecursive=True) == []
    assert tries(ReadOnlyNonRecursive=True) == ["f", "deep"]
    both = mount("bind", Source=str(tree), ReadOnly=True, BindOptions={"ReadOnlyForceRecursive": True, "ReadOnlyNonRecursive": True})
    assert start_error(clean, both) == (500, "mount options conflict: ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive")
    force = mount("bind", Source=str(tree), BindOptions={"ReadOnlyForceRecursive": True})
    assert start_error(clean, force) == (500, "mount options conflict: !ReadOnly && BindOptions.ReadOnlyForceRecursive")


def test_propagation_is_what_was_asked_for_and_refused_where_the_host_has_none(clean, tmp_path):
    host = tmp_path / "p"
    host.mkdir()
    for mode, kind in (("rshared", "shared"), ("slave", "shared or slave")):
        assert start_error(clean, {"Binds": [f"{host}:/x:{mode}"]}) == (500, f"path {host} is mounted on / but it is not a {kind} mount")
    subprocess.run(["sh", "-c", f"mount --bind {host} {host} && mount --make-shared {host}"], check=True)
    try:
        for mode, seen in (("rslave", True), ("rprivate", False)):
            (host / "m").mkdir(exist_ok=True)
            clean.docker("run", "-d", "--init", "--name", "c1", "-v", f"{host}:/x:{mode}", "busybox", "sleep", "1000")
            subprocess.run(["mount", "-t", "tmpfs", "none", host / "m"], check=True)
            (host / "m/late").touch()
            assert ("late" in clean.out("exec", "c1", "ls", "/x/m")) == seen
            subprocess.run(["umount", host / "m"], check=True)
            assert clean.inspect("c1")["Mounts"][0]["Propagation"] == mode
            clean.docker("rm", "-f", "c1")
        clean.docker("run", "--name", "c1", "--privileged", "-v", f"{host}:/x:rshared", "busybox", "mount", "-t", "tmpfs", "n", "/x/m")
        assert any(l.split()[4] == str(host / "m") for l in open("/proc/self/mountinfo"))
        subprocess.run(["umount", host / "m"], check=True)
        clean.docker("rm", "c1")
    finally:
        subprocess.run(["umount", "-l", host], check=True)


def test_the_engines_own_directory_is_not_bound_privately(clean):
    text = ('invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon '
            'root, daemon root: "{0}", bind mount source: "{0}", propagation: "private"')
    assert message(create(clean, {"Binds": [f"{clean.data}:/x:private"]})) == (400, text.format(clean.data))
    assert "volumes" in run(clean, {"Binds": [f"{clean.data}:/x"]}, "ls", "/x").split()


REFUSED = [
    ({"Binds": ["v1:/x", "v2:/x"]}, 400, "Duplicate mount point: /x"),
    ({"Binds": ["v1:/x"], "Tmpfs": {"/x": ""}}, 400, "Duplicate mount point: /x"),
    ({"Mounts": [{"Type": "volume", "Source": "v1", "Target": "/x"}, {"Type": "volume", "Source": "v2", "Target": "/x/"}]},
     400, "Duplicate mount point: /x/"),
    ({"Binds": ["v1:/x:copy"]}, 500, "invalid mode: copy"),
    ({"Binds": ["/tmp:/x:ro,rw"]}, 500, "invalid mode: ro,rw"),
    ({"Binds": ["/x:ro"]}, 500, "invalid volume specification: '/x:ro'"),
    ({"Binds": ["a:/x"]}, 400, "create a: volume name is too short, names should be at least two alphanumeric characters"),
    ({"Binds": ["v1:/x:rshared"]}, 500, 'invalid volume specification: \'v1:/x:rshared\': invalid mount config for type "volume": '
                                        "field BindOptions must not be specified"),
    (mount("npipe"), 400, 'invalid mount config for type "npipe": mount type unknown'),
    (mount("bind", Source="/nope"), 400, 'invalid mount config for type "bind": bind source path does not exist: /nope'),
    (mount("bind", Source="/tmp", VolumeOptions={}), 400, 'VolumeOptions must not be specified on mount type "bind"'),
    (mount("tmpfs", ImageOptions={}), 400, 'invalid mount config for type "tmpfs": field ImageOptions must not be specified'),
    (mount("image"), 400, 'invalid mount config for type "image": field Source must not be empty'),
    (mount("image", Source="busybox", ImageOptions={"Subpath": "../x"}), 400,
     'invalid mount config for type "image": subpath must be a relative path within the volume'),
    (mount("volume", ReadOnly=True), 400, 'invalid mount config for type "volume": must not set ReadOnly mode when using anonymous volumes'),
]


@pytest.mark.parametrize("host, status, text", REFUSED, ids=[t[:40] for _, _, t in REFUSED])
def test_mounts_that_make_no_sense_are_refused_in_dockers_words(clean, host, status, text):
    assert message(create(clean, host)) == (status, text)


def test_compose_mounts_a_part_of_an_image(clean, tmp_path):
    (tmp_path / "compose.yaml").write_text("""name: im
services:
  a:
    image: busybox
    command: [ls, /tools]
    volumes:
      - {type: image, source: busybox, target: /tools, image: {subpath: bin}}
      - {type: volume, source: data, target: /d, volume: {subpath: .}}
volumes: {data: {}}
""")
    try:
        clean.ballast("apply", "-f", tmp_path / "compose.yaml", "--wait", check=False)
        wait_for("it ran", lambda: "busybox" in clean.docker("logs", "im-a-1", check=False).stdout.split())
        again = clean.ballast("plan", "-f", tmp_path / "compose.yaml").stdout
        assert "container" not in again.replace("containers", ""), again
    finally:
        clean.http("DELETE", "/ballast/apps/im")
        wait_for("the app is gone", lambda: "im" not in [a["name"] for a in clean.json("/ballast/apps")])


# ---------------------------------------------------------------------- network file systems

NETWORK = [("nfs", ":/export", "addr=localhost,rw,soft,nfsvers=4,nolock", "addr={},soft,nfsvers=4,nolock"),
           ("cifs", "//server/share", "addr=localhost,username=u,password=secret", "addr={},username=u,password=secret")]


@pytest.mark.parametrize("kind, device, options, data", NETWORK, ids=[n[0] for n in NETWORK])
def test_what_a_network_volume_asks_of_the_kernel(clean, tmp_path, kind, device, options, data):
    """The server is in the options by its number.  Seen by strace: this works without such a file system in the kernel."""
    strace = shutil.which("strace")
    if not strace:
        pytest.skip("peers: no strace here")
    ask(clean, "POST", "/volumes/create", {"Name": "net", "DriverOpts": {"type": kind, "device": device, "o": options}})
    create(clean, {"Binds": ["net:/x"]})
    trace = subprocess.Popen([strace, "-f", "-e", "trace=mount", "-s", "500", "-o", tmp_path / "trace", "-p", str(clean.process.pid)],
                             stderr=subprocess.PIPE, text=True)
    assert "attached" in trace.stderr.readline()
    clean.patience = 20
    status, said = ask(clean, "POST", "/containers/c1/start")
    trace.send_signal(signal.SIGINT)
    trace.wait()
    calls = [l for l in (tmp_path / "trace").read_text().splitlines() if f'"{device}"' in l]
    assert calls and f'"{kind}"' in calls[0], (status, said)
    assert any(f'"{data.format(number)}"' in calls[0] for number in ("127.0.0.1", "::1")), calls
    if status != 204 and kind == "cifs":
        assert "password=********" in said["message"] and "secret" not in said["message"]
    clean.docker("rm", "-f", "c1")


def serve_nfs(base):
    """nfs-ganesha in this network namespace, exporting base/export; None where it cannot be had."""
    ganesha = shutil.which("ganesha.nfsd")
    if not ganesha or "nfs4" not in open("/proc/filesystems").read():
        return None
    (base / "export").mkdir()
    (base / "ganesha.conf").write_text(f"""NFS_CORE_PARAM {{ Protocols = 4; NFS_Port = 20490; Enable_NLM = false; Enable_RQUOTA = false; }}
EXPORT {{ Export_Id = 1; Path = {base}/export; Pseudo = /export; Access_Type = RW; Squash = None; SecType = sys;
          FSAL {{ Name = VFS; }} }}
""")
    return subprocess.Popen([ganesha, "-F", "-f", base / "ganesha.conf", "-L", base / "ganesha.log", "-p", base / "ganesha.pid"])


def test_files_on_a_real_nfs_server_on_loopback(clean, tmp_path):
    server = serve_nfs(tmp_path)
    if server is None:
        pytest.skip("kernel: needs nfs4 in the kernel and nfs-ganesha")
    try:
        def up():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", 20490)) == 0
        wait_for("the server listens", up, 30)
        opts = {"type": "nfs4", "device": ":/export", "o": "addr=localhost,port=20490,soft"}
        ask(clean, "POST", "/volumes/create", {"Name": "net", "DriverOpts": opts})
        run(clean, {"Binds": ["net:/x"]}, "sh", "-c", "echo hello >/x/f")
        assert (tmp_path / "export/f").read_text() == "hello\n"
        clean.docker("volume", "rm", "net")
        assert (tmp_path / "export/f").exists()
    finally:
        server.kill()
        server.wait()
