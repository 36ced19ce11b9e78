"""What the engine's settings make of containers: defaults, CDI devices, and ids of their own."""
import json
import os

import pytest

import conftest


def end(agent):
    conftest.end_agent(agent)


@pytest.fixture(scope="module")
def agent(work, archive):
    base = work / "settings"
    (base / "cdi").mkdir(parents=True)
    (base / "cdi2").mkdir()
    (base / "shared").mkdir()
    (base / "shared" / "file").write_text("from the spec\n")
    (base / "profile.json").write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}))
    (base / "agent.yaml").write_text(json.dumps({
        "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 70, "Hard": 140}, "core": {"Soft": 0, "Hard": 0}},
        "default-ipc-mode": "shareable", "default-cgroupns-mode": "private", "seccomp-profile": str(base / "profile.json"),
        "host-gateway-ips": ["192.0.2.9"], "cdi-spec-dirs": [str(base / "cdi"), str(base / "cdi2")]}))
    (base / "cdi" / "v.json").write_text(json.dumps({
        "cdiVersion": "0.6.0", "kind": "v.example/thing",
        "containerEdits": {"env": ["THINGS=all"]},
        "devices": [
            {"name": "one", "containerEdits": {
                "env": ["THING=one"], "additionalGids": [4711],
                "deviceNodes": [{"path": "/dev/thing", "hostPath": "/dev/zero", "permissions": "r", "fileMode": 0o444, "uid": 5, "gid": 6}],
                "mounts": [{"hostPath": str(base / "shared"), "containerPath": "/thing", "options": ["ro", "nosuid", "rbind"]}]}},
            {"name": "hooked", "containerEdits": {"hooks": [{"hookName": "createContainer", "path": "/bin/true"}]}},
            {"name": "twice", "containerEdits": {"env": ["T=low"]}}]}))
    (base / "cdi2" / "w.yaml").write_text(
        "cdiVersion: 0.5.0\nkind: v.example/thing\ndevices:\n- name: twice\n  containerEdits:\n    env: [T=high]\n")
    (base / "cdi" / "broken.json").write_text('{"cdiVersion": "0.6.0", "kind": "nonsense"}')
    agent = conftest.make_agent(work, "settings", archive)
    yield agent
    end(agent)


def test_defaults_hold_for_who_says_nothing(clean):
    clean.docker("run", "-d", "--name", "df1", "--init", "--add-host", "gw:host-gateway", "--ulimit", "core=5", "busybox", "sleep", "1000")
    assert clean.out("exec", "df1", "sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -c").split()[:2] == ["70", "140"]
    limits = open(f"/proc/{clean.inspect('df1')['State']['Pid']}/limits").read()
    assert next(line for line in limits.splitlines() if line.startswith("Max core")).split()[4:6] == ["5", "5"]
    host = clean.inspect("df1")["HostConfig"]
    assert (host["IpcMode"], host["CgroupnsMode"]) == ("shareable", "private")
    assert os.readlink(f"/proc/{clean.inspect('df1')['State']['Pid']}/ns/cgroup") != os.readlink("/proc/self/ns/cgroup")
    assert "192.0.2.9\tgw" in clean.out("exec", "df1", "cat", "/etc/hosts")
    assert "not implemented" in clean.docker("exec", "df1", "mkdir", "/tmp/x", check=False).stderr
    clean.docker("run", "--rm", "--security-opt", "seccomp=builtin", "busybox", "mkdir", "/tmp/x")


def test_a_cdi_device_brings_what_its_spec_says(clean):
    clean.docker("run", "-d", "--name", "cd1", "--init", "--device", "v.example/thing=one", "--device", "v.example/thing=twice", "busybox",
                 "sleep", "1000")
    seen = clean.out("exec", "cd1", "sh", "-c", "echo $THING $THINGS $T; ls -ln /dev/thing; head -c 2 /dev/thing | wc -c; cat /thing/file; id -G")
    env, node, size, text, groups = seen.splitlines()
    assert env == "one all high" and size == "2" and text == "from the spec" and "4711" in groups.split()
    assert node.startswith("cr--r--r--") and node.split()[2:4] == ["5", "6"]
    mount = next(line for line in open(f"/proc/{clean.inspect('cd1')['State']['Pid']}/mountinfo") if " /thing " in line)
    assert {"ro", "nosuid"} <= set(mount.split()[5].split(","))
    assert clean.inspect("cd1")["HostConfig"]["DeviceRequests"][0]["Driver"] == "cdi"


def test_cdi_devices_that_cannot_be_had_are_refused(clean):
    for device, text in (("v.example/thing=none", "CDI device injection failed: unresolvable CDI devices v.example/thing=none"),
                         ("v.example/thing=hooked", "it wants hooks, which this engine does not have")):
        failed = clean.docker("run", "--rm", "--device", device, "busybox", "true", check=False)
        assert failed.returncode == 125 and text in failed.stderr


@pytest.fixture(scope="module")
def remapped(work, archive):
    base = work / "remapped"
    base.mkdir()
    (base / "ids").write_text("root:310000:65536\n")
    agent = conftest.Agent(base, "--userns-remap", "root")
    agent.prefix = ["unshare", "-m", "--propagation", "slave", "sh", "-c",
                    f'for f in /etc/subuid /etc/subgid; do [ -e $f ] || : >$f; mount --bind {base}/ids $f; done; exec "$@"', "sh"]
    agent.start()
    agent.docker("load", "-i", archive)
    yield agent
    agent.remove_everything()
    conftest.wait_for("nothing is left over", lambda: not conftest.leftovers(agent), 10)
    agent.stop()


def test_other_users_of_the_machine_do_not_get_to_what_is_in_images(work):
    agent = conftest.Agent(work / "closed")
    agent.data.mkdir(parents=True, exist_ok=True)
    agent.data.chmod(0o755)
    agent.start()
    assert os.stat(agent.data).st_mode & 0o777 == 0o710
    agent.stop()


def test_remapped_containers_have_ids_of_their_own(remapped):
    remapped.docker("run", "-d", "--name", "um1", "--init", "-v", "umv:/vol", "busybox", "sleep", "1000")
    seen = remapped.out("exec", "um1", "sh", "-c", "id -u; cat /proc/self/uid_map; touch /vol/a /root/b && stat -c %u /vol/a /root/b /etc/hosts")
    assert seen.split() == ["0", "0", "310000", "65536", "0", "0", "0"]
    pid = remapped.inspect("um1")["State"]["Pid"]
    assert os.stat(f"/proc/{pid}").st_uid == 310000
    data = remapped.data / "310000.310000"
    assert os.stat(data / "volumes/umv/_data/a").st_uid == 310000
    # Layers have programs that become the machine's root: only the containers' root gets there, by its group.
    assert (os.stat(data).st_mode & 0o777, os.stat(data).st_uid, os.stat(data).st_gid) == (0o710, 0, 310000)
    remapped.docker("run", "--rm", "--userns", "host", "busybox", "grep", "-q", "4294967295", "/proc/self/uid_map")


@pytest.mark.parametrize("option,text", [
    ("--privileged", "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running "
                     "privileged mode"),
    ("--network=host", "cannot share the host's network namespace when user namespaces are enabled"),
    ("--pid=host", "cannot share the host PID namespace when user namespaces are enabled")])
def test_what_belongs_to_the_machine_does_not_go_with_other_ids(remapped, option, text):
    failed = remapped.docker("create", option, "busybox", "true", check=False)
    assert text in failed.stderr
    remapped.docker("rm", remapped.out("create", option, "--userns=host", "busybox", "true"))
