"""The classic holes of container runtimes, each tried against a canary.

security_attack.c is what runs inside.  The numbers are the CVEs of other runtimes that a test is made after.
"""
import hashlib
import io
import os
import pathlib
import shutil
import subprocess
import tarfile

import pytest

from conftest import BIN, ROOT, Agent, end_agent, leftovers, wait_for

SECRET = "the host's secret\n"
ROUNDS = 25  # of a race; each is a start or an exec while somebody exchanges things


@pytest.fixture(scope="module")
def attack(work):
    """A directory with the static helper, for /h of a container."""
    there = work / "attack-h"
    there.mkdir()
    subprocess.run(["gcc", "-O1", "-static", "-s", "-o", there / "attack", ROOT / "tests/integration/security_attack.c"], check=True)
    return there


@pytest.fixture(scope="module")
def agent(work, archive, attack):
    """An agent with a shim of its own, as some attacks are on that file, in a session that has a key."""
    agent = Agent(work / "security")
    if "BALLAST_SHIM" not in os.environ:
        shutil.copy(BIN / "ballast-shim", agent.base / "ballast-shim")
        agent.args += ["--shim", str(agent.base / "ballast-shim")]
    agent.prefix = [str(attack / "attack"), "with-key", "canary-key"]
    agent.canary = agent.base / "canary"
    agent.canary.write_text(SECRET)
    agent.start()
    agent.docker("load", "-i", archive)
    yield agent
    assert agent.canary.read_text() == SECRET
    end_agent(agent)


class Box:
    """docker run with the helper at /h."""

    def __init__(self, agent, attack):
        self.agent, self.h = agent, ["-v", f"{attack}:/h:ro"]

    def run(self, *args, flags=(), image="busybox", check=True):
        return self.agent.docker("run", "--rm", *self.h, *flags, image, *args, check=check)

    def start(self, name, *args, flags=(), image="busybox"):
        self.agent.docker("run", "-d", "--name", name, *self.h, *flags, image, *args)

    def attack(self, name, *args, flags=(), image="busybox"):
        """One that goes on until it is removed."""
        self.start(name, "/h/attack", *args, flags=flags, image=image)
        wait_for("it is at it", lambda: "ready" in self.got(name))

    def got(self, name):
        return self.agent.docker("logs", name).stdout


@pytest.fixture
def box(clean, attack):
    return Box(clean, attack)


def image_of(agent, tag, *entries, config=()):
    """busybox with more in it: (name, bytes or link target or None for a directory)."""
    made = agent.out("create", "busybox")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, what in entries:
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if isinstance(what, bytes):
                info.size = len(what)
                tar.addfile(info, io.BytesIO(what))
                continue
            info.type = tarfile.DIRTYPE if what is None else tarfile.SYMTYPE
            info.linkname = what or ""
            tar.addfile(info)
    agent.docker("cp", "-", f"{made}:/", input=out.getvalue())
    agent.docker("commit", *[x for c in config for x in ("-c", c)], made, tag)
    agent.docker("rm", made)
    return tag


@pytest.fixture
def images(clean):
    """What image_of() makes; removed afterwards."""
    made = []
    yield lambda tag, *entries, **kw: made.append(image_of(clean, tag, *entries, **kw)) or tag
    for c in clean.out("ps", "-aq").split():
        clean.docker("rm", "-fv", c)
    for tag in made:
        clean.docker("rmi", "-f", tag)


def shim_file(agent):
    return agent.base / "ballast-shim" if "BALLAST_SHIM" not in os.environ else pathlib.Path(os.environ["BALLAST_SHIM"])


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ------------------------------------------------------------------ descriptors and directories

def test_nobody_inherits_a_descriptor(box):
    assert box.run("/h/attack", "fds").stdout == ""
    assert box.run("/h/attack", "fds", flags=["-t"]).stdout == ""
    assert box.run("/h/attack", "fds", flags=["--init"]).stdout == ""
    box.start("open", "sleep", "1000")
    for flags in ([], ["-t"], ["-i"], ["--privileged"]):
        assert box.agent.out("exec", *flags, "open", "/h/attack", "fds") == ""


def test_a_working_directory_cannot_be_a_descriptor_of_the_hosts(box, images):
    """CVE-2024-21626: WORKDIR /proc/self/fd/N, and an exec's --workdir."""
    up = "../" * 12 + str(box.agent.canary).lstrip("/")
    images("wd", ("there", "/proc/self/fd"))
    box.start("wd", "sleep", "1000", image="wd")
    for n in range(3, 16):
        for path in (f"/proc/self/fd/{n}", f"/proc/1/fd/{n}", f"/proc/thread-self/fd/{n}", f"/there/{n}"):
            exec_ = box.agent.docker("exec", "-w", path, "wd", "cat", up, check=False)
            assert exec_.returncode != 0 and SECRET not in exec_.stdout, path
        done = box.run("cat", up, flags=["-w", f"/there/{n}"], image="wd", check=False)
        assert done.returncode != 0 and SECRET not in done.stdout
    assert box.run("cat", up, flags=["-w", "/proc/self/cwd"], check=False).returncode != 0
    assert box.agent.out("exec", "-w", "/tmp", "wd", "pwd") == "/tmp"


# ------------------------------------------------------------------ the runtime's own program

def test_the_runtimes_program_cannot_be_overwritten(box, images):
    """CVE-2019-5736: on a start whose command is /proc/self/exe, and on execs of it."""
    before = digest(shim_file(box.agent))
    images("self", ("bin/me", "/proc/self/exe"), ("etc/ld.so.preload", b"/h/attack\n"))
    box.attack("writer", "exe", flags=["--cap-add", "SYS_PTRACE", "--cap-add", "DAC_READ_SEARCH"], image="self")
    for _ in range(ROUNDS):
        box.agent.docker("exec", "writer", "/proc/self/exe", check=False)
        box.agent.docker("exec", "writer", "/bin/me", check=False)
        box.agent.docker("exec", "writer", "true", check=False)  # its file may be open for writing just then
    for _ in range(5):
        box.run(flags=["--pid", "container:writer", "--entrypoint", "/proc/self/exe"], image="self", check=False)
        box.run("true", flags=["--pid", "container:writer", "--init"], image="self")
    assert "WROTE" not in box.got("writer"), [x for x in box.got("writer").splitlines() if "WROTE" in x][:9]
    box.agent.docker("rm", "-f", "writer")
    assert digest(shim_file(box.agent)) == before
    assert box.run("echo", "well").stdout == "well\n"


def come_in(box, n):
    for i in range(n):
        box.agent.docker("exec", *(["-t"] if i % 2 else []), "spy", "true")
    for i in range(5):
        box.run("true", flags=["--pid", "container:spy", *(["--init"] if i % 2 else [])])


def traced(box):
    """The capabilities of all that the spy has traced."""
    return [int(line.split()[1], 16) for line in box.got("spy").splitlines() if line.startswith("TRACED")]


def test_who_comes_in_cannot_be_looked_into(box):
    """A process on its way into the container: it can be traced when it has arrived, and has the container's rights."""
    box.attack("spy", "enter", str(box.agent.canary).lstrip("/"))
    own = int(rights(box.agent.out("exec", "spy", "sh", "-c", STATUS))["CapEff"][0], 16)
    come_in(box, ROUNDS)
    assert "SAW" not in box.got("spy") and all(caps & ~own == 0 for caps in traced(box)), box.got("spy")


def test_who_comes_in_leads_no_tracer_to_the_host(box):
    """CVE-2016-9962: who may trace everybody sees the container's root, and rights that are hardly more than its own."""
    box.attack("spy", "enter", str(box.agent.canary).lstrip("/"),
               flags=["--cap-add", "SYS_PTRACE", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"])
    own = int(rights(box.agent.out("exec", "spy", "sh", "-c", STATUS))["CapEff"][0], 16)
    for _ in range(2 * ROUNDS):
        box.agent.docker("exec", "spy", "true")
    assert all(caps & ~own == 0 for caps in traced(box)), box.got("spy")  # no filter: no right to load one
    come_in(box, 5)
    assert "SAW" not in box.got("spy")


def test_a_filter_leaves_a_tracer_one_right_at_most(box):
    box.attack("spy", "enter", str(box.agent.canary).lstrip("/"), flags=["--cap-add", "SYS_PTRACE"])
    own = int(rights(box.agent.out("exec", "spy", "sh", "-c", STATUS))["CapEff"][0], 16)
    for _ in range(ROUNDS):
        box.agent.docker("exec", "spy", "true")
    assert all(caps & ~own in (0, 1 << 21) for caps in traced(box)), box.got("spy")  # CAP_SYS_ADMIN, to load it
    assert "SAW" not in box.got("spy")


# ------------------------------------------------------------------ masks, mounts and consoles

MASKED = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/acpi", "/proc/scsi", "/sys/firmware"]
READONLY = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger",
            "/sys/kernel/uevent_helper", "/sys/kernel/mm/transparent_hugepage/enabled", "/proc/sys/fs/binfmt_misc/register"]
LOOK = "".join(f"head -c 1 {p} 2>/dev/null; ls -A {p} 2>/dev/null | grep -v '^{p}$';" for p in MASKED) + \
    "".join(f"[ -e {p} ] && (: >>{p}) 2>/dev/null && echo write {p};" for p in READONLY) + "true"


def test_nothing_of_the_kernels_can_be_written_by_root(box):
    for flags in ([], ["--read-only"], ["--cap-add", "SYS_ADMIN"], ["--cap-add", "ALL"], ["-u", "1000"]):
        found = box.run("/h/attack", "write", "/proc", "/sys", flags=flags).stdout.split()
        assert found == [], flags
    assert box.run("sh", "-c", LOOK, flags=["--cap-add", "ALL"]).stdout == ""


def test_names_that_lead_to_the_kernels_settings(box):
    """CVE-2022-0492 and its like: namespaces, mounts, remounts, handles, modules and keys, with what containers have."""
    for flags in ([], ["--cap-add", "DAC_READ_SEARCH", "--cap-drop", "MKNOD"], ["-u", "1000"]):
        got = [line for line in box.run("/h/attack", "kernel", flags=flags).stdout.splitlines()
               if not (line.startswith("open_by_handle_at: ") and "DAC_READ_SEARCH" in flags)]
        assert got == [], flags
    script = "for f in /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/*/notify_on_release /sys/fs/cgroup/*/cgroup.procs " \
             "/sys/fs/cgroup/cgroup.procs; do [ -e $f ] && (: >>$f) 2>/dev/null && echo $f; done; mkdir /sys/fs/cgroup/memory/x " \
             "2>/dev/null && echo made; true"
    for flags in ([], ["--cgroupns", "host"], ["--cgroupns", "private"]):
        assert box.run("sh", "-c", script, flags=flags).stdout == ""


def test_masks_hold_while_dev_is_somebody_elses(box):
    """CVE-2025-31133, -52565, -52881: a /dev in which null and console are exchanged for links while a container starts."""
    agent = box.agent
    agent.docker("volume", "create", "dev1")
    victim = "/proc/sys/kernel/core_pattern"
    before = pathlib.Path(victim).read_text()
    box.run("sh", "-c", f"mknod /d/null c 1 3; chmod 666 /d/null; mkdir -p /d/pts /d/shm /d/mqueue; : >/d/console; ln -s {victim} /d/evil; "
            f"ln -s {victim} /d/evil2; ln -s /proc/self/fd /d/fd", flags=["-v", "dev1:/d"])
    box.attack("null", "swap", "/d/null", "/d/evil", flags=["-v", "dev1:/d"])
    box.attack("cons", "swap", "/d/console", "/d/evil2", flags=["-v", "dev1:/d"])
    for i in range(ROUNDS):  # a start may be refused each time; what it must not is to let go
        done = box.run("sh", "-c", LOOK, flags=["-v", "dev1:/dev", *(["-t"] if i % 2 else [])], check=False)
        assert done.stdout.strip() == "" or done.returncode != 0, done.stdout
    assert pathlib.Path(victim).read_text() == before


@pytest.mark.parametrize("entry", [("proc", "/etc"), ("sys", "/etc"), ("dev", "/proc/self/fd"), ("dev", "../../../../../../tmp")])
def test_an_image_cannot_say_where_proc_and_dev_are(box, images, entry):
    """CVE-2019-19921: /proc as a link, so that what is written to it goes to a file of the image's."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        link = tarfile.TarInfo(entry[0])
        link.type, link.linkname = tarfile.SYMTYPE, entry[1]
        for name in ("bin/busybox", "bin/sh", "bin/cat", "bin/grep", "bin/head", "bin/ls"):
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            data = pathlib.Path("/bin/busybox").read_bytes()
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        tar.addfile(link)
    box.agent.docker("import", "-", "links", input=out.getvalue())
    done = box.run("/bin/sh", "-c", LOOK + f"; [ -e {box.agent.canary} ] && echo canary; true", image="links", check=False)
    assert done.returncode != 0 or done.stdout == "", done.stdout
    box.agent.docker("rmi", "-f", "links")


def test_a_mounts_target_is_exchanged_for_a_link(box):
    """CVE-2021-30465: two volumes, one within the other, while somebody puts a link to / in the way."""
    agent = box.agent
    agent.docker("volume", "create", "outer")
    box.run("sh", "-c", "mkdir -p /v/in/etc; ln -s / /v/evil", flags=["-v", "outer:/v"])
    box.attack("swap1", "swap", "/v/in", "/v/evil", flags=["-v", "outer:/v"])
    inside = f"for d in / /v /v/in /v/evil /v/in/etc; do [ -e $d/{agent.canary} ] && echo $d; done; true"
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()
    for i in range(ROUNDS):
        done = box.run("sh", "-c", inside, flags=["-v", "outer:/v", *(["-v", "inner:/v/in/etc"] if i % 2 else ["--tmpfs", "/v/in/etc"])],
                       check=False)
        assert done.stdout == ""
    assert pathlib.Path("/proc/self/mountinfo").read_text() == mounts


def test_a_volumes_part_is_exchanged_for_a_link(box):
    agent = box.agent
    agent.docker("volume", "create", "parts")
    box.run("sh", "-c", "mkdir -p /v/part/deep; ln -s / /v/evil; ln -s ../../../../../.. /v/up", flags=["-v", "parts:/v"])
    look = f"[ -e /p{agent.canary} ] && echo saw; ls /p; true"
    for sub in ("evil", "up", "up/etc"):
        done = box.run("sh", "-c", look, flags=["--mount", f"type=volume,src=parts,dst=/p,volume-subpath={sub}"], check=False)
        assert "saw" not in done.stdout
    box.attack("swap2", "swap", "/v/part", "/v/evil", flags=["-v", "parts:/v"])
    for _ in range(ROUNDS):
        done = box.run("sh", "-c", look, flags=["--mount", "type=volume,src=parts,dst=/p,volume-subpath=part"], check=False)
        assert "saw" not in done.stdout


def test_what_fills_a_volume_follows_no_link(box, images):
    agent = box.agent
    (agent.base / "victim").mkdir()
    (agent.base / "victim/f").write_text("kept\n")
    images("links", ("fill", None), ("fill/sub", f"{agent.base}/victim"), ("fill/f", "../../../../../../../etc/shadow"), ("fill/real", b"real\n"))
    assert box.run("sh", "-c", "cat /fill/real; readlink /fill/sub", flags=["-v", "filled:/fill"], image="links").stdout == \
        f"real\n{agent.base}/victim\n"
    assert (agent.base / "victim/f").read_text() == "kept\n" and os.listdir(agent.base / "victim") == ["f"]
    # A volume whose owner is at work while it is filled.
    agent.docker("volume", "create", "busy")
    box.run("sh", "-c", f"mkdir /v/fill; ln -s {agent.base}/victim /v/evil", flags=["-v", "busy:/v"])
    box.attack("swap3", "swap", "/v/fill", "/v/evil", flags=["-v", "busy:/v"])
    for _ in range(5):
        box.run("true", flags=["--mount", "type=volume,src=busy,dst=/fill,volume-subpath=fill"], image="links", check=False)
    assert (agent.base / "victim/f").read_text() == "kept\n" and os.listdir(agent.base / "victim") == ["f"]


def test_nothing_is_mounted_into_proc(box):
    (box.agent.base / "fake").write_text("fake\n")
    for target in ("/proc/sys/kernel/core_pattern", "/proc/self/attr/exec", "/proc/1/status"):
        done = box.run("cat", target, flags=["-v", f"{box.agent.base}/fake:{target}"], check=False)
        assert done.returncode != 0 and "inside /proc" in done.stderr, (target, done.stdout, done.stderr)


# ------------------------------------------------------------------ rights and numbers

STATUS = "grep -E '^(Cap(Inh|Prm|Eff|Amb)|Groups|NoNewPrivs|Seccomp):' /proc/self/status"


def rights(text):
    return {key: value.split() for key, _, value in (line.partition(":") for line in text.splitlines())}


def test_nobody_inherits_capabilities(box):
    """CVE-2022-29162, CVE-2022-24769: an inheritable set lets a file give what the user has not."""
    zero = ["0" * 16]
    box.start("caps", "sleep", "1000", flags=["-u", "1000"])
    for text in (box.run("sh", "-c", STATUS).stdout, box.run("sh", "-c", STATUS, flags=["-u", "1000"]).stdout,
                 box.run("sh", "-c", STATUS, flags=["--cap-add", "ALL"]).stdout, box.agent.out("exec", "caps", "sh", "-c", STATUS),
                 box.agent.out("exec", "-u", "0", "caps", "sh", "-c", STATUS),
                 box.agent.out("exec", "--privileged", "-u", "1000", "caps", "sh", "-c", STATUS)):
        r = rights(text)
        assert r["CapInh"] == r["CapAmb"] == zero
    user = rights(box.agent.out("exec", "caps", "sh", "-c", STATUS))
    assert user["CapEff"] == user["CapPrm"] == zero and user["Seccomp"] == ["2"]
    assert rights(box.run("sh", "-c", STATUS).stdout)["CapEff"] == ["00000000a80425fb"]


def test_the_primary_group_is_among_the_groups(box):
    """CVE-2022-36109: without it a file that denies the group is open to whoever drops it."""
    for user, groups in (("1000", {"1000"}), ("4321", {"0"}), ("1000:50", {"50"}), ("web", {"1000", "50"}), ("0", {"0"}),
                         ("nobody", {"65534"})):
        seen = rights(box.run("sh", "-c", STATUS, flags=["-u", user]).stdout)["Groups"]
        assert groups <= set(seen), (user, seen)
    box.start("groups", "sleep", "1000", flags=["--group-add", "77"])
    assert {"50", "77"} <= set(rights(box.agent.out("exec", "-u", "1000:50", "groups", "sh", "-c", STATUS))["Groups"])


@pytest.mark.parametrize("user", ["4294967296", "-1", "4294967295", "2147483648", "0:4294967296", "0:-1", "18446744073709551616", "1e3"])
def test_numbers_that_wrap_around_are_no_users(box, user):
    done = box.run("id", "-u", flags=["-u", user], check=False)
    assert done.returncode != 0 and done.stdout == "", done.stdout


def test_a_hostile_passwd_file_gives_nobody_roots_number(box, images):
    images("liar", ("etc/passwd", b"a:x:4294967296:0::/:/bin/sh\nb:x:-1:0::/:/bin/sh\nc:x:2147483648:0::/:/bin/sh\n"
                    b"d:x:1000:4294967296::/:/bin/sh\n" + b"e" * 100000 + b":x:1:1::/:\n\0\0\n:::::::::\nf:x:18446744073709551616:0::/:\n"),
           ("etc/group", b"g:x:4294967296:a,b,c,d\n"))
    for name in "abcdf":
        done = box.run("id", "-u", flags=["-u", name], image="liar", check=False)
        assert done.returncode != 0 and done.stdout == "", (name, done.stdout)
    assert box.run("id", "-u", flags=["-u", "0:g"], image="liar", check=False).returncode != 0


@pytest.mark.parametrize("kind", ["fifo", "zero", "link", "directory", "self"])
def test_an_exec_asks_a_hostile_passwd_file_for_a_user(box, kind):
    """What the container has made of /etc/passwd neither holds the exec up nor leads it elsewhere."""
    make = {"fifo": "mkfifo /etc/passwd", "zero": "ln -s /dev/zero /etc/passwd", "link": f"ln -s {'../' * 12}{box.agent.canary} /etc/passwd",
            "directory": "mkdir /etc/passwd", "self": "ln -s passwd /etc/passwd"}[kind]
    box.start("host1", "sh", "-c", f"rm /etc/passwd; {make}; echo ready; exec sleep 1000")
    wait_for("it has made it", lambda: "ready" in box.got("host1"))
    done = box.agent.docker("exec", "-u", "web", "host1", "id", check=False, timeout=30)
    assert done.returncode != 0
    box.agent.docker("exec", "host1", "true", check=False, timeout=30)  # root by number needs no file, but for its home
    assert box.agent.inspect("host1")["State"]["Running"]


def test_an_exec_runs_nothing_of_the_containers_before_its_time(box, images):
    """A loader, a preload list, an nsswitch.conf of the container's: the one who enters is static and asks none."""
    bad = b"#!/bin/sh\ntouch /loaded\n"
    images("loader", ("lib64", None), ("lib64/ld-linux-x86-64.so.2", bad), ("etc/ld.so.preload", b"/lib64/evil.so\n"), ("lib64/evil.so", bad),
           ("etc/nsswitch.conf", b"passwd: evil\n"), ("lib64/libnss_evil.so.2", bad))
    box.start("loader", "sleep", "1000", image="loader")
    assert box.agent.out("exec", "-u", "web", "loader", "id", "-u") == "1000"
    assert box.agent.docker("exec", "loader", "ls", "/loaded", check=False).returncode != 0


# ------------------------------------------------------------------ devices, keys, terminals, sockets

def test_devices_can_be_made_and_not_opened(box):
    assert box.run("/h/attack", "devices").stdout == ""
    assert box.run("/h/attack", "devices", flags=["--cap-add", "ALL"]).stdout == ""
    assert box.run("sh", "-c", "ls /dev | sort | tr '\\n' ' '").stdout.split() == \
        "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero".split()


def test_keys_of_a_session_stay_there(box):
    """The agent was started in a session that has a key; containers have sessions of their own."""
    free = ["--security-opt", "seccomp=unconfined"]
    box.start("one", "sleep", "1000", flags=free)
    first = box.agent.out("exec", "one", "/h/attack", "key", "canary-key")
    second = box.run("/h/attack", "key", "canary-key", flags=free).stdout.strip()
    if "Function not implemented" in first:
        pytest.skip("this kernel has no keys")
    assert first.startswith("session ") and second.startswith("session ")  # and not "key N", which is the canary
    assert first.split()[1] != second.split()[1]


def test_nobody_has_the_callers_terminal(box):
    assert box.run("/h/attack", "tty").stdout == ""
    box.start("quiet", "sleep", "1000")
    assert box.agent.out("exec", "quiet", "/h/attack", "tty") == ""
    shim = int(pathlib.Path(f"/proc/{box.agent.inspect('quiet')['State']['Pid']}/stat").read_text().rpartition(")")[2].split()[1])
    tty, session = (int(x) for x in (pathlib.Path(f"/proc/{shim}/stat").read_text().rpartition(")")[2].split()[i] for i in (4, 3)))
    assert tty == 0 and session != os.getsid(0)


def abstract():
    lines = (line.split() for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:])
    return {line[7] for line in lines if len(line) > 7 and line[7].startswith("@")}


def test_no_abstract_socket_is_in_the_hosts_network(box):
    """CVE-2020-15257: containerd's shims could be talked to by every container with the host's network."""
    before = abstract()
    box.start("net1", "sleep", "1000", flags=["--network", "host"])
    box.start("net2", "sleep", "1000", flags=["-t"])
    box.agent.docker("exec", "-t", "net2", "true")
    assert abstract() <= before
    seen = box.run("cat", "/proc/net/unix", flags=["--network", "host"]).stdout
    names = [line.split()[7] for line in seen.splitlines()[1:] if len(line.split()) > 7]
    assert not [n for n in names if n.startswith("@") and n not in before]
    # Those with a path are no use where the path is not.
    assert all(box.run("ls", n, flags=["--network", "host"], check=False).returncode != 0 for n in names if str(box.agent.base) in n)


# ------------------------------------------------------------------ namespaces of users

@pytest.fixture(scope="module")
def remapped(work, archive):
    base = work / "users"
    agent = Agent(base, "--userns-remap", "root", "--add-runtime", f"other={shutil.which('runc') or '/usr/sbin/runc'}")
    (base / "ids").write_text("root:200000:65536\n")
    agent.prefix = ["unshare", "-m", "--propagation", "slave", "sh", "-c",
                    f'for f in /etc/subuid /etc/subgid; do [ -e $f ] || : >$f; mount --bind {base}/ids $f; done; exec "$@"', "sh"]
    os.chmod(work, 0o711)  # runc goes to a container's root as the container's root
    agent.start()
    agent.docker("load", "-i", archive)
    yield agent
    agent.remove_everything()
    wait_for("nothing is left over", lambda: not leftovers(agent), 10)
    agent.stop()


@pytest.mark.parametrize("runtime", ["ballast", "other"])
def test_a_remapped_root_is_nobody_outside(remapped, attack, runtime):
    box = Box(remapped, attack)
    shared = remapped.base / f"shared-{runtime}"
    shared.mkdir()
    os.chmod(shared, 0o777)
    own = remapped.base / "own"
    own.write_text("root's\n")
    os.chmod(own, 0o600)
    flags = ["--runtime", runtime, "-v", f"{shared}:/b", "-v", f"{own}:/own"]
    done = box.run("sh", "-c", "cat /own 2>&1; cp /bin/busybox /b/su && chmod 6755 /b/su; stat -c %u:%g /b/su; "
                   "chown 0:0 /own 2>/dev/null && echo owned; mknod /b/disk b 8 0 2>/dev/null && echo node; true", flags=flags)
    assert "root's" not in done.stdout and done.stdout.splitlines()[-1] == "0:0"
    st = os.stat(shared / "su")
    assert (st.st_uid, st.st_gid, st.st_mode & 0o6000) == (200000, 200000, 0o6000)
    assert not (shared / "disk").exists()
    for more in ([], ["--cap-add", "ALL"]):
        assert box.run("/h/attack", "write", "/proc/sys/kernel", "/sys", flags=["--runtime", runtime, *more]).stdout == ""
