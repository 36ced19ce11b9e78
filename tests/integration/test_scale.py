"""Two hundred containers come and go, and the agent is as small as before."""
import concurrent.futures
import json
import os

import pytest

from conftest import SLOW, end_agent, leftovers, make_agent, wait_for

COUNT = 200


@pytest.fixture(scope="module")
def agent(work, archive):
    agent = make_agent(work, "scale-agent", archive)
    yield agent
    end_agent(agent)


def resident_kib(agent):
    with open(f"/proc/{agent.process.pid}/smaps_rollup") as f:
        rows = dict(line.split(":") for line in f.read().splitlines()[1:])
    return int(rows["Anonymous"].split()[0])


def descriptors(agent):
    return len(os.listdir(f"/proc/{agent.process.pid}/fd"))


def cycle(agent):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: agent.docker("run", "-d", "--name", f"s{i}", "--network", "none", "busybox", "sleep", "100000",
                                             timeout=120), range(COUNT)))
    assert len(agent.out("ps", "-q").split()) == COUNT
    ids = agent.out("ps", "-q").split()
    chunks = [ids[i::8] for i in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda c: agent.docker("stop", "-t", "0", *c, timeout=120), chunks))
        assert agent.out("ps", "-q") == ""
        list(pool.map(lambda c: agent.docker("rm", *c, timeout=120), chunks))
    assert agent.out("ps", "-aq") == ""


def test_memory_and_descriptors_return_to_what_they_were(agent):
    cycle(agent)  # warms caches and pools up
    import time
    time.sleep(11)
    memory, files = resident_kib(agent), descriptors(agent)
    cycle(agent)
    wait_for("no descriptor leaks", lambda: descriptors(agent) <= files, 30)
    if SLOW > 1:
        pytest.skip("memory is a sanitizer's business in this build")
    wait_for("memory is within 1 MB of before", lambda: resident_kib(agent) <= memory + 1024, 30)
    print(f"anonymous memory {memory} KiB -> {resident_kib(agent)} KiB, descriptors {files} -> {descriptors(agent)}")


def pids(agent):
    return {i["Id"]: (i["State"]["Pid"], i["State"]["StartedAt"]) for i in json.loads(agent.out("inspect", *agent.out("ps", "-q").split()))}


def test_two_hundred_do_not_notice_that_the_agent_is_killed_and_all_stop(agent):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: agent.docker("run", "-d", "--name", f"k{i}", *(["--network", "none"] if i % 2 else []), "busybox",
                                             "sleep", "100000", timeout=120), range(COUNT)))
    before = pids(agent)
    assert len(before) == COUNT
    agent.kill()
    agent.start()
    assert pids(agent) == before and all(os.path.exists(f"/proc/{pid}") for pid, _ in before.values())
    chunks = [list(before)[i::8] for i in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda c: agent.docker("stop", "-t", "0", *c, timeout=120), chunks))
        assert agent.out("ps", "-q") == ""
        list(pool.map(lambda c: agent.docker("rm", *c, timeout=120), chunks))
    wait_for("nothing is left over", lambda: not leftovers(agent), 30)
