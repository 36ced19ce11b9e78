"""--link, as programs of Docker's first years use it: names, environment, refusals."""
import conftest


def test_links_on_the_default_bridge_give_names_and_environment(clean):
    clean.docker("run", "-d", "--name", "db", "--init", "-h", "dbhost", "-e", "PW=x", "--expose", "80", "--expose", "53/udp", "busybox", "sleep",
                 "1000")
    clean.docker("run", "-d", "--name", "web", "--init", "--link", "db:store", "--link", "db", "busybox", "sleep", "1000")
    ip = clean.inspect("db")["NetworkSettings"]["IPAddress"]
    first = clean.out("exec", "web", "env").splitlines()
    for line in (f"STORE_PORT=tcp://{ip}:80", f"STORE_PORT_80_TCP_ADDR={ip}", "STORE_PORT_80_TCP_PORT=80", "STORE_PORT_80_TCP_PROTO=tcp",
                 f"STORE_PORT_53_UDP=udp://{ip}:53", "STORE_NAME=/web/store", "STORE_ENV_PW=x", f"DB_PORT=tcp://{ip}:80"):
        assert line in first
    hosts = clean.out("exec", "web", "cat", "/etc/hosts").splitlines()
    assert f"{ip}\tstore dbhost db" in hosts and f"{ip}\tdb dbhost" in hosts
    clean.docker("exec", "web", "ping", "-c1", "store")
    assert clean.inspect("web")["HostConfig"]["Links"] == ["/db:/web/store", "/db:/web/db"]


def test_a_link_follows_its_target_to_another_address(clean):
    clean.docker("run", "-d", "--name", "db", "--init", "busybox", "sleep", "1000")
    clean.docker("run", "-d", "--name", "web", "--init", "--link", "db:store", "busybox", "sleep", "1000")
    clean.docker("stop", "-t", "0", "db")
    clean.docker("run", "-d", "--name", "xx", "--init", "busybox", "sleep", "1000")  # takes the address
    clean.docker("start", "db")
    ip = clean.inspect("db")["NetworkSettings"]["IPAddress"]
    conftest.wait_for("the new address is known", lambda: f"{ip}\tstore" in clean.out("exec", "web", "cat", "/etc/hosts"))


def test_links_on_a_network_of_ones_own_are_names(clean):
    clean.docker("network", "create", "nl")
    clean.docker("run", "-d", "--name", "db", "--init", "--network", "nl", "busybox", "sleep", "1000")
    clean.docker("run", "-d", "--name", "web", "--init", "--network", "nl", "--link", "db:store", "busybox", "sleep", "1000")
    clean.docker("exec", "web", "ping", "-c1", "store")
    assert clean.inspect("web")["NetworkSettings"]["Networks"]["nl"]["Links"] == ["db:store"]


def test_what_cannot_be_linked_is_refused(clean):
    failed = clean.docker("create", "--link", "nope:x", "busybox", "true", check=False)
    assert "could not get container for nope: No such container: nope" in failed.stderr
    clean.docker("create", "--name", "db", "busybox", "true")
    clean.docker("create", "--name", "web", "--link", "db:store", "busybox", "true")
    failed = clean.docker("start", "web", check=False)
    assert "Cannot link to a non running container: /db AS /web/store" in failed.stderr
