"""The calls that are compared: one function per subject, each starting from an empty engine with the image busybox."""
import io
import json
import tarfile
import urllib.parse

SCENARIOS = {}
FOUR_MB = 4 << 20


def scenario(f):
    SCENARIOS[f.__name__] = f
    return f


def q(**filters):
    return urllib.parse.quote(json.dumps({k: v if isinstance(v, (list, dict)) else [v] for k, v in filters.items()}))


def tar_of(**files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(text), 1700000000
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


@scenario
def requests(s):
    s.get("/_ping", mode="text")
    s.call("HEAD", "/_ping", mode="text")
    s.get("/nothing/here")
    s.post("/containers/json")
    s.get("/v1.99/info")
    s.get("/v1.23/info")
    s.get("/v1.24/_ping", mode="text")
    s.call("OPTIONS", "/containers/json", mode="text")
    s.get("/version", mode="shape")
    s.get("/plugins")
    for path in ("/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs", "/swarm/unlockkey"):
        s.get(path)
    s.post("/swarm/update", {})
    s.post("/build/cancel")
    s.get("/containers/x/checkpoints")
    s.get("/system/df?type=foo")
    s.get("/events?since=10&until=5")
    s.get("/events?since=abc")
    s.get("/events?until=1&filters=" + q(nosuch="1"))
    s.get("/events?until=1&filters=notjson")
    s.get("/containers/json?filters=notjson")
    s.get("/containers/json?limit=abc")


@scenario
def create_refused(s):
    def no(label, body, query=""):
        s.post("/containers/create" + query, body, label="create: " + label)

    base = {"Image": "busybox", "Cmd": ["true"]}

    def host(label, **fields):
        no(label, {**base, "HostConfig": fields})

    no("empty object", {})
    no("no body", b"")
    no("not json", b"{nope")
    no("an array", b"[]")
    no("text after", b'{"Image":"busybox"} x')
    no("wrong type", {**base, "Env": "A=b"})
    no("wrong number", {**base, "HostConfig": {"Memory": "much"}})
    no("no image", {"Cmd": ["true"]})
    no("image that is not there", {"Image": "nosuch"})
    no("image reference", {"Image": "UPPER"})
    no("no command", {"Image": "busybox", "Cmd": [], "Entrypoint": [""]})
    no("name of one letter", base, "?name=a")
    no("name with a space", base, "?name=a%20b")
    no("name with a slash", base, "?name=a/b")
    no("platform", base, "?platform=nonsense/x/y/z")
    no("other platform", base, "?platform=linux/s390x")
    no("windows", base, "?platform=windows/amd64")
    no("hostname", {**base, "Hostname": "a_b c"})
    no("env without name", {**base, "Env": ["=x"]})
    no("working dir", {**base, "WorkingDir": "relative"})
    no("stop signal", {**base, "StopSignal": "SIGNOPE"})
    no("exposed port", {**base, "ExposedPorts": {"x/tcp": {}}})
    no("exposed protocol", {**base, "ExposedPorts": {"80/icmp": {}}})
    no("health interval", {**base, "Healthcheck": {"Test": ["CMD", "x"], "Interval": 1000}})
    no("health timeout", {**base, "Healthcheck": {"Test": ["CMD", "x"], "Timeout": -1}})
    no("health retries", {**base, "Healthcheck": {"Test": ["CMD", "x"], "Retries": -1}})
    no("health start period", {**base, "Healthcheck": {"Test": ["CMD", "x"], "StartPeriod": 10}})
    host("memory too small", Memory=FOUR_MB)
    host("swap below memory", Memory=64 << 20, MemorySwap=32 << 20)
    host("swap alone", MemorySwap=64 << 20)
    host("reservation above memory", Memory=64 << 20, MemoryReservation=128 << 20)
    host("reservation too small", MemoryReservation=1 << 20)
    host("swappiness", MemorySwappiness=101)
    host("cpus", NanoCpus=10 ** 12)
    host("cpus and quota", NanoCpus=10 ** 9, CpuQuota=50000)
    host("cpus and period", NanoCpus=10 ** 9, CpuPeriod=50000)
    host("cpu period", CpuPeriod=10)
    host("cpu quota", CpuQuota=10)
    host("cpuset", CpusetCpus="0-99")
    host("cpuset text", CpusetCpus="zero")
    host("cpuset memory", CpusetMems="77")
    host("cpu shares", CpuShares=-1)
    host("blkio weight", BlkioWeight=5)
    host("blkio device", BlkioWeightDevice=[{"Path": "/dev/null", "Weight": 5}])
    host("io maximum", IOMaximumIOps=5)
    host("rt runtime", CpuRealtimePeriod=1000, CpuRealtimeRuntime=2000)
    host("restart policy", RestartPolicy={"Name": "sometimes"})
    host("restart count", RestartPolicy={"Name": "always", "MaximumRetryCount": 3})
    host("negative restart count", RestartPolicy={"Name": "on-failure", "MaximumRetryCount": -3})
    host("rm and restart", AutoRemove=True, RestartPolicy={"Name": "always"})
    host("binding", PortBindings={"80/tcp": [{"HostPort": "x"}]})
    host("binding too high", PortBindings={"80/tcp": [{"HostPort": "70000"}]})
    host("bound protocol", PortBindings={"80/foo": [{"HostPort": "1"}]})
    host("container port too high", PortBindings={"70000/tcp": [{"HostPort": "1"}]})
    host("bind relative target", Binds=["/tmp:rel"])
    host("bind to the root", Binds=["/tmp:/"])
    host("bind mode", Binds=["/tmp:/x:nonsense"])
    host("bind with four parts", Binds=["/a:/b:ro:x"])
    host("volume name", Binds=["a$b:/x"])
    host("mount without target", Mounts=[{"Type": "volume", "Source": "v"}])
    host("mount of unknown type", Mounts=[{"Type": "odd", "Target": "/x"}])
    host("bind source missing", Mounts=[{"Type": "bind", "Source": "/nosuch/dir", "Target": "/x"}])
    host("bind source relative", Mounts=[{"Type": "bind", "Source": "rel", "Target": "/x"}])
    host("bind without source", Mounts=[{"Type": "bind", "Target": "/x"}])
    host("tmpfs with source", Mounts=[{"Type": "tmpfs", "Source": "/a", "Target": "/x"}])
    host("options of another type", Mounts=[{"Type": "volume", "Source": "v", "Target": "/x", "TmpfsOptions": {"SizeBytes": 5}}])
    host("same target twice", Mounts=[{"Type": "tmpfs", "Target": "/x"}, {"Type": "tmpfs", "Target": "/x"}])
    host("propagation", Mounts=[{"Type": "bind", "Source": "/tmp", "Target": "/x", "BindOptions": {"Propagation": "odd"}}])
    host("subpath that leaves", Mounts=[{"Type": "volume", "Source": "v", "Target": "/x", "VolumeOptions": {"Subpath": "../x"}}])
    host("tmpfs options", Tmpfs={"/x": "nonsense"})
    host("tmpfs target", Tmpfs={"rel": ""})
    host("network mode of a container", NetworkMode="container:")
    host("network of no container", NetworkMode="container:nope")
    host("hostname with the host's network", NetworkMode="container:nope", Dns=["1.1.1.1"])
    host("ports with the host's network", NetworkMode="host", PublishAllPorts=True)
    host("links with the host's network", NetworkMode="host", Links=["a:b"])
    host("ipc mode", IpcMode="odd")
    host("ipc of no container", IpcMode="container:nope")
    host("pid mode", PidMode="odd")
    host("pid of no container", PidMode="container:nope")
    host("uts mode", UTSMode="odd")
    host("userns mode", UsernsMode="odd")
    host("cgroup namespace", CgroupnsMode="odd")
    host("runtime", Runtime="nosuch")
    host("isolation", Isolation="hyperv")
    host("log driver", LogConfig={"Type": "nosuch"})
    host("log option", LogConfig={"Type": "json-file", "Config": {"nosuch": "1"}})
    host("log size", LogConfig={"Type": "json-file", "Config": {"max-size": "x"}})
    host("log files", LogConfig={"Type": "json-file", "Config": {"max-file": "0"}})
    host("log mode", LogConfig={"Type": "json-file", "Config": {"mode": "odd"}})
    host("local log option", LogConfig={"Type": "local", "Config": {"nosuch": "1"}})
    host("syslog address", LogConfig={"Type": "syslog", "Config": {"syslog-address": "odd://x"}})
    host("syslog facility", LogConfig={"Type": "syslog", "Config": {"syslog-facility": "odd"}})
    host("gelf without address", LogConfig={"Type": "gelf"})
    host("fluentd address", LogConfig={"Type": "fluentd", "Config": {"fluentd-address": "odd://x"}})
    host("splunk without token", LogConfig={"Type": "splunk"})
    host("awslogs without group", LogConfig={"Type": "awslogs"})
    host("dns", Dns=["not-an-address"])
    host("extra host", ExtraHosts=["noip"])
    host("extra host address", ExtraHosts=["a:b:c"])
    host("links", Links=["nope:alias"])
    host("volumes from", VolumesFrom=["nope"])
    host("volumes from mode", VolumesFrom=["nope:odd"])
    host("security option", SecurityOpt=["odd"])
    host("security value", SecurityOpt=["odd=1"])
    host("system paths", SecurityOpt=["systempaths=unconfined"])
    host("seccomp", SecurityOpt=["seccomp={"])
    host("no new privileges", SecurityOpt=["no-new-privileges=maybe"])
    host("capability", CapAdd=["NOPE"])
    host("dropped capability", CapDrop=["CAP_NOPE"])
    host("oom score", OomScoreAdj=2000)
    host("shm size", ShmSize=-1)
    host("sysctl", Sysctls={"kernel.shmmax": "1"}, IpcMode="host")
    host("sysctl of the network", Sysctls={"net.ipv4.ip_forward": "1"}, NetworkMode="host")
    host("ulimit", Ulimits=[{"Name": "nosuch", "Soft": 1, "Hard": 1}])
    host("ulimit order", Ulimits=[{"Name": "nofile", "Soft": 5, "Hard": 1}])
    host("device rule", DeviceCgroupRules=["odd"])
    host("device request", DeviceRequests=[{"Driver": "nosuch", "Count": 1, "Capabilities": [["gpu"]]}])
    host("device count and ids", DeviceRequests=[{"Count": 1, "DeviceIDs": ["0"], "Capabilities": [["gpu"]]}])
    host("storage option", StorageOpt={"nosuch": "1"})
    host("annotation", Annotations={"": "x"})
    host("privileged and remapped", Privileged=True, UsernsMode="private")
    for label, ends in (("unknown network", {"nonet": {}}), ("address on the default network",
                        {"bridge": {"IPAMConfig": {"IPv4Address": "172.17.0.77"}}}),
                        ("bad address", {"bridge": {"IPAMConfig": {"IPv4Address": "1.2.3"}}}),
                        ("bad mac", {"bridge": {"MacAddress": "zz"}})):
        no(label, {**base, "NetworkingConfig": {"EndpointsConfig": ends}})
    s.get("/volumes")


VARIANTS = {
    "plain": {},
    "config": {"Hostname": "h1", "Domainname": "d.example", "User": "web", "Env": ["A=1", "B"], "Labels": {"l": "1"},
               "WorkingDir": "/tmp", "StopSignal": "SIGINT", "StopTimeout": 3, "Tty": True, "OpenStdin": True, "StdinOnce": True,
               "AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "ExposedPorts": {"80/tcp": {}, "53/udp": {}}},
    "entrypoint": {"Entrypoint": ["/bin/sh", "-c"], "Cmd": ["true"], "Shell": ["/bin/sh"]},
    "command_text": {"Entrypoint": "/bin/sh", "Cmd": "true"},
    "health": {"Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 10 ** 9, "Retries": 2}},
    "volumes": {"Volumes": {"/vol": {}}, "HostConfig": {"Binds": ["/tmp:/bind:ro", "named:/named"],
                "Tmpfs": {"/tmpfs": "size=1m"}}},
    "mounts": {"HostConfig": {"Mounts": [
        {"Type": "bind", "Source": "/tmp", "Target": "/b", "ReadOnly": True, "BindOptions": {"Propagation": "rslave"}},
        {"Type": "volume", "Source": "mv", "Target": "/v", "VolumeOptions": {"NoCopy": True, "Labels": {"a": "b"}}},
        {"Type": "volume", "Target": "/anon"},
        {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o700}}]}},
    "resources": {"HostConfig": {"Memory": 64 << 20, "MemoryReservation": 32 << 20, "CpuShares": 512, "CpuPeriod": 100000,
                  "CpuQuota": 50000, "CpusetCpus": "0", "PidsLimit": 100, "Ulimits": [{"Name": "nofile", "Soft": 64, "Hard": 128}],
                  "OomScoreAdj": 100, "ShmSize": 1 << 20, "BlkioWeight": 0}},
    "cpus": {"HostConfig": {"NanoCpus": 500_000_000}},
    "security": {"HostConfig": {"CapAdd": ["NET_ADMIN"], "CapDrop": ["MKNOD"], "SecurityOpt": ["no-new-privileges", "seccomp=unconfined"],
                 "ReadonlyRootfs": True, "MaskedPaths": [], "ReadonlyPaths": ["/proc/sys"], "GroupAdd": ["staff"]}},
    "privileged": {"HostConfig": {"Privileged": True}},
    "modes": {"HostConfig": {"IpcMode": "shareable", "PidMode": "host", "UTSMode": "host", "CgroupnsMode": "host", "NetworkMode": "none"}},
    "host_network": {"HostConfig": {"NetworkMode": "host"}},
    "ports": {"ExposedPorts": {"81/tcp": {}}, "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}],
              "82/udp": None, "83/tcp": []}}},
    "names": {"HostConfig": {"Dns": ["10.0.0.1"], "DnsSearch": ["s.example"], "DnsOptions": ["ndots:2"], "ExtraHosts": ["a:10.1.1.1"]}},
    "logs": {"HostConfig": {"LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2", "labels": "l"}}}},
    "local_logs": {"HostConfig": {"LogConfig": {"Type": "local", "Config": {"max-size": "1m"}}}},
    "no_logs": {"HostConfig": {"LogConfig": {"Type": "none", "Config": {}}}},
    "restart": {"HostConfig": {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 4}}},
    "devices": {"HostConfig": {"Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}],
                "DeviceCgroupRules": ["c 1:3 rwm"]}},
    "misc": {"HostConfig": {"Init": True, "Sysctls": {"net.ipv4.ip_forward": "1"}, "Annotations": {"a": "b"}, "ConsoleSize": [10, 20],
             "ContainerIDFile": "/tmp/x", "VolumeDriver": "local", "Isolation": "default", "OomKillDisable": False}},
    "mac": {"NetworkingConfig": {"EndpointsConfig": {"bridge": {"MacAddress": "02:42:ac:11:00:77"}}}},
}


@scenario
def inspect_created(s):
    for name, body in VARIANTS.items():
        s.make(name, **json.loads(json.dumps(body)))
        s.get(f"/containers/{name}/json")
        s.delete(f"/containers/{name}?v=1")
    s.get("/volumes")


@scenario
def inspect_running(s):
    for name in ("plain", "config", "volumes", "resources", "privileged", "modes", "host_network", "names", "mac"):
        s.make(name, start=True, **json.loads(json.dumps({**VARIANTS[name], "StopSignal": "KILL"})))
        s.get(f"/containers/{name}/json")
        s.delete(f"/containers/{name}?v=1&force=1")


@scenario
def inspect_versions(s):
    s.make("vv", start=True)
    for version in ("1.24", "1.30", "1.40", "1.43", "1.44", "1.46", "1.47", "1.48", "1.51"):
        s.get(f"/v{version}/containers/vv/json")
        s.get(f"/v{version}/containers/json")
    s.delete("/containers/vv?force=1")
    s.make("vv", HostConfig={"AutoRemove": False})
    s.get("/containers/vv/json?size=1", label="inspect with size")
    s.get("/containers/json?all=1&size=1", label="list with size")


@scenario
def life(s):
    s.make("aa", Labels={"k": "v"})
    s.post("/containers/create?name=aa", {"Image": "busybox"})
    s.post("/containers/aa/stop")
    s.post("/containers/aa/kill")
    s.post("/containers/aa/pause")
    s.post("/containers/aa/unpause")
    s.get("/containers/aa/top")
    s.post("/containers/aa/resize?h=1&w=1")
    s.post("/containers/aa/resize")
    s.post("/containers/aa/resize?h=x&w=1")
    s.get("/containers/aa/stats?stream=0&one-shot=1", mode="shape")
    s.post("/containers/aa/exec", {"Cmd": ["true"]})
    s.post("/containers/aa/start")
    s.post("/containers/aa/start")
    s.delete("/containers/aa")
    s.post("/containers/aa/kill?signal=NOPE")
    s.post("/containers/aa/kill?signal=0")
    s.post("/containers/aa/kill?signal=CONT")
    s.post("/containers/aa/pause")
    s.post("/containers/aa/pause")
    s.post("/containers/aa/exec", {"Cmd": ["true"]})
    s.post("/containers/aa/restart?t=0", label="restart of a paused one")
    s.post("/containers/aa/pause")
    s.post("/containers/aa/unpause")
    s.post("/containers/aa/unpause")
    s.get("/containers/aa/top", mode="shape")
    s.get("/containers/aa/top?ps_args=-o%20pid,comm", mode="shape")
    s.get("/containers/aa/top?ps_args=-o%20comm")
    s.get("/containers/aa/top?ps_args=--nosuch", mode="status")
    s.post("/containers/aa/stop?t=x")
    s.post("/containers/aa/stop?signal=NOPE")
    s.post("/containers/aa/stop?t=0")
    s.post("/containers/aa/stop?t=0")
    s.get("/containers/aa/json", label="inspect after stop")
    s.post("/containers/aa/wait?condition=zz")
    s.post("/containers/aa/wait")
    s.post("/containers/aa/rename")
    s.post("/containers/aa/rename?name=aa")
    s.post("/containers/aa/rename?name=%24")
    s.make("bb")
    s.post("/containers/aa/rename?name=bb")
    s.post("/containers/aa/rename?name=cc")
    s.get("/containers/cc/json", label="inspect after rename")
    s.get("/containers/aa/json")
    s.post("/containers/cc/restart?t=0")
    s.delete("/containers/cc?force=1")
    s.delete("/containers/cc")
    s.delete("/containers/bb?link=1")
    for verb in ("start", "stop", "kill", "restart", "pause", "unpause", "wait", "rename?name=x1", "resize?h=1&w=1", "update", "exec", "attach"):
        body = {} if verb == "update" else {"Cmd": ["x"]} if verb == "exec" else None
        s.post(f"/containers/nope/{verb}", body)
    for verb in ("json", "top", "logs?stdout=1", "stats?stream=0", "changes", "export", "archive?path=/"):
        s.get(f"/containers/nope/{verb}")


@scenario
def start_fails(s):
    for name, command in (("nocmd", ["/nope"]), ("noexec", ["/etc/noexec"]), ("dir", ["/etc"]), ("path", ["nosuchcommand"])):
        s.make(name, Cmd=command)
        s.post(f"/containers/{name}/start")
        s.get(f"/containers/{name}/json")
        s.delete(f"/containers/{name}")
    for name, more in (("user", {"User": "nouser"}), ("group", {"User": "0:nogroup1"}), ("cwd", {"WorkingDir": "/etc/passwd"}),
                       ("port", {"HostConfig": {"PortBindings": {"1/tcp": [{"HostIp": "203.0.113.9", "HostPort": "81"}]}}}),
                       ("device", {"HostConfig": {"Devices": [{"PathOnHost": "/dev/nosuch", "PathInContainer": "/dev/x",
                                                               "CgroupPermissions": "rwm"}]}}),
                       ("sysctl", {"HostConfig": {"Sysctls": {"nosuch.thing": "1"}}})):
        if s.post(f"/containers/create?name=f-{name}", {"Image": "busybox", "Cmd": ["true"], **more}).status == 201:
            s.post(f"/containers/f-{name}/start")
            s.delete(f"/containers/f-{name}?force=1")


@scenario
def exits(s):
    for name, command in (("zero", "exit 0"), ("three", "exit 3"), ("killed", "kill -9 $$"), ("high", "exit 255")):
        s.make(name, Cmd=["sh", "-c", command])
        s.post(f"/containers/{name}/start")
        s.post(f"/containers/{name}/wait")
        s.get(f"/containers/{name}/json")
    s.get("/containers/json")
    s.get("/containers/json?all=1")
    s.get("/containers/json?all=1&limit=2")
    s.get("/containers/json?filters=" + q(exited="3"))
    s.get("/containers/json?filters=" + q(exited="x"))
    s.make("auto", Cmd=["true"], HostConfig={"AutoRemove": True})
    s.quiet("POST", "/containers/auto/start")


@scenario
def lists(s):
    s.make("one", start=True, Labels={"a": "1", "b": "x"}, HostConfig={"Binds": ["lv:/lv"]}, ExposedPorts={"80/tcp": {}})
    s.make("two", Labels={"a": "2"})
    s.make("three", start=True, HostConfig={"NetworkMode": "none"})
    s.quiet("POST", "/containers/three/pause")
    for filters in (q(name="one"), q(name="^/t"), q(name="["), q(label="a"), q(label="a=1"), q(label=["a=1", "b"]), q(status="created"),
                    q(status="paused"), q(status=["running", "paused"]), q(status="odd"), q(health="none"), q(health="odd"),
                    q(ancestor="busybox"), q(ancestor="busybox:latest"), q(ancestor="nosuch"), q(before="three"), q(since="one"),
                    q(before="nope"), q(since="nope"), q(volume="lv"), q(volume="/lv"), q(network="bridge"), q(network="none"),
                    q(network="nope"), q(expose="80"), q(expose="80/tcp"), q(publish="80"), q(isolation="default"),
                    q(nosuch="1"), q(**{"is-task": "false"}), q(**{"is-task": "odd"}), q(label={"a": True}), q(id="zz"),
                    q(exited="0"), q(removing="x")):
        s.get("/containers/json?all=1&filters=" + filters, label="list " + urllib.parse.unquote(filters))
    s.get("/containers/json?limit=1")
    s.get("/containers/json?limit=-1")
    s.get("/containers/json?size=true&filters=" + q(name="two"), label="list size")


@scenario
def execs(s):
    s.make("ex", start=True, Env=["IMG=1"])
    s.post("/containers/ex/exec", {})
    s.post("/containers/ex/exec", {"Cmd": []})
    s.post("/containers/ex/exec", {"Cmd": ["true"], "User": "nouser"})
    s.post("/containers/ex/exec", {"Cmd": ["true"], "Env": ["=x"]})
    s.post("/containers/ex/exec", {"Cmd": ["true"], "DetachKeys": "odd,,"})
    s.post("/containers/ex/exec", b"")
    s.get("/exec/nope/json")
    s.post("/exec/nope/start", {"Detach": True})
    s.post("/exec/nope/resize?h=1&w=1")
    for label, body in (("plain", {"Cmd": ["sh", "-c", "echo out; sleep 0.1; echo err >&2; exit 5"], "AttachStdout": True, "AttachStderr": True}),
                        ("user", {"Cmd": ["id"], "User": "web", "AttachStdout": True}),
                        ("user and group", {"Cmd": ["id"], "User": "1234:staff", "AttachStdout": True}),
                        ("directory", {"Cmd": ["pwd"], "WorkingDir": "/tmp", "AttachStdout": True}),
                        ("environment", {"Cmd": ["sh", "-c", "echo $IMG $X"], "Env": ["X=2"], "AttachStdout": True}),
                        ("privileged", {"Cmd": ["grep", "CapEff", "/proc/self/status"], "Privileged": True, "AttachStdout": True}),
                        ("no command there", {"Cmd": ["/nope"], "AttachStdout": True}),
                        ("not executable", {"Cmd": ["/etc"], "AttachStdout": True}),
                        ("terminal", {"Cmd": ["tty"], "Tty": True, "AttachStdout": True, "AttachStdin": True})):
        x = s.post("/containers/ex/exec", body, label=f"exec create {label}").id
        s.get(f"/exec/{x}/json", label=f"exec inspect {label}")
        s.post(f"/exec/{x}/start", {"Detach": False, "Tty": body.get("Tty", False)}, mode="text", label=f"exec start {label}")
        s.get(f"/exec/{x}/json", label=f"exec inspect after {label}")
        s.post(f"/exec/{x}/start", {"Detach": False}, label=f"exec start again {label}")
    x = s.post("/containers/ex/exec", {"Cmd": ["sleep", "100"]}, label="exec create detached").id
    s.post(f"/exec/{x}/start", {"Detach": True}, label="exec start detached")
    s.post(f"/exec/{x}/resize?h=1", label="exec resize without width")
    s.post(f"/exec/{x}/resize?h=5&w=5", label="exec resize")
    s.get(f"/exec/{x}/json", label="exec inspect running")
    s.get("/containers/ex/json", label="inspect with an exec")
    s.quiet("POST", "/containers/ex/pause")
    s.post(f"/exec/{x}/start", {"Detach": True}, label="exec start of paused")
    s.quiet("POST", "/containers/ex/unpause")
    s.delete("/containers/ex?force=1")
    s.get(f"/exec/{x}/json", label="exec inspect when all is gone")


@scenario
def logs(s):
    s.make("lg", Cmd=["sh", "-c", "for i in 1 2 3; do echo out $i; sleep 0.05; echo err $i >&2; sleep 0.05; done; printf tail"], Labels={"l": "1"},
           Env=["E=2"], HostConfig={"LogConfig": {"Type": "json-file", "Config": {"labels": "l", "env": "E"}}})
    s.get("/containers/lg/logs?stdout=1", mode="text", label="logs before start")
    s.post("/containers/lg/start")
    s.ended("lg")
    for query in ("", "stdout=1", "stderr=1", "stdout=1&stderr=1", "stdout=1&tail=2", "stdout=1&tail=0", "stdout=1&tail=all",
                  "stdout=1&tail=x", "stdout=1&tail=-1", "stdout=1&since=4000000000", "stdout=1&until=10", "stdout=1&since=x",
                  "stdout=1&until=x", "stdout=1&timestamps=1", "stdout=1&details=1", "stdout=1&details=1&timestamps=1", "stdout=1&follow=1",
                  "stdout=1&since=2001-01-01T00:00:00Z", "stdout=0"):
        s.get("/containers/lg/logs?" + query, mode="text")
    s.make("tt", Cmd=["sh", "-c", "echo a; echo b >&2"], Tty=True)
    s.post("/containers/tt/start")
    s.ended("tt")
    s.get("/containers/tt/logs?stdout=1&stderr=1", mode="text")
    for kind in ("none", "local"):
        s.make("x" + kind, Cmd=["echo", "hello"], HostConfig={"LogConfig": {"Type": kind}})
        s.post(f"/containers/x{kind}/start")
        s.ended("x" + kind)
        s.get(f"/containers/x{kind}/logs?stdout=1", mode="text")


@scenario
def files(s):
    s.make("ff", HostConfig={"Binds": ["fv:/vol", "fr:/volro:ro"]})
    at = "/containers/ff/archive"
    for path in ("", "?path=", "?path=/nope", "?path=/etc/passwd/x"):
        s.call("HEAD", at + path, mode="status")
        s.get(at + path)
    for path in ("/etc/passwd", "/etc", "/etc/", "/etc/.", "/bin/ls", "etc/passwd", "/data/../etc/passwd", "/vol", "/"):
        head = s.call("HEAD", f"{at}?path={path}", mode="status")
        stat(s, head)
    for path in ("/etc/passwd", "/data", "/data/.", "/bin/ls"):
        got = s.get(f"{at}?path={path}", mode="status")
        listing(s, got)
    put = {"Content-Type": "application/x-tar"}
    for path, more in (("/tmp", ""), ("/nope", ""), ("/etc/passwd", ""), ("/vol", ""), ("/volro", ""), ("/bin/ls", ""), ("", ""),
                       ("/tmp", "&noOverwriteDirNonDir=1"), ("/tmp", "&copyUIDGID=1")):
        s.call("PUT", f"{at}?path={path}{more}", tar_of(new="hello\n"), put)
    s.call("PUT", f"{at}?path=/", tar_of(etc="a file over a directory"), put, label="put a file over a directory")
    s.call("PUT", f"{at}?path=/&noOverwriteDirNonDir=1", tar_of(data="x"), put, label="put a file over a directory, refused")
    s.call("PUT", f"{at}?path=/tmp", b"not a tar", put, label="put what is no tar")
    changed = s.get("/containers/ff/changes", mode="status")
    note(s, "the changes of what never ran", sorted((c["Path"], c["Kind"]) for c in changed.json))
    s.make("nn")
    s.get("/containers/nn/changes")
    s.make("rr", HostConfig={"ReadonlyRootfs": True})
    s.call("PUT", "/containers/rr/archive?path=/tmp", tar_of(x="1"), put)
    s.make("ch", Cmd=["sh", "-c", "rm /etc/noexec; echo x >/etc/new; mkdir -p /a/b; touch /a/b/c; chmod 700 /data; rm -r /home/web"])
    s.post("/containers/ch/start")
    s.ended("ch")
    changed = s.get("/containers/ch/changes", mode="status")
    note(s, "the changes", sorted((c["Path"], c["Kind"]) for c in changed.json))
    exported = s.get("/containers/ch/export", mode="status")
    # dockerd has empty files in every container where it mounts its own
    listing(s, exported, without=("etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", "dev/console", "dev/pts", "dev/shm"))


def note(s, label, value):
    """What was worked out from a reply, compared as if it were one."""
    from differential import Reply
    s.replies.append(Reply(label, 0, {}, json.dumps(value, default=str).encode(), "json"))


def stat(s, head):
    import base64
    text = head.headers.get("x-docker-container-path-stat", "")
    value = json.loads(base64.b64decode(text)) if text else {}
    if value.get("mtime", "").startswith("20"):
        value["mtime"] = "<time>"
    if value.get("mode", 0) & (1 << 31):
        value.pop("size", None)  # a directory's size is the file system's
    note(s, "stat of " + head.label, value)


def listing(s, got, without=()):
    with tarfile.open(fileobj=io.BytesIO(got.body)) as tar:
        rows = sorted((m.name, m.type.decode(), m.mode, m.uid, m.gid, m.size, m.linkname) for m in tar if m.name not in without)
    note(s, "names in " + got.label, rows)


@scenario
def updates(s):
    s.make("up", start=True, HostConfig={"Memory": 64 << 20})
    for body in ({}, {"Memory": FOUR_MB}, {"Memory": 128 << 20}, {"Memory": 128 << 20, "MemorySwap": 256 << 20}, {"CpuShares": 256},
                 {"CpusetCpus": "99"}, {"NanoCpus": 500_000_000}, {"PidsLimit": 50}, {"RestartPolicy": {"Name": "always"}},
                 {"RestartPolicy": {"Name": "odd"}}, {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 2}},
                 {"CpuQuota": 10}, {"BlkioWeight": 5}, {"Memory": "x"}):
        s.post("/containers/up/update", body, label=f"update {json.dumps(body)}")
    s.post("/containers/up/update", b"")
    s.get("/containers/up/json", label="inspect after updates")
    s.make("u2", HostConfig={"AutoRemove": True})
    s.post("/containers/u2/update", {"RestartPolicy": {"Name": "always"}})
    s.post("/containers/u2/update", {"Memory": 32 << 20, "MemorySwap": 64 << 20})
    s.get("/containers/u2/json", label="inspect after update of a created one")


@scenario
def volumes(s):
    s.post("/volumes/create", {"Name": "v1"})
    s.post("/volumes/create", {"Name": "v1"})
    s.post("/volumes/create", {"Name": "v1", "Labels": {"a": "b"}})
    s.post("/volumes/create", {"Name": "v1", "Driver": "nosuch"})
    s.post("/volumes/create", {"Name": "v2", "Labels": {"a": "b"}, "DriverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}})
    for body in ({"Name": "x"}, {"Name": "a/b"}, {"Name": "bad", "DriverOpts": {"foo": "1"}}, {"Name": "bad", "DriverOpts": {"type": "nfs"}},
                 {"Name": "bad", "DriverOpts": {"o": "x"}}, {"Name": "bad", "DriverOpts": {"size": "1m"}}, {"Name": "bad", "Driver": "nosuch"},
                 {"Name": 5}):
        s.post("/volumes/create", body, label=f"volume create {json.dumps(body)}")
    s.post("/volumes/create", {})
    s.post("/volumes/create", b"")
    s.get("/volumes/v1")
    s.get("/volumes/nope")
    s.call("PUT", "/volumes/v1?version=1", {})
    s.get("/volumes?filters=" + q(name="v1"))
    for filters in (q(label="a"), q(label="a=c"), q(driver="local", name="v1"), q(driver="x"), q(dangling="true", name="v"), q(dangling="odd"), q(nosuch="1")):
        s.get("/volumes?filters=" + filters, label="volumes " + urllib.parse.unquote(filters), mode="json")
    s.make("user", HostConfig={"Binds": ["v1:/x"]})
    s.delete("/volumes/v1")
    s.delete("/volumes/v1?force=1")
    s.delete("/volumes/nope")
    s.delete("/volumes/nope?force=1")
    s.delete("/volumes/v2")
    s.post("/volumes/prune?filters=" + q(nosuch="1"))
    s.post("/volumes/prune?filters=" + q(all="odd"))
    s.delete("/containers/user?v=1")
    s.get("/volumes/v1")
    s.post("/volumes/prune?filters=" + q(all="true", label="none"))


@scenario
def mounts_conflict(s):
    s.make("m1", HostConfig={"Binds": ["mv:/data"]}, Volumes={"/other": {}})
    s.make("m2", HostConfig={"VolumesFrom": ["m1:ro"]})
    s.get("/containers/m2/json", label="inspect volumes from")
    s.make("m3", start=True, HostConfig={"VolumesFrom": ["m1"]})
    s.delete("/containers/m1?v=1")
    s.get("/containers/m3/json", label="inspect volumes from, running")


@scenario
def networks(s):
    s.post("/networks/create", {"Name": "n1", "Labels": {"a": "b"}, "IPAM": {"Config": [{"Subnet": "10.77.1.0/24"}]}})
    s.post("/networks/create", {"Name": "n1"})
    s.post("/networks/create", {"Name": "bridge"})
    s.post("/networks/create", {"Name": "host", "Driver": "host"})
    s.post("/networks/create", {"Name": ""})
    s.post("/networks/create", {"Name": "bad", "Driver": "nosuch"})
    s.post("/networks/create", {"Name": "bad", "IPAM": {"Config": [{"Subnet": "nonsense"}]}})
    s.post("/networks/create", {"Name": "bad", "IPAM": {"Config": [{"Subnet": "10.77.1.0/25"}]}})
    s.get("/networks/n1")
    s.get("/networks/nope")
    s.get("/networks?filters=" + q(name="n1"))
    s.get("/networks?filters=" + q(nosuch="1"))
    s.make("nc", start=True, HostConfig={"NetworkMode": "n1"})
    s.get("/containers/nc/json", label="inspect on a network")
    s.delete("/networks/n1", label="network rm in use")
    s.delete("/networks/bridge")
    s.delete("/networks/nope")
    s.quiet("DELETE", "/containers/nc?force=1")
    s.delete("/networks/n1")
    s.post("/networks/prune")


@scenario
def images(s):
    s.get("/images/busybox/json")
    s.get("/images/nosuch/json")
    s.get("/images/json?filters=" + q(reference="busy*"))
    s.get("/images/json?filters=" + q(nosuch="1"))
    s.get("/images/busybox/history")
    s.post("/images/busybox/tag?repo=other&tag=v1")
    s.post("/images/busybox/tag?repo=foo/Bar")
    s.post("/images/nosuch/tag?repo=x1")
    s.make("im")
    s.delete("/images/nosuch")
    s.delete("/images/other:v1")
    s.delete("/images/busybox", label="rmi in use")
    s.post("/images/create?fromImage=scratch")
    s.post("/images/create")


@scenario
def commits(s):
    s.make("cm", Cmd=["sh", "-c", "echo x >/new"], Labels={"a": "1"}, Env=["A=1"])
    s.post("/containers/cm/start")
    s.ended("cm")
    s.post("/commit?container=nope")
    s.post("/commit?container=cm&repo=Bad")
    s.post("/commit?container=cm&changes=NONSENSE%20x")
    s.post("/commit?container=cm&repo=made&tag=1&comment=words&author=me&changes=ENV%20B=2%0ACMD%20%5B%22true%22%5D", {"Labels": {"b": "2"}})
    s.get("/images/made:1/json")
    history = s.get("/images/made:1/history", mode="status")
    note(s, "history", [(h["Comment"], h["CreatedBy"], h["Tags"]) for h in history.json])
    s.delete("/images/made:1", mode="shape")


@scenario
def prunes(s):
    s.make("p1", Labels={"keep": "1"})
    s.make("p2")
    s.post("/containers/prune?filters=" + q(nosuch="1"))
    s.post("/containers/prune?filters=" + q(until="odd"))
    s.post("/containers/prune?filters=" + q(until="24h"))
    s.post("/containers/prune?filters=" + q(**{"label!": "keep"}))
    s.get("/containers/json?all=1")
    s.post("/containers/prune")
    s.post("/containers/prune")
    s.post("/images/prune?filters=" + q(nosuch="1"))
    s.post("/networks/prune?filters=" + q(nosuch="1"))


@scenario
def disk(s):
    s.make("df1", HostConfig={"Binds": ["dv:/x"]})
    s.get("/system/df", mode="shape")
    for kind in ("container", "image", "volume", "build-cache"):
        s.get(f"/system/df?type={kind}", mode="shape")
    s.get("/v1.41/system/df", mode="shape")
    s.get("/v1.52/system/df", mode="status")


@scenario
def events(s):
    import time
    begin = time.time()
    s.make("ev", Cmd=["sh", "-c", "exit 2"], Labels={"l": "1"})
    s.post("/containers/ev/start")
    s.ended("ev")
    s.quiet("POST", "/containers/ev/rename?name=ev2")
    s.quiet("DELETE", "/containers/ev2")
    s.make("ew", start=True, HostConfig={"Binds": ["evol:/x"]})
    s.quiet("POST", "/containers/ew/pause")
    s.quiet("POST", "/containers/ew/unpause")
    s.quiet("POST", "/containers/ew/update", {"CpuShares": 300})
    x = json.loads(s.quiet("POST", "/containers/ew/exec", {"Cmd": ["true"], "AttachStdout": True})[2])["Id"]
    s.quiet("POST", f"/exec/{x}/start", {})
    s.quiet("GET", "/containers/ew/top")
    s.quiet("GET", "/containers/ew/archive?path=/etc/passwd")
    s.quiet("PUT", "/containers/ew/archive?path=/tmp", tar_of(a="b"))
    s.quiet("POST", "/containers/ew/kill?signal=CONT")
    s.quiet("POST", "/containers/ew/restart?t=0")
    s.quiet("POST", "/containers/ew/stop?t=0")
    s.quiet("DELETE", "/containers/ew?v=1")
    s.quiet("DELETE", "/volumes/evol")
    time.sleep(0.3)
    end = time.time()
    for label, filters in (("all", {}), ("of the first", {"container": "ev2"}), ("volumes", {"type": "volume"}), ("networks", {"type": "network"}),
                           ("die", {"event": "die"}), ("exec_create", {"event": "exec_create"}), ("label", {"label": "l=1"}),
                           ("image", {"image": "busybox"}), ("nobody", {"container": "nobody"})):
        got = s.get(f"/events?since={begin:.3f}&until={end:.3f}&filters=" + q(**filters), mode="status", label=f"events {label}")
        rows = [json.loads(line) for line in got.body.splitlines()]
        kinds = {}
        for row in rows:
            attributes = {k: v for k, v in row["Actor"]["Attributes"].items() if k not in ("execDuration", "execID", "container", "by")}
            kinds.setdefault(row["Type"], []).append((row["Action"], sorted(attributes.items()), sorted(row)))
        # "stop" and "die" come in either order, and so do what is joined and mounted meanwhile
        note(s, f"what {label} are", {k: sorted(v) for k, v in kinds.items()})
