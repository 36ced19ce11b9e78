"""docker update: new limits, of containers that run and of those that do not."""
import os
import pathlib
import signal
import time

import pytest

import conftest


def limit(agent, name, controller, file):
    """What the kernel has now; a host with cgroup v2 keeps all in one tree."""
    pid = agent.inspect(name)["State"]["Pid"]
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return pathlib.Path(f"/sys/fs/cgroup/{names}{path}/{file}").read_text().strip()
    pytest.skip(f"this host has no cgroup v1 controller {controller}")


def test_the_kernel_has_the_new_limits_at_once(clean):
    clean.docker("run", "-d", "--name", "up1", "--init", "-m", "64m", "busybox", "sleep", "1000")
    clean.docker("update", "-m", "128m", "--memory-swap", "256m", "--cpu-shares", "300", "--pids-limit", "77", "--cpuset-cpus", "0",
                 "--cpus", "0.5", "up1")
    assert limit(clean, "up1", "memory", "memory.limit_in_bytes") == str(128 << 20)
    assert limit(clean, "up1", "memory", "memory.memsw.limit_in_bytes") == str(256 << 20)
    assert limit(clean, "up1", "cpu", "cpu.shares") == "300"
    assert limit(clean, "up1", "cpu", "cpu.cfs_quota_us") == "50000"
    assert limit(clean, "up1", "pids", "pids.max") == "77"
    assert limit(clean, "up1", "cpuset", "cpuset.cpus") == "0"
    clean.docker("update", "--pids-limit", "-1", "up1")
    assert limit(clean, "up1", "pids", "pids.max") == "max"
    host = clean.inspect("up1")["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["CpuShares"], host["NanoCpus"]) == (128 << 20, 256 << 20, 300, 500_000_000)
    clean.docker("restart", "-t", "0", "up1")
    assert limit(clean, "up1", "memory", "memory.limit_in_bytes") == str(128 << 20)


def test_one_that_does_not_run_has_them_when_it_starts(clean):
    clean.docker("create", "--name", "up2", "--init", "busybox", "sleep", "1000")
    clean.docker("update", "-m", "32m", "--restart", "on-failure:3", "up2")
    assert clean.inspect("up2")["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    clean.docker("start", "up2")
    assert limit(clean, "up2", "memory", "memory.limit_in_bytes") == str(32 << 20)


def test_what_the_kernel_refuses_changes_nothing(clean):
    clean.docker("run", "-d", "--name", "up3", "--init", "busybox", "sleep", "1000")
    failed = clean.docker("update", "--cpuset-mems", "63", "up3", check=False)
    assert failed.returncode != 0
    assert clean.inspect("up3")["HostConfig"]["CpusetMems"] == ""


def test_the_restart_policy_counts_from_now_on(clean):
    clean.docker("run", "-d", "--name", "up4", "busybox", "sh", "-c", "sleep 1000")
    clean.docker("update", "--restart", "always", "up4")
    pid = clean.inspect("up4")["State"]["Pid"]
    os.kill(pid, signal.SIGKILL)
    conftest.wait_for("it runs again", lambda: clean.inspect("up4")["State"]["Pid"] not in (0, pid))
    clean.docker("update", "--restart", "no", "up4")
    os.kill(clean.inspect("up4")["State"]["Pid"], signal.SIGKILL)
    conftest.wait_for("it stays down", lambda: clean.inspect("up4")["State"]["Status"] == "exited")


def test_an_update_is_told_of(clean):
    clean.docker("run", "-d", "--name", "up5", "--init", "busybox", "sleep", "1000")
    clean.docker("update", "--cpu-shares", "300", "up5")
    clean.http("POST", "/containers/up5/update", {})
    said = clean.out("events", "--since", "1", "--until", str(int(time.time()) + 1), "--filter", "container=up5", "--filter",
                     "event=update", "--format", "{{.Action}}").split()
    assert said == ["update", "update"]
