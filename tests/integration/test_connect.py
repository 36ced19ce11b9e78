"""Putting containers on networks and taking them off, stopped and running, as people and Compose do it."""
import json
import time

import conftest


def networks_of(agent, name):
    return agent.inspect(name)["NetworkSettings"]["Networks"]


def test_a_running_container_comes_onto_a_network_and_leaves_it(clean):
    clean.docker("network", "create", "--subnet", "10.81.0.0/24", "nc1")
    clean.docker("run", "-d", "--name", "web", "--network", "nc1", "--init", "busybox", "httpd", "-f", "-p", "80")
    clean.docker("run", "-d", "--name", "cl", "--init", "busybox", "sleep", "1000")
    assert clean.docker("exec", "cl", "wget", "-q", "-O-", "http://web/", check=False).returncode != 0
    clean.docker("network", "connect", "--ip", "10.81.0.77", "--alias", "other", "nc1", "cl")
    joined = networks_of(clean, "cl")
    assert set(joined) == {"bridge", "nc1"} and joined["nc1"]["IPAddress"] == "10.81.0.77"
    assert "other" in joined["nc1"]["DNSNames"]
    assert "10.81.0.77" in clean.out("exec", "cl", "ip", "addr")
    clean.docker("exec", "cl", "ping", "-c1", "web")
    conftest.wait_for("the alias is known", lambda: clean.docker("exec", "web", "ping", "-c1", "other", check=False).returncode == 0)
    failed = clean.docker("network", "connect", "nc1", "cl", check=False)
    assert "endpoint with name cl already exists in network nc1" in failed.stderr
    failed = clean.docker("network", "connect", "--ip", "10.81.0.1", "nc1", "web", check=False)
    assert failed.returncode != 0
    clean.docker("network", "disconnect", "nc1", "cl")
    assert set(networks_of(clean, "cl")) == {"bridge"}
    assert "10.81.0.77" not in clean.out("exec", "cl", "ip", "addr")
    failed = clean.docker("network", "disconnect", "nc1", "cl", check=False)
    assert "is not connected to network nc1" in failed.stderr


def test_an_address_that_is_taken_leaves_all_as_it_was(clean):
    clean.docker("network", "create", "--subnet", "10.82.0.0/24", "nc2")
    clean.docker("run", "-d", "--name", "cl", "--init", "busybox", "sleep", "1000")
    failed = clean.docker("network", "connect", "--ip", "10.82.0.1", "nc2", "cl", check=False)
    assert "Address already in use" in failed.stderr
    assert set(networks_of(clean, "cl")) == {"bridge"}
    failed = clean.docker("network", "connect", "--ip", "10.99.0.1", "nc2", "cl", check=False)
    assert "no configured subnet or ip-range contain the IP address 10.99.0.1" in failed.stderr
    clean.docker("network", "connect", "nc2", "cl")
    clean.docker("restart", "-t", "0", "cl")
    assert set(networks_of(clean, "cl")) == {"bridge", "nc2"}


def test_the_network_of_the_mode_can_be_left_for_good(clean):
    clean.docker("network", "create", "nc3")
    clean.docker("create", "--name", "cl", "--init", "-p", "18099:80", "busybox", "httpd", "-f", "-p", "80")
    clean.docker("network", "connect", "nc3", "cl")
    clean.docker("network", "disconnect", "bridge", "cl")
    assert set(networks_of(clean, "cl")) == {"nc3"}
    clean.docker("start", "cl")
    assert set(networks_of(clean, "cl")) == {"nc3"}
    assert clean.run("curl", "-s", "-o", "/dev/null", "http://127.0.0.1:18099/").returncode == 0
    clean.stop()
    clean.start()
    assert set(networks_of(clean, "cl")) == {"nc3"}
    clean.docker("network", "connect", "bridge", "cl")
    assert set(networks_of(clean, "cl")) == {"bridge", "nc3"}
    clean.docker("network", "disconnect", "nc3", "cl")
    assert set(networks_of(clean, "cl")) == {"bridge"}
    assert clean.run("curl", "-s", "-o", "/dev/null", "http://127.0.0.1:18099/").returncode == 0
    clean.docker("network", "disconnect", "bridge", "cl")
    assert networks_of(clean, "cl") == {}
    clean.docker("network", "rm", "nc3")


def test_what_cannot_be_connected_is_refused_in_dockers_words(clean):
    clean.docker("network", "create", "nc4")
    clean.docker("create", "--name", "hh", "--network", "host", "busybox", "true")
    clean.docker("create", "--name", "nn", "--network", "none", "busybox", "true")
    clean.docker("create", "--name", "cl", "busybox", "true")
    clean.docker("create", "--name", "jj", "--network", "container:cl", "busybox", "true")
    many = "container cannot be connected to multiple networks with one of the networks in private (none) mode"
    shared = "container sharing network namespace with another container or host cannot be connected to any other network"
    for network, container, status, text in (
            ("host", "cl", 400, "cannot connect container to host network - container must be created in host network mode"),
            ("none", "cl", 400, many), ("nc4", "nn", 400, many), ("nc4", "hh", 400, shared), ("nc4", "jj", 400, shared),
            ("nc4", "nope", 404, "No such container: nope"), ("nope", "cl", 404, "network nope not found"),
            ("nc4", "", 400, 'invalid name or ID supplied: ""')):
        got, _, body = clean.http("POST", f"/networks/{network}/connect", {"Container": container})
        assert (got, json.loads(body)["message"]) == (status, text)
    got, _, body = clean.http("POST", "/networks/host/disconnect", {"Container": "hh"})
    assert (got, json.loads(body)["message"]) == (
        400, "cannot disconnect container from host network - container was created in host network mode")


def test_events_tell_of_both(clean):
    clean.docker("network", "create", "nc5")
    clean.docker("run", "-d", "--name", "cl", "--init", "busybox", "sleep", "1000")
    clean.docker("network", "connect", "nc5", "cl")
    clean.docker("network", "disconnect", "nc5", "cl")
    lines = clean.out("events", "--since", "1", "--until", str(int(time.time()) + 1), "--filter", "type=network", "--filter", "network=nc5", "--format",
                      "{{.Action}}").split()
    assert lines == ["create", "connect", "disconnect"]
