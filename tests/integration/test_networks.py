"""Networks: names, published ports, isolation; with traffic, from where people stand."""
import json
import socket
import subprocess
import urllib.request

import pytest

from conftest import wait_for

HTTPD = ["sh", "-c", "mkdir -p /w && echo page >/w/index.html && exec httpd -f -p 80 -h /w"]


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as r:
            return r.read().decode()
    except OSError as error:
        return f"({error})"


def host_address():
    """An address of this namespace that is not loopback, so that a LAN client can be played."""
    links = json.loads(subprocess.run(["ip", "-j", "-4", "addr"], capture_output=True, text=True).stdout)
    return next(a["local"] for link in links for a in link["addr_info"] if link["ifname"] != "lo")


def test_a_published_port_answers_on_loopback_and_on_the_hosts_address(clean):
    clean.docker("run", "-d", "--name", "web", "-p", "8081:80", "busybox", *HTTPD)
    wait_for("the page", lambda: fetch("http://127.0.0.1:8081/") == "page\n")
    assert fetch(f"http://{host_address()}:8081/") == "page\n"
    assert clean.out("port", "web", "80").splitlines()[0] == "0.0.0.0:8081"
    clean.docker("stop", "-t", "0", "web")
    assert "page" not in fetch("http://127.0.0.1:8081/")
    clean.docker("start", "web")
    wait_for("the page again", lambda: fetch("http://127.0.0.1:8081/") == "page\n")


def test_a_port_on_loopback_only(clean):
    clean.docker("run", "-d", "--name", "lo", "-p", "127.0.0.1:8082:80", "busybox", *HTTPD)
    wait_for("the page", lambda: fetch("http://127.0.0.1:8082/") == "page\n")
    assert "page" not in fetch(f"http://{host_address()}:8082/")


def test_a_random_port_is_told(clean):
    clean.docker("run", "-d", "--name", "rnd", "-p", "80", "busybox", *HTTPD)
    port = clean.out("port", "rnd", "80").splitlines()[0].rsplit(":", 1)[1]
    wait_for("the page", lambda: fetch(f"http://127.0.0.1:{port}/") == "page\n")


def test_udp_is_published(clean):
    clean.docker("run", "-d", "--name", "udp", "-p", "8083:9/udp", "busybox", "udpecho", "9")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.3)

        def echoed():
            s.sendto(b"ping", ("127.0.0.1", 8083))
            try:
                return s.recv(16) == b"ping"
            except OSError:
                return False
        wait_for("the echo", echoed)


def test_a_port_in_use_is_refused_and_the_container_stays_created(clean):
    clean.docker("run", "-d", "--name", "first", "-p", "8084:80", "busybox", *HTTPD)
    done = clean.docker("run", "-d", "--name", "second", "-p", "8084:80", "busybox", *HTTPD, check=False)
    assert done.returncode == 125
    assert "Bind for 0.0.0.0:8084 failed: port is already allocated" in done.stderr
    assert clean.inspect("second")["State"]["Status"] == "created"


def test_containers_of_a_network_find_each_other_by_name(clean):
    clean.docker("network", "create", "n1")
    clean.docker("run", "-d", "--name", "server", "--network", "n1", "--network-alias", "api", "busybox", *HTTPD)
    wait_for("by name", lambda: clean.docker("run", "--rm", "--network", "n1", "busybox", "timeout", "2", "wget", "-qO-",
                                             "http://server/", check=False).stdout == "page\n")
    assert clean.out("run", "--rm", "--network", "n1", "busybox", "wget", "-qO-", "http://api/") == "page"
    clean.docker("run", "-d", "--name", "late", "--network", "n1", "busybox", "sleep", "1000")
    wait_for("who came first learns of who came later",
             lambda: clean.docker("exec", "server", "ping", "-c1", "-W1", "late", check=False).returncode == 0)
    refused = clean.docker("network", "rm", "n1", check=False)
    assert refused.returncode == 1 and "has active endpoints" in refused.stderr


def test_networks_are_apart(clean):
    clean.docker("network", "create", "left")
    clean.docker("network", "create", "right")
    clean.docker("run", "-d", "--name", "apart", "--network", "left", "busybox", *HTTPD)
    address = clean.out("inspect", "-f", "{{.NetworkSettings.Networks.left.IPAddress}}", "apart")
    assert clean.out("run", "--rm", "--network", "left", "busybox", "sh", "-c", f"timeout 2 wget -qO- http://{address}/; exit $?") == "page"
    done = clean.docker("run", "--rm", "--network", "right", "busybox", "sh", "-c", f"timeout 1 wget -qO- http://{address}/; exit $?", check=False)
    assert done.returncode != 0


def test_an_internal_network_has_no_way_out(clean):
    clean.docker("network", "create", "--internal", "inner")
    assert "default" not in clean.out("run", "--rm", "--network", "inner", "busybox", "ip", "route")


def test_none_and_host(clean):
    links = clean.out("run", "--rm", "--network", "none", "busybox", "ip", "-o", "link")
    assert links.count("\n") == 0 and "lo" in links
    mine = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout
    assert clean.out("run", "--rm", "--network", "host", "busybox", "ip", "-o", "link").count("\n") + 1 >= mine.count("\n")


def test_a_container_shares_the_network_of_another(clean):
    clean.docker("run", "-d", "--name", "owner", "busybox", *HTTPD)
    wait_for("through loopback", lambda: clean.docker("run", "--rm", "--network", "container:owner", "busybox", "wget", "-qO-",
                                                      "http://127.0.0.1/", check=False).stdout == "page\n")


def test_static_address_and_subnet(clean):
    clean.docker("network", "create", "--subnet", "10.77.0.0/24", "--gateway", "10.77.0.254", "s")
    assert "10.77.0.9/24" in clean.out("run", "--rm", "--network", "s", "--ip", "10.77.0.9", "busybox", "ip", "addr")
    assert "default via 10.77.0.254" in clean.out("run", "--rm", "--network", "s", "busybox", "ip", "route")
    done = clean.docker("network", "create", "--subnet", "10.77.0.0/25", "overlap", check=False)
    assert done.returncode == 1 and "overlaps" in done.stderr


@pytest.mark.parametrize("name", ["bridge", "host", "none"])
def test_predefined_networks_stay(clean, name):
    done = clean.docker("network", "rm", name, check=False)
    assert f"{name} is a pre-defined network and cannot be removed" in done.stderr


def test_hosts_resolv_and_hostname_files(clean):
    text = clean.out("run", "--rm", "-h", "box", "--add-host", "db:10.1.2.3", "--dns", "10.9.9.9", "busybox", "sh", "-c",
                     "cat /etc/hosts /etc/resolv.conf /etc/hostname; hostname")
    assert "10.1.2.3\tdb" in text and "nameserver 10.9.9.9" in text and text.splitlines()[-2:] == ["box", "box"]
