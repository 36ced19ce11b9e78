"""Every field of a create body: it is set, and its effect is seen in the container or in the kernel; or it is refused.

A row is (fields, what the check is given, check).  Rows that do not disturb each other share a container.  The last
test holds the rows against the keys that inspect shows: a field without a row fails it.
"""
import json
import os
import pathlib

import pytest

import conftest

MB = 1 << 20
seen = set()  # the fields that a row has set


def fields_of(body):
    names = {k for k in body if k not in ("HostConfig", "NetworkingConfig")}
    return names | {f"HostConfig.{k}" for k in body.get("HostConfig", {})}


class Box:
    """A container made from a body, and questions to it."""

    def __init__(self, agent, name, body, start=True):
        self.agent, self.name = agent, name
        seen.update(fields_of(body))
        body = {"Image": "busybox", "Cmd": ["sleep", "1000"], **json.loads(json.dumps(body))}
        body.setdefault("HostConfig", {}).setdefault("Init", True)
        status, _, reply = agent.http("POST", f"/containers/create?name={name}", body)
        assert status == 201, reply
        self.warnings = json.loads(reply)["Warnings"]
        if start:
            status, _, reply = agent.http("POST", f"/containers/{name}/start")
            assert status == 204, reply

    def sh(self, command):
        return self.agent.docker("exec", self.name, "sh", "-c", command).stdout.strip()

    def status(self, key):
        """A line of the main process's /proc/PID/status, as the host sees it."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return line.split(":", 1)[1].strip()
        return None

    @property
    def pid(self):
        """The command: below init where there is one."""
        pid = self.inspect["State"]["Pid"]
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children and self.inspect["HostConfig"]["Init"] else pid

    @property
    def inspect(self):
        return self.agent.inspect(self.name)

    def cgroup(self, controller, file):
        for line in pathlib.Path(f"/proc/{self.inspect['State']['Pid']}/cgroup").read_text().splitlines():
            _, names, path = line.split(":", 2)
            if controller in names.split(","):
                return pathlib.Path(f"/sys/fs/cgroup/{names}{path}/{file}").read_text().strip()
        pytest.skip(f"no cgroup v1 controller {controller} here")

    def mount(self, target):
        """(options, file system, source, super options) of the mount at target inside."""
        for line in pathlib.Path(f"/proc/{self.inspect['State']['Pid']}/mountinfo").read_text().splitlines():
            left, _, right = line.partition(" - ")
            if left.split()[4] == target:
                kind, source, options = right.split(" ", 2)
                return left.split()[5] + " " + left.partition(" - ")[0].split(" ", 6)[-1], kind, source, options
        return None


def test_config(clean):
    box = Box(clean, "cf1", {
        "Hostname": "h1", "Domainname": "d.example", "User": "web:staff", "Env": ["A=1", "EMPTY="], "Labels": {"l": "1"},
        "WorkingDir": "/made/here", "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/vol": {}}, "Shell": ["/bin/ash"], "OnBuild": ["RUN x"],
        "ArgsEscaped": True, "StopSignal": "SIGUSR1", "StopTimeout": 3, "Image": "busybox",
        "Cmd": ["sh", "-c", "trap 'exit 7' USR1; while :; do sleep 0.1; done"]})
    assert box.sh("hostname") == "h1"
    assert "h1.d.example h1" in box.sh("cat /etc/hosts")
    assert box.sh("id -u; id -g").split() == ["1000", "50"]
    assert box.sh("echo $A; env | grep ^EMPTY=") == "1\nEMPTY="
    assert box.sh("pwd") == "/made/here"
    assert box.mount("/vol")
    config = box.inspect["Config"]
    assert config["Labels"]["l"] == "1" and config["ExposedPorts"] == {"80/tcp": {}} and config["Shell"] == ["/bin/ash"]
    clean.docker("stop", "cf1")
    assert box.inspect["State"]["ExitCode"] == 7
    entry = Box(clean, "cf2", {"Entrypoint": ["/bin/sh", "-c"], "Cmd": ["exec sleep 1000"]})
    assert entry.inspect["Path"] == "/bin/sh" and entry.inspect["Args"] == ["-c", "exec sleep 1000"]


def test_terminal_and_streams(clean):
    box = Box(clean, "tt1", {"Tty": True, "OpenStdin": True, "StdinOnce": False, "AttachStdin": True, "AttachStdout": True, "AttachStderr": True,
                             "Cmd": ["sh", "-c", "tty >/tmp/tty; stty size >/tmp/size; exec sleep 1000"], "HostConfig": {"ConsoleSize": [11, 22]}})
    conftest.wait_for("it has looked", lambda: box.sh("cat /tmp/size 2>/dev/null; true"))
    assert box.sh("cat /tmp/tty").startswith("/dev/pts/") or box.sh("cat /tmp/tty") == "/dev/console"
    assert box.sh("cat /tmp/size") == "11 22"


def test_health_and_network_disabled(clean):
    box = Box(clean, "hn1", {"Healthcheck": {"Test": ["CMD", "true"], "Interval": 100_000_000}, "NetworkDisabled": True})
    conftest.wait_for("it is healthy", lambda: box.inspect["State"]["Health"]["Status"] == "healthy")
    assert box.sh("ls /sys/class/net") == "lo"


def test_memory_and_processors(clean):
    box = Box(clean, "rs1", {"HostConfig": {
        "Memory": 64 * MB, "MemorySwap": 96 * MB, "MemoryReservation": 32 * MB, "MemorySwappiness": 10, "OomKillDisable": True, "CpuShares": 300,
        "CpuPeriod": 50000, "CpuQuota": 25000, "CpusetCpus": "0", "CpusetMems": "0", "PidsLimit": 55, "OomScoreAdj": 321, "ShmSize": 3 * MB,
        "CgroupParent": "/custom-parent", "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0}})
    assert box.cgroup("memory", "memory.limit_in_bytes") == str(64 * MB)
    assert box.cgroup("memory", "memory.memsw.limit_in_bytes") == str(96 * MB)
    assert box.cgroup("memory", "memory.soft_limit_in_bytes") == str(32 * MB)
    assert box.cgroup("memory", "memory.swappiness") == "10"
    assert "oom_kill_disable 1" in box.cgroup("memory", "memory.oom_control")
    assert box.cgroup("cpu", "cpu.shares") == "300"
    assert (box.cgroup("cpu", "cpu.cfs_period_us"), box.cgroup("cpu", "cpu.cfs_quota_us")) == ("50000", "25000")
    assert (box.cgroup("cpuset", "cpuset.cpus"), box.cgroup("cpuset", "cpuset.mems")) == ("0", "0")
    assert box.cgroup("pids", "pids.max") == "55"
    assert pathlib.Path(f"/proc/{box.pid}/oom_score_adj").read_text().strip() == "321"
    assert "size=3072k" in box.mount("/dev/shm")[3]
    assert "/custom-parent/" in pathlib.Path(f"/proc/{box.pid}/cgroup").read_text()
    half = Box(clean, "rs2", {"HostConfig": {"NanoCpus": 500_000_000}})
    assert box.cgroup("cpu", "cpu.cfs_quota_us") and half.cgroup("cpu", "cpu.cfs_quota_us") == "50000"


def test_block_devices(clean):
    disk = next((d for d in sorted(os.listdir("/sys/block")) if not d.startswith(("loop", "ram", "zram"))), None)
    if not disk:
        pytest.skip("this machine has no block device")
    path, number = f"/dev/{disk}", pathlib.Path(f"/sys/block/{disk}/dev").read_text().strip()
    box = Box(clean, "bd1", {"HostConfig": {
        "BlkioDeviceReadBps": [{"Path": path, "Rate": 900 * MB}], "BlkioDeviceWriteBps": [{"Path": path, "Rate": 800 * MB}],
        "BlkioDeviceReadIOps": [{"Path": path, "Rate": 70000}], "BlkioDeviceWriteIOps": [{"Path": path, "Rate": 60000}]}})
    for file, rate in (("read_bps", 900 * MB), ("write_bps", 800 * MB), ("read_iops", 70000), ("write_iops", 60000)):
        assert box.cgroup("blkio", f"blkio.throttle.{file}_device") == f"{number} {rate}"
    assert box.inspect["HostConfig"]["BlkioDeviceReadBps"] == [{"Path": path, "Rate": 900 * MB}]
    weights = Box(clean, "bd2", {"HostConfig": {"BlkioWeight": 300, "BlkioWeightDevice": [{"Path": path, "Weight": 300}]}})
    lost = [w for w in weights.warnings if "weight" in w.lower()]
    assert lost or weights.cgroup("blkio", "blkio.bfq.weight")


def test_devices(clean):
    box = Box(clean, "dv1", {"HostConfig": {
        "Devices": [{"PathOnHost": "/dev/zero", "PathInContainer": "/dev/nought", "CgroupPermissions": "r"}], "DeviceCgroupRules": ["c 10:229 rw"]}})
    assert box.sh("head -c 3 /dev/nought | wc -c") == "3"
    rules = box.cgroup("devices", "devices.list")
    assert "c 10:229 rw" in rules


GPU, CDI = {"Driver": "nvidia", "Count": 1, "Capabilities": [["gpu", "compute"], ["x"]]}, {"Driver": "cdi", "DeviceIDs": ["v.example/c=nope"]}


@pytest.mark.parametrize("request_,text", [
    ({"Capabilities": [["gpu"]], "Count": -1}, 'could not select device driver "" with capabilities: [[gpu]]'),
    (GPU, 'could not select device driver "nvidia" with capabilities: [[gpu compute] [x]]'),
    ({"Driver": "amd", "Count": 1}, 'could not select device driver "amd" with capabilities: []'),
    (CDI, "CDI device injection failed: unresolvable CDI devices v.example/c=nope"),
    ({**CDI, "Count": 1}, "unexpected count in CDI device request"),
    ({**CDI, "Options": {"a": "b"}}, "unexpected options in CDI device request")])
def test_device_requests_that_nobody_meets(clean, request_, text):
    Box(clean, "dr1", {"HostConfig": {"DeviceRequests": [request_]}}, start=False)
    status, _, body = clean.http("POST", "/containers/dr1/start")
    assert (status, json.loads(body)["message"]) == (500, text)
    shown = clean.inspect("dr1")["HostConfig"]["DeviceRequests"][0]
    assert {k: shown[k] for k in request_} == request_


def test_rights(clean):
    box = Box(clean, "ri1", {"HostConfig": {
        "CapAdd": ["NET_ADMIN"], "CapDrop": ["CHOWN", "CAP_MKNOD"], "SecurityOpt": ["no-new-privileges"], "GroupAdd": ["staff", "4321"],
        "ReadonlyRootfs": True, "Ulimits": [{"Name": "nofile", "Soft": 64, "Hard": 128}], "Sysctls": {"net.ipv4.ip_unprivileged_port_start": "77"},
        "Tmpfs": {"/scratch": "size=1m,mode=1770"}, "MaskedPaths": ["/proc/uptime"], "ReadonlyPaths": ["/proc/sys/net"]}})
    caps = int(box.status("CapBnd"), 16)
    assert caps >> 12 & 1 and not caps >> 0 & 1 and not caps >> 27 & 1
    assert box.status("NoNewPrivs") == "1" and box.status("Seccomp") == "2"
    assert {"50", "4321"} <= set(box.status("Groups").split())
    assert "Read-only file system" in clean.docker("exec", "ri1", "touch", "/x", check=False).stderr
    assert box.sh("ulimit -Sn; ulimit -Hn").split() == ["64", "128"]
    assert box.sh("cat /proc/sys/net/ipv4/ip_unprivileged_port_start") == "77"
    assert "size=1024k" in box.mount("/scratch")[3] and "mode=1770" in box.mount("/scratch")[3]
    assert box.sh("cat /proc/uptime") == "" and box.sh("cat /proc/kcore 2>/dev/null | head -c 1 | wc -c") in ("0", "1")
    assert box.mount("/proc/sys/net")[0].startswith("ro")
    free = Box(clean, "ri2", {"HostConfig": {"Privileged": True, "SecurityOpt": ["seccomp=unconfined"]}})
    assert int(free.status("CapEff"), 16) >> 21 & 1 and free.status("Seccomp") == "0"
    assert free.mount("/proc/sys/net") is None


def test_a_seccomp_profile_is_applied(clean):
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}
    box = Box(clean, "sc1", {"HostConfig": {"SecurityOpt": ["seccomp=" + json.dumps(profile)]}})
    assert "not implemented" in clean.docker("exec", "sc1", "mkdir", "/tmp/x", check=False).stderr
    assert box.status("Seccomp") == "2"
    builtin = Box(clean, "sc2", {"HostConfig": {"SecurityOpt": ["seccomp=builtin"]}})
    assert builtin.status("Seccomp") == "2"


def namespace(pid, kind):
    return os.readlink(f"/proc/{pid}/ns/{kind}")


def test_namespaces(clean):
    own = Box(clean, "ns1", {"HostConfig": {"IpcMode": "shareable", "CgroupnsMode": "private"}})
    for kind in ("pid", "net", "ipc", "uts", "mnt", "cgroup"):
        assert namespace(own.pid, kind) != namespace("self", kind), kind
    host = Box(clean, "ns2", {"HostConfig": {"PidMode": "host", "IpcMode": "host", "UTSMode": "host", "NetworkMode": "host", "CgroupnsMode": "host",
                                             "UsernsMode": "host", "Init": False}})
    for kind in ("pid", "net", "ipc", "uts", "cgroup", "user"):
        assert namespace(host.pid, kind) == namespace("self", kind), kind
    joined = Box(clean, "ns3", {"HostConfig": {"PidMode": "container:ns1", "IpcMode": "container:ns1", "NetworkMode": "container:ns1", "Init": False}})
    for kind in ("pid", "net", "ipc"):
        assert namespace(joined.pid, kind) == namespace(own.pid, kind), kind
    none = Box(clean, "ns4", {"HostConfig": {"IpcMode": "none", "NetworkMode": "none"}})
    assert none.mount("/dev/shm") is None and none.sh("ls /sys/class/net") == "lo"


def test_names_and_ports(clean):
    box = Box(clean, "np1", {"ExposedPorts": {"81/tcp": {}}, "HostConfig": {
        "Dns": ["192.0.2.53"], "DnsSearch": ["s.example"], "DnsOptions": ["ndots:2"], "ExtraHosts": ["other:192.0.2.7", "gw:host-gateway"],
        "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18321"}]}, "PublishAllPorts": True, "Links": []},
        "Cmd": ["httpd", "-f", "-p", "80"]})
    resolv = box.sh("cat /etc/resolv.conf")
    assert "nameserver 192.0.2.53" in resolv and "search s.example" in resolv and "options ndots:2" in resolv
    hosts = box.sh("cat /etc/hosts")
    assert "192.0.2.7\tother" in hosts and box.inspect["NetworkSettings"]["Gateway"] + "\tgw" in hosts
    assert clean.run("curl", "-s", "-o", "/dev/null", "http://127.0.0.1:18321/").returncode == 0
    assert box.inspect["NetworkSettings"]["Ports"]["81/tcp"][0]["HostPort"]
    linked = Box(clean, "np2", {"HostConfig": {"Links": ["np1:store"]}})
    assert "store" in linked.sh("cat /etc/hosts")


def test_endpoints(clean):
    clean.docker("network", "create", "--subnet", "10.83.0.0/24", "fn1")
    clean.docker("network", "create", "fn2")
    box = Box(clean, "en1", {"HostConfig": {"NetworkMode": "fn1"}, "NetworkingConfig": {"EndpointsConfig": {
        "fn1": {"IPAMConfig": {"IPv4Address": "10.83.0.50"}, "Aliases": ["al"], "MacAddress": "02:42:0a:53:00:32"}, "fn2": {}}}})
    addresses = box.sh("ip addr")
    assert "10.83.0.50/24" in addresses and "02:42:0a:53:00:32" in addresses and box.sh("ls /sys/class/net").split() == ["eth0", "eth1", "lo"]
    assert "al" in box.inspect["NetworkSettings"]["Networks"]["fn1"]["DNSNames"]
    old = Box(clean, "en2", {"MacAddress": "02:42:ac:11:00:99"})
    assert "02:42:ac:11:00:99" in old.sh("ip addr")


def test_what_endpoints_are_asked_for_beside_addresses(clean):
    box = Box(clean, "eo1", {"NetworkingConfig": {"EndpointsConfig": {"bridge": {"DriverOpts": {
        "com.docker.network.endpoint.ifname": "lan7",
        "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.neigh.IFNAME.gc_stale_time=77"}}}}})
    assert box.sh("ls /sys/class/net").split() == ["lan7", "lo"]
    assert box.sh("cat /proc/sys/net/ipv4/conf/lan7/log_martians /proc/sys/net/ipv4/neigh/lan7/gc_stale_time").split() == ["1", "77"]
    status, _, reply = clean.http("POST", "/v1.51/containers/create", {"Image": "busybox", "MacAddress": "02:42:ac:11:00:98"})
    assert status == 201 and json.loads(reply)["Warnings"] == [
        "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."]


def test_cgroups_can_be_made_writable(clean):
    box = Box(clean, "wc1", {"HostConfig": {"SecurityOpt": ["writable-cgroups=true"]}})
    assert box.mount("/sys/fs/cgroup/memory" if os.path.isdir("/sys/fs/cgroup/memory") else "/sys/fs/cgroup")[0].startswith("rw")
    usual = Box(clean, "wc2", {"HostConfig": {"SecurityOpt": ["writable-cgroups=false"]}})
    assert usual.mount("/sys/fs/cgroup/memory" if os.path.isdir("/sys/fs/cgroup/memory") else "/sys/fs/cgroup")[0].startswith("ro")


def test_storage(clean, work):
    (work / "bound").mkdir(exist_ok=True)
    (work / "bound" / "file").write_text("from the host\n")
    box = Box(clean, "st1", {"HostConfig": {"Binds": [f"{work}/bound:/bound:ro", "fv1:/named"], "VolumeDriver": "local", "Mounts": [
        {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": MB, "Mode": 0o750}},
        {"Type": "volume", "Source": "fv2", "Target": "/v", "ReadOnly": True},
        {"Type": "bind", "Source": f"{work}/bound", "Target": "/b2", "BindOptions": {"Propagation": "rprivate"}}]}})
    assert box.sh("cat /bound/file; cat /b2/file") == "from the host\nfrom the host"
    assert box.mount("/bound")[0].startswith("ro") and box.mount("/named")[0].startswith("rw") and box.mount("/v")[0].startswith("ro")
    assert "size=1024k" in box.mount("/t")[3]
    taker = Box(clean, "st2", {"HostConfig": {"VolumesFrom": ["st1:ro"]}})
    assert taker.mount("/named")[0].startswith("ro")
    failed, _, body = clean.http("POST", "/containers/create", {"Image": "busybox", "HostConfig": {"StorageOpt": {"size": "1G"}}})
    seen.add("HostConfig.StorageOpt")
    assert failed == 201 or "pquota" in json.loads(body)["message"]


def test_life(clean, work):
    box = Box(clean, "li1", {"Cmd": ["sh", "-c", "exit 3"], "HostConfig": {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}}})
    conftest.wait_for("it has been tried three times", lambda: box.inspect["RestartCount"] == 2 and box.inspect["State"]["Status"] == "exited")
    gone = Box(clean, "li2", {"HostConfig": {"AutoRemove": True}})
    clean.docker("kill", "li2")
    conftest.wait_for("it is gone", lambda: clean.docker("inspect", "li2", check=False).returncode != 0)
    assert gone.name
    init = Box(clean, "li3", {"HostConfig": {"Init": True, "Runtime": "runc", "Annotations": {"a.example": "b"}, "Isolation": "default",
                                             "ContainerIDFile": str(work / "cid"), "Cgroup": "", "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}}})
    assert init.sh("cat /proc/1/comm") != "sleep"
    config = json.loads((clean.exec / "containers" / init.inspect["Id"] / "config.json").read_text())
    assert config["annotations"]["a.example"] == "b"
    assert init.inspect["HostConfig"]["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "1m"}}


def test_modes_of_containers_that_do_not_run_or_do_not_share(clean):
    Box(clean, "off1", {}, start=False)
    on = Box(clean, "on1", {})
    off = clean.inspect("off1")["Id"]
    for host, status, text in (
            ({"NetworkMode": "container:off1"}, 409, "cannot join network namespace of a non running container: container off1 is created"),
            ({"IpcMode": "container:off1"}, 409, f"failed to join IPC namespace: container {off} is not running"),
            ({"PidMode": "container:off1"}, 500, f"failed to join PID namespace: container {off} is not running"),
            ({"IpcMode": "container:on1"}, 400, f"failed to join IPC namespace: container {on.inspect['Id']}: non-shareable IPC (hint: use "
                                                "IpcMode:shareable for the donor container)")):
        Box(clean, "jn1", {"HostConfig": host}, start=False)
        got, _, reply = clean.http("POST", "/containers/jn1/start")
        assert (got, json.loads(reply)["message"]) == (status, text)
        clean.docker("rm", "jn1")


# dockerd 28.5's words, read off it
REFUSED = [
    ({"HostConfig": {"IOMaximumIOps": 5}}, "invalid option: QoS maximum IOPs configuration is not supported on linux"),
    ({"HostConfig": {"IOMaximumBandwidth": 5}}, "invalid option: QoS maximum bandwidth configuration is not supported on linux"),
    ({"HostConfig": {"Isolation": "hyperv"}}, "invalid isolation (hyperv): linux only supports 'default'"),
    ({"HostConfig": {"Runtime": "nosuch"}}, "unknown or invalid runtime name: nosuch"),
    ({"HostConfig": {"NetworkMode": "container:nope"}}, "joining network namespace of container: No such container: nope"),
    ({"HostConfig": {"NetworkMode": "container:no1"}}, "cannot join own network namespace"),
    ({"HostConfig": {"PidMode": "container:nope"}}, "No such container: nope"),
    ({"HostConfig": {"IpcMode": "container:nope"}}, "No such container: nope"),
    ({"HostConfig": {"Devices": [{"PathOnHost": "/dev/nope", "PathInContainer": "/dev/x", "CgroupPermissions": "rwm"}]}},
     'error gathering device information while adding custom device "/dev/nope": no such file or directory'),
    ({"HostConfig": {"Devices": [{"PathOnHost": "/etc/passwd", "PathInContainer": "/dev/x", "CgroupPermissions": "rwm"}]}},
     'error gathering device information while adding custom device "/etc/passwd": not a device node'),
    ({"HostConfig": {"BlkioDeviceReadBps": [{"Path": "/dev/nope", "Rate": 1048576}]}}, "stat /dev/nope: no such file or directory"),
    ({"HostConfig": {"BlkioDeviceReadBps": [{"Path": "/dev/null", "Rate": -1}]}},
     "invalid JSON: json: cannot unmarshal number -1 into Go struct field .HostConfig.BlkioDeviceReadBps.0.Rate of type uint64"),
    ({"HostConfig": {"CpuRealtimeRuntime": 50000, "CpuRealtimePeriod": 10000}}, "cpu real-time runtime cannot be higher than cpu real-time period"),
    ({"HostConfig": {"SecurityOpt": ["no-new-privileges:maybe"]}}, 'invalid --security-opt 2: "no-new-privileges:maybe"'),
    ({"HostConfig": {"SecurityOpt": ["systempaths=unconfined"]}}, 'invalid --security-opt 2: "systempaths=unconfined"'),
    ({"HostConfig": {"SecurityOpt": ['seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","names":["b"]}]}']}},
     "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'"),
    ({"HostConfig": {"SecurityOpt": ['seccomp={"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"archMap":[{}]}']}},
     "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'"),
    ({"MacAddress": "02:42:ac:11:00:99", "NetworkingConfig": {"EndpointsConfig": {"bridge": {"MacAddress": "02:42:ac:11:00:98"}}}},
     "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty"),
    ({"NetworkingConfig": {"EndpointsConfig": {"bridge": {"DriverOpts": {"com.docker.network.endpoint.sysctls": "net.ipv4.conf.eth0.x=1"}}}}},
     "invalid config for network bridge: invalid endpoint settings:\nunrecognised network interface sysctl 'net.ipv4.conf.eth0.x=1'; represent "
     "'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'"),
]
# Windows, and what only inspect shows
KEPT = {"HostConfig.CpuCount", "HostConfig.CpuPercent", "HostConfig.KernelMemory", "HostConfig.KernelMemoryTCP"}


@pytest.mark.parametrize("body,text", REFUSED)
def test_what_is_refused(clean, body, text):
    seen.update(fields_of(body))
    status, _, reply = clean.http("POST", "/containers/create?name=no1", {"Image": "busybox", "Cmd": ["true"], **body})
    if status == 201:  # dockerd, too, finds out when it starts
        status, _, reply = clean.http("POST", "/containers/no1/start")
    assert status >= 400 and (text is None or json.loads(reply)["message"] == text)


def test_no_field_is_without_a_row(agent, request):
    if request.config.option.keyword:
        pytest.skip("only a part of the rows was run")
    agent.docker("create", "--name", "all", "busybox", "true")
    try:
        shown = agent.inspect("all")
    finally:
        agent.docker("rm", "all")
    wanted = set(shown["Config"]) | {f"HostConfig.{k}" for k in shown["HostConfig"]}
    assert wanted - seen - KEPT == set()
