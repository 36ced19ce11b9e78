"""Statistics, sizes and what is listed, as people ask for them: `docker stats`, `ballast stats`, df, top, prune."""
import concurrent.futures
import json
import re
import select
import subprocess
import time

from conftest import BIN, DOCKER, wait_for


def sample(agent, name, query="stream=0&one-shot=1"):
    return json.loads(agent.http("GET", f"/containers/{name}/stats?{query}")[2])


def test_docker_stats_shows_what_a_container_uses(clean):
    clean.docker("run", "-d", "--name", "busy", "-m", "64m", "--pids-limit", "50", "busybox", "sh", "-c", "while :; do :; done")
    clean.docker("run", "-d", "--name", "calm", "--network", "none", "--init", "busybox", "sleep", "1000")
    rows = {r["Name"]: r for r in map(json.loads, clean.out("stats", "--no-stream", "--format", "json").splitlines())}
    assert set(rows) == {"busy", "calm"}
    assert float(rows["busy"]["CPUPerc"].rstrip("%")) > 5 > float(rows["calm"]["CPUPerc"].rstrip("%"))
    assert rows["busy"]["MemUsage"].endswith(" / 64MiB") and rows["busy"]["PIDs"] == "1" and rows["calm"]["PIDs"] == "2"
    ours = {r["Name"]: r for r in map(json.loads, clean.ballast("stats", "--no-stream", "--format", "json").stdout.splitlines())}
    assert float(ours["busy"]["CPUPerc"].rstrip("%")) > 5 > float(ours["calm"]["CPUPerc"].rstrip("%"))
    assert ours["busy"]["MemUsage"].endswith(" / 64MiB") and set(ours["busy"]) == set(rows["busy"]) - {"Container"}
    table = clean.ballast("stats", "--no-stream", "calm").stdout.splitlines()
    assert len(table) == 2 and table[1].split()[1] == "calm"
    missing = clean.ballast("stats", "--no-stream", "nobody", check=False)
    assert missing.returncode == 1 and "No such container: nobody" in missing.stderr


def test_a_stream_goes_on_through_the_end_and_ends_with_the_container(clean):
    clean.docker("create", "--name", "st", "--init", "busybox", "sleep", "1000")
    watch = subprocess.Popen(["curl", "-sN", "--unix-socket", clean.sock, "http://d/containers/st/stats"], stdout=subprocess.PIPE, text=True)
    try:
        assert json.loads(watch.stdout.readline())["memory_stats"] == {}
        clean.docker("start", "st")
        before = wait_for("it is seen running", lambda: next((s for s in [json.loads(watch.stdout.readline())] if s["memory_stats"]), None))
        after = json.loads(watch.stdout.readline())
        assert after["preread"] == before["read"] and after["precpu_stats"] == before["cpu_stats"]
        clean.docker("rm", "-f", "st")
        assert watch.wait(10) == 0
    finally:
        watch.kill()
        watch.wait()
        watch.stdout.close()


def test_watchers_share_the_samples(clean):
    clean.docker("run", "-d", "--name", "sh", "--init", "busybox", "sleep", "1000")
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        reads = list(pool.map(lambda _: sample(clean, "sh")["read"], range(200)))
    assert len(set(reads)) < 100, "nearly every watcher had a sample of its own"


def test_the_network_is_counted_where_the_container_has_one(clean):
    clean.docker("run", "-d", "--name", "net", "busybox", "sleep", "1000")
    clean.docker("run", "-d", "--name", "hostnet", "--network", "host", "busybox", "sleep", "1000")
    before = sample(clean, "net")["networks"]
    assert set(before) == {"eth0"} and "networks" not in sample(clean, "hostnet")
    clean.docker("exec", "net", "ping", "-c", "3", "-i", "0.1", clean.inspect("net")["NetworkSettings"]["Gateway"])
    wait_for("packets are counted", lambda: sample(clean, "net")["networks"]["eth0"]["tx_bytes"] > before["eth0"]["tx_bytes"])


def test_sizes_are_of_what_the_container_wrote(clean):
    clean.docker("run", "--name", "ww", "busybox", "sh", "-c", "head -c 100000 /dev/zero >/a; ln /a /b; ln -s 123456 /c")
    clean.docker("create", "--name", "nn", "busybox")
    image = json.loads(clean.out("image", "inspect", "busybox"))[0]["Size"]
    w, n = (clean.json(f"/containers/{c}/json?size=1") for c in ("ww", "nn"))
    assert (w["SizeRw"], w["SizeRootFs"]) == (100006, image + 100006)
    assert (n["SizeRw"], n["SizeRootFs"]) == (0, image)
    assert "SizeRw" not in clean.json("/containers/ww/json")
    listed = {c["Names"][0]: c for c in clean.json("/containers/json?all=1&size=1")}
    assert listed["/ww"]["SizeRw"] == 100006 and "SizeRw" not in listed["/nn"]
    assert clean.out("ps", "-as", "--filter", "name=ww", "--format", "{{.Size}}").startswith("100kB (virtual")
    df = clean.json("/system/df")
    assert {c["Names"][0]: c.get("SizeRw", 0) for c in df["Containers"]} == {"/ww": 100006, "/nn": 0}
    assert [(i["Containers"], i["SharedSize"]) for i in df["Images"] if "busybox:latest" in i["RepoTags"]] == [(2, 0)]
    assert "100kB" in clean.out("system", "df", "-v")
    pruned = json.loads(clean.http("POST", "/containers/prune")[2])
    assert len(pruned["ContainersDeleted"]) == 2 and pruned["SpaceReclaimed"] == 100006


def test_images_that_share_layers_say_how_much(clean):
    clean.docker("run", "--name", "two", "busybox", "sh", "-c", "head -c 5000 /dev/zero >/x")
    clean.docker("commit", "two", "second:1")
    try:
        base = json.loads(clean.out("image", "inspect", "busybox"))[0]["Size"]
        shared = {i["RepoTags"][0]: (i["SharedSize"], i["Size"]) for i in clean.json("/system/df?type=image")["Images"]}
        assert shared["busybox:latest"] == (base, base) and shared["second:1"][0] == base < shared["second:1"][1]
    finally:
        clean.docker("rm", "two")
        clean.docker("rmi", "second:1")


def test_top_takes_the_arguments_of_ps(clean):
    clean.docker("run", "-d", "--name", "tt", "busybox", "sh", "-c", "sleep 1234 & wait")
    assert "sleep 1234" in clean.out("top", "tt") and "sleep 1234" in clean.out("top", "tt", "aux")
    assert [line.split() for line in clean.out("top", "tt", "-o", "pid,comm").splitlines()][0] == ["PID", "COMMAND"]
    assert "Couldn't find PID field in ps output" in clean.docker("top", "tt", "-o", "comm", check=False).stderr
    clean.docker("kill", "tt")
    assert re.search("container [0-9a-f]{64} is not running", clean.docker("top", "tt", check=False).stderr)


def test_events_of_the_past_end_by_themselves_and_new_ones_are_waited_for(clean):
    begin = time.time()
    clean.docker("run", "--rm", "--name", "e1", "busybox", "true")
    past = clean.out("events", "--since", f"{begin:.3f}", "--until", f"{time.time():.3f}", "--filter", "container=e1",
                     "--format", "{{.Action}}").splitlines()
    assert [a for a in past if a != "attach"] == ["create", "start", "die", "destroy"]
    clean.docker("run", "-d", "--name", "e2", "--init", "busybox", "sleep", "1000")
    live = subprocess.Popen([DOCKER, "events", "--filter", "event=oom", "--filter", "event=kill", "--format", "{{.Action}}"],
                            stdout=subprocess.PIPE, text=True, env=clean.env())

    def told():
        clean.docker("kill", "-s", "CONT", "e2")
        return select.select([live.stdout], [], [], 0.2)[0]

    try:
        wait_for("it is told of signals", told)
        assert live.stdout.readline() == "kill\n" and live.poll() is None
    finally:
        live.kill()
        live.wait()
        live.stdout.close()


def test_ballast_stats_goes_on_until_it_is_ended(clean):
    clean.docker("run", "-d", "--name", "go", "--init", "busybox", "sleep", "1000")
    watch = subprocess.Popen([str(BIN / "ballast"), "-H", clean.host, "stats", "--format", "json"], stdout=subprocess.PIPE, text=True)
    try:
        assert [json.loads(watch.stdout.readline())["Name"] for _ in range(2)] == ["go", "go"]
        assert watch.poll() is None
    finally:
        watch.kill()
        watch.wait()
        watch.stdout.close()
