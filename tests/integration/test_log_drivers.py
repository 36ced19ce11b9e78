"""Remote log drivers: real rsyslogd and systemd-journald, and peers written against the protocols; delivery modes; the
local copy that `docker logs` reads; what happens when a peer, ballast-log, the agent or a shim goes away."""
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import time

import pytest

pytest.importorskip("msgpack")
import log_peers
from conftest import SLOW, end_agent, make_agent, wait_for

HOSTNAME = os.uname().nodename
KEYS = {"AKID": ("the secret", None)}
LINES = "echo one; echo two >&2; echo three"


@pytest.fixture(scope="module")
def agent(work, archive):
    os.environ.update(AWS_ACCESS_KEY_ID="AKID", AWS_SECRET_ACCESS_KEY="the secret", AWS_REGION="eu-test-1",
                      SPLUNK_LOGGING_DRIVER_POST_MESSAGES_FREQUENCY="200ms", AWS_EC2_METADATA_DISABLED="true")
    try:
        agent = make_agent(work, "logdrivers", archive, "--log-opt", "max-file=3", "--log-opt", "cache-compress=false")
    finally:
        for name in [n for n in os.environ if n.startswith(("AWS_", "SPLUNK_"))]:
            del os.environ[name]
    yield agent
    end_agent(agent)


def opts(driver, options):
    return ["--log-driver", driver, *[a for k, v in options.items() for a in ("--log-opt", f"{k}={v}")]]


def run(agent, driver, options, script, *more, name=None):
    """Runs a shell script to its end; the container's ID."""
    made = agent.docker("create", "--network", "none", *(["--name", name] if name else []), *more, *opts(driver, options),
                        "busybox", "sh", "-c", script)
    cid = made.stdout.strip()
    agent.docker("start", cid)
    assert agent.out("wait", cid) == "0"
    return cid


def log_programs(agent):
    """Processes ballast-log of this agent's shims: {shim's pid: pid}."""
    out = {}
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = pathlib.Path(f"/proc/{p}/cmdline").read_bytes().split(b"\0")
            parent = pathlib.Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()[1]
            if line[0].endswith(b"/ballast-log") and b"deliver" in line:
                out[int(parent)] = int(p)
        except OSError:
            pass
    return out


def is_gone(pid):
    """Ended, whether or not whoever inherited it has waited for it."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def shim_of(agent, cid):
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = pathlib.Path(f"/proc/{p}/cmdline").read_bytes()
        except OSError:
            continue
        if b"ballast-shim" in line and f"--id={cid}".encode() in line:
            return int(p)
    return None


# ---------------------------------------------------------------------------------------------------- options

REFUSED = [  # driver, options, dockerd's words
    ("journald", {"x": "1"}, "unknown log opt 'x' for journald log driver"),
    ("syslog", {"x": "1"}, "unknown log opt 'x' for syslog log driver"),
    ("syslog", {"syslog-address": "foo"}, "unsupported scheme: ''"),
    ("syslog", {"syslog-address": "localhost:514"}, "unsupported scheme: 'localhost'"),
    ("syslog", {"syslog-address": "127.0.0.1:514"},
     'parse "127.0.0.1:514": first path segment in URL cannot contain colon'),
    ("syslog", {"syslog-address": "tcp://127.0.0.1:abc"}, 'parse "tcp://127.0.0.1:abc": invalid port ":abc" after host'),
    ("syslog", {"syslog-address": "tcp://[::1"}, "parse \"tcp://[::1\": missing ']' in host"),
    ("syslog", {"syslog-address": "unix:///nope"}, "stat /nope: no such file or directory"),
    ("syslog", {"syslog-address": "unixgram:///nope"}, "stat /nope: no such file or directory"),
    ("syslog", {"syslog-facility": "nope"}, "invalid syslog facility"),
    ("syslog", {"syslog-facility": "24"}, "invalid syslog facility"),
    ("syslog", {"syslog-format": "nope"}, "Invalid syslog format"),
    ("gelf", {"x": "1"}, "gelf-address is a required parameter"),
    ("gelf", {"gelf-address": "udp://127.0.0.1:1", "x": "1"}, 'unknown log opt "x" for gelf log driver'),
    ("gelf", {"gelf-address": "foo"}, "gelf: endpoint needs to be TCP or UDP"),
    ("gelf", {"gelf-address": "udp://a"}, "gelf: please provide gelf-address as proto://host:port"),
    ("gelf", {"gelf-address": "udp://127.0.0.1:1", "gelf-compression-type": "x"},
     'unknown value "x" for log opt "gelf-compression-type" for gelf log driver'),
    ("gelf", {"gelf-address": "udp://127.0.0.1:1", "gelf-compression-level": "10"},
     'unknown value "10" for log opt "gelf-compression-level" for gelf log driver'),
    ("gelf", {"gelf-address": "tcp://127.0.0.1:1", "gelf-compression-type": "none"}, "compression is only supported on UDP"),
    ("gelf", {"gelf-address": "tcp://127.0.0.1:1", "gelf-tcp-max-reconnect": "x"},
     '"gelf-tcp-max-reconnect" must be a positive integer'),
    ("gelf", {"gelf-address": "udp://127.0.0.1:1", "gelf-tcp-reconnect-delay": "1"},
     '"gelf-tcp-reconnect-delay" is only valid for TCP'),
    ("fluentd", {"x": "1"}, "unknown log opt 'x' for fluentd log driver"),
    ("fluentd", {"fluentd-address": "a:b:c"}, 'invalid fluentd-address (a:b:c): parse "tcp://a:b:c": invalid port ":c" after host'),
    ("fluentd", {"fluentd-address": "tcp://a:70000"}, "invalid fluentd-address (tcp://a:70000): invalid port: "
     'strconv.ParseUint: parsing "70000": value out of range'),
    ("fluentd", {"fluentd-address": "udp://a:1"}, "invalid fluentd-address (udp://a:1): unsupported scheme: 'udp'"),
    ("fluentd", {"fluentd-address": "tcp://a:1/path"},
     "invalid fluentd-address (tcp://a:1/path): should not contain a path element"),
    ("fluentd", {"fluentd-address": "unix://"}, "invalid fluentd-address (unix://): path is empty"),
    ("fluentd", {"fluentd-address": "://x"}, 'invalid fluentd-address (://x): parse "://x": missing protocol scheme'),
    ("fluentd", {"fluentd-address": "[::1"}, "invalid fluentd-address ([::1): parse \"tcp://[::1\": missing ']' in host"),
    ("fluentd", {"fluentd-async": "x"}, 'strconv.ParseBool: parsing "x": invalid syntax'),
    ("fluentd", {"fluentd-async-connect": "true"}, "unknown log opt 'fluentd-async-connect' for fluentd log driver"),
    ("fluentd", {"fluentd-buffer-limit": "x"}, "invalid size: 'x'"),
    ("fluentd", {"fluentd-max-retries": "-1"}, 'strconv.ParseUint: parsing "-1": invalid syntax'),
    ("fluentd", {"fluentd-retry-wait": "x"}, 'time: invalid duration "x"'),
    ("fluentd", {"fluentd-async-reconnect-interval": "1ms"},
     'invalid value for fluentd-async-reconnect-interval: value ("1ms") must be between 100ms and 10s'),
    ("fluentd", {"fluentd-write-timeout": "-1s"},
     "invalid value for fluentd-write-timeout: value must be a duration that is non-negative"),
    ("splunk", {"x": "1"}, "unknown log opt 'x' for splunk log driver"),
    ("awslogs", {"x": "1"}, "unknown log opt 'x' for awslogs log driver"),
    ("awslogs", {}, "must specify a value for log opt 'awslogs-group'"),
    ("awslogs", {"awslogs-group": "g", "awslogs-create-group": "x"},
     "must specify valid value for log opt 'awslogs-create-group': strconv.ParseBool: parsing \"x\": invalid syntax"),
    ("awslogs", {"awslogs-group": "g", "awslogs-max-buffered-events": "0"},
     "must specify a positive integer for log opt 'awslogs-max-buffered-events': 0"),
    ("awslogs", {"awslogs-group": "g", "awslogs-datetime-format": "%Y", "awslogs-multiline-pattern": "x"},
     "you cannot configure log opt 'awslogs-datetime-format' and 'awslogs-multiline-pattern' at the same time"),
    ("awslogs", {"awslogs-group": "g", "awslogs-format": "x"}, "unsupported log format 'x'"),
    ("awslogs", {"awslogs-group": "g", "awslogs-format": "json/emf", "awslogs-datetime-format": "%Y"},
     "you cannot configure log opt 'awslogs-datetime-format' or 'awslogs-multiline-pattern' when log opt 'awslogs-format' "
     "is set to 'json/emf'"),
    ("gcplogs", {}, 'error looking up logging plugin gcplogs: plugin "gcplogs" not found'),
    ("nope", {}, 'error looking up logging plugin nope: plugin "nope" not found'),
    ("syslog", {"mode": "x"}, "logger: logging mode not supported: x"),
    ("syslog", {"max-buffer-size": "1m"}, "logger: max-buffer-size option is only supported with 'mode=non-blocking'"),
    ("syslog", {"mode": "non-blocking", "max-buffer-size": "x"}, "error parsing option max-buffer-size: invalid size: 'x'"),
    ("syslog", {"cache-disabled": "x"}, "invalid value for option cache-disabled: x"),
    ("json-file", {"cache-disabled": "x"}, "invalid value for option cache-disabled: x"),
]


def create(agent, driver, options):
    return agent.http("POST", "/v1.51/containers/create",
                      {"Image": "busybox", "Cmd": ["true"],
                       "HostConfig": {"NetworkMode": "none", "LogConfig": {"Type": driver, "Config": options}}})


def test_options_are_refused_in_dockerds_words(clean):
    for driver, options, words in REFUSED:
        status, _, body = create(clean, driver, options)
        assert (status, json.loads(body)["message"]) == (400, words), (driver, options)


START_FAILS = [
    ("syslog", {"syslog-address": "tcp://127.0.0.1:1"}, "dial tcp 127.0.0.1:1: connect: connection refused"),
    ("syslog", {"syslog-address": "tcp+tls://127.0.0.1:1", "syslog-tls-ca-cert": "/nope"},
     'could not read CA certificate "/nope": open /nope: no such file or directory'),
    ("gelf", {"gelf-address": "tcp://127.0.0.1:1"},
     "gelf: cannot connect to GELF endpoint: 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused"),
    ("fluentd", {}, "dial tcp 127.0.0.1:24224: connect: connection refused"),
    ("fluentd", {"fluentd-address": "unix:///x"}, "dial unix /x: connect: no such file or directory"),
    ("splunk", {}, "splunk: splunk-url is expected"),
    ("splunk", {"splunk-url": "http://127.0.0.1:1/x"}, "splunk: expected format scheme://dns_name_or_ip:port for splunk-url"),
    ("splunk", {"splunk-url": "http://127.0.0.1:1"}, "splunk: splunk-token is expected"),
    ("splunk", {"splunk-url": "http://127.0.0.1:1", "splunk-token": "t", "splunk-format": "x"},
     "unknown format specified x, supported formats are inline, json and raw"),
    ("splunk", {"splunk-url": "http://127.0.0.1:1", "splunk-token": "t", "splunk-gzip-level": "20"},
     "not supported level '20' for splunk-gzip-level (supported values between -1 and 9)"),
]


def test_a_driver_that_cannot_be_opened_fails_the_start_and_leaves_nothing(clean):
    for driver, options, words in START_FAILS:
        cid = json.loads(create(clean, driver, options)[2])["Id"]
        status, _, body = clean.http("POST", f"/containers/{cid}/start")
        assert (status, json.loads(body)["message"]) == (
            400 if "no such file" in words else 500, "failed to create task for container: failed to initialize logging driver: " + words)
        assert clean.inspect(cid)["State"]["Status"] in ("created", "exited")
    assert not log_programs(clean)


def test_the_drivers_are_listed(agent):
    listed = agent.json("/info")["Plugins"]["Log"]
    assert listed == sorted(listed) and {"awslogs", "fluentd", "gelf", "journald", "json-file", "local", "splunk", "syslog"} <= {*listed}


def test_the_engines_options_are_those_of_its_driver_and_of_every_local_copy(clean):
    for driver, options, wanted in (("", {}, {"max-file": "3", "cache-compress": "false"}),
                                    ("json-file", {"max-file": "1"}, {"max-file": "1", "cache-compress": "false"}),
                                    ("syslog", {"tag": "t"}, {"tag": "t", "cache-compress": "false"})):
        cid = json.loads(create(clean, driver, options)[2])["Id"]
        assert clean.inspect(cid)["HostConfig"]["LogConfig"] == {"Type": driver or "json-file", "Config": wanted}


# ---------------------------------------------------------------------------------------------------- syslog

@pytest.fixture(scope="module")
def rsyslogd(work):
    """Debian's rsyslogd, which listens in every way; what it understood is in a file, as JSON."""
    if not shutil.which("rsyslogd"):
        pytest.skip("no rsyslogd")
    directory = work / "rsyslog"
    directory.mkdir()
    ca, cert, key = log_peers.certificate(directory)
    out, local = directory / "out", directory / "sock"
    (directory / "conf").write_text(f"""
global(workDirectory="{directory}" maxMessageSize="64k" DefaultNetstreamDriverCAFile="{ca}"
       DefaultNetstreamDriverCertFile="{cert}" DefaultNetstreamDriverKeyFile="{key}" parser.escapeControlCharactersOnReceive="off")
module(load="imudp")
module(load="imptcp")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
module(load="imuxsock" SysSock.Use="off")
input(type="imudp" address="127.0.0.1" port="5514")
input(type="imptcp" address="127.0.0.1" port="5514")
input(type="imtcp" address="127.0.0.1" port="6514")
input(type="imuxsock" socket="{local}" useSysTimeStamp="off" usePIDFromSystem="off" parseTrusted="off")
template(name="j" type="list" option.jsonf="on") {{
    property(outname="tag" name="syslogtag" format="jsonf")
    property(outname="app" name="app-name" format="jsonf")
    property(outname="severity" name="syslogseverity-text" format="jsonf")
    property(outname="facility" name="syslogfacility-text" format="jsonf")
    property(outname="host" name="hostname" format="jsonf")
    property(outname="version" name="protocol-version" format="jsonf")
    property(outname="msg" name="msg" format="jsonf")
}}
action(type="omfile" file="{out}" template="j")
""")
    process = subprocess.Popen(["rsyslogd", "-n", "-f", str(directory / "conf"), "-i", str(directory / "pid")],
                               stdout=open(directory / "log", "wb"), stderr=subprocess.STDOUT)
    wait_for("rsyslogd listens", lambda: local.exists() or process.poll() is not None)
    assert process.poll() is None, (directory / "log").read_text()

    def messages(marker):
        lines = out.read_text(errors="replace").splitlines() if out.exists() else []
        return [m for m in map(json.loads, lines) if marker in m["tag"] or marker in m["app"]]

    yield {"messages": messages, "ca": ca, "local": str(local)}
    process.terminate()
    process.wait(10)


SYSLOG = [  # address, format, further options
    ("udp://127.0.0.1:5514", "rfc3164", {}),
    ("udp://127.0.0.1:5514", "rfc5424", {}),
    ("tcp://127.0.0.1:5514", "rfc3164", {"syslog-facility": "local3"}),
    ("tcp://localhost:5514", "rfc5424micro", {"syslog-facility": "local3"}),
    ("tcp+tls://localhost:6514", "rfc5424", {"syslog-tls-ca-cert": "CA"}),
    ("tcp+tls://127.0.0.1:6514", "rfc3164", {"syslog-tls-skip-verify": "1"}),
    ("unixgram://LOCAL", "", {"syslog-facility": "3"}),
]


@pytest.mark.parametrize("address,format,more", SYSLOG, ids=lambda v: v if isinstance(v, str) else "")
def test_rsyslogd_understands_every_format_and_way(clean, rsyslogd, address, format, more):
    tag = "t" + os.urandom(4).hex()
    options = {"syslog-address": address.replace("LOCAL", rsyslogd["local"]), "tag": tag,
               **{k: v.replace("CA", rsyslogd["ca"]) for k, v in more.items()}, **({"syslog-format": format} if format else {})}
    run(clean, "syslog", options, LINES)
    got = wait_for("three messages", lambda: (m := rsyslogd["messages"](tag)) and len(m) == 3 and m)
    assert sorted((m["msg"].strip(), m["severity"]) for m in got) == [("one", "info"), ("three", "info"), ("two", "err")]
    facility = more.get("syslog-facility", "daemon")
    assert {m["facility"] for m in got} == {"daemon" if facility == "3" else facility}
    assert {m["version"] for m in got} == {"1" if format.startswith("rfc5424") else "0"}
    if format:
        assert {m["host"] for m in got} == {HOSTNAME}


FORMATS = {
    "": r"<30>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d TAG\[\d+\]: one\n",
    "rfc3164": r"<30>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d HOST TAG\[\d+\]: one\n",
    "rfc5424": r"<30>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d) HOST TAG \d+ TAG - one\n",
    "rfc5424micro": r"<30>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d) HOST TAG \d+ TAG - one\n",
}


def test_syslog_messages_are_byte_for_byte_as_specified(clean, work):
    peer = log_peers.Datagrams()
    for format, pattern in FORMATS.items():
        peer.got.clear()
        cid = run(clean, "syslog", {"syslog-address": f"udp://127.0.0.1:{peer.port}", "syslog-format": format}, "echo one")
        wait_for("a message", lambda: peer.got)
        pattern = pattern.replace("TAG", cid[:12]).replace("HOST", re.escape(HOSTNAME))
        assert re.fullmatch(pattern, peer.got[0].decode()), (format, peer.got)
    peer.close()
    tls = log_peers.Stream(context=log_peers.tls(work_dir(work, "tls")))
    run(clean, "syslog", {"syslog-address": f"tcp+tls://127.0.0.1:{tls.port}", "syslog-format": "rfc5424", "syslog-tls-ca-cert":
                          str(work / "tls" / "ca.pem")}, "echo one; echo three")
    wait_for("both", lambda: b"three" in tls.data())
    length, _, rest = tls.data().partition(b" ")  # RFC 5425
    assert rest[:int(length)].endswith(b"one\n") and re.match(rb"\d+ <30>1 ", rest[int(length):])
    tls.stop()


def work_dir(work, name):
    (work / name).mkdir(exist_ok=True)
    return work / name


def test_tls_refuses_a_server_that_is_not_trusted(clean, work):
    context = log_peers.tls(work_dir(work, "tls"))
    peer = log_peers.Stream(context=context)
    other = log_peers.Stream(context=context, host="127.0.0.2")  # the certificate is not for this one
    ca = str(work / "tls" / "ca.pem")
    for driver, options in (("syslog", {"syslog-address": f"tcp+tls://127.0.0.1:{peer.port}"}),
                            ("syslog", {"syslog-address": f"tcp+tls://127.0.0.2:{other.port}", "syslog-tls-ca-cert": ca}),
                            ("fluentd", {"fluentd-address": f"tls://127.0.0.1:{peer.port}"})):
        cid = json.loads(create(clean, driver, options)[2])["Id"]
        status, _, body = clean.http("POST", f"/containers/{cid}/start")
        assert status == 500 and re.search("certificate|mismatch", json.loads(body)["message"]), body
    assert not peer.data() and not other.data()
    peer.stop()
    other.stop()


def test_tls_shows_a_certificate_of_its_own(clean, work):
    context = log_peers.tls(work_dir(work, "tls"))
    ca, cert, key = (str(work / "tls" / n) for n in ("ca.pem", "cert.pem", "key.pem"))
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    peer = log_peers.Stream(context=context)
    run(clean, "syslog", {"syslog-address": f"tcp+tls://localhost:{peer.port}", "syslog-tls-ca-cert": ca, "syslog-tls-cert": cert,
                          "syslog-tls-key": key}, "echo one")
    wait_for("the line", lambda: peer.data().endswith(b": one\n"))
    peer.stop()


# ---------------------------------------------------------------------------------------------------- journald

@pytest.fixture
def journal(work):
    """systemd-journald in the mount namespace of the test."""
    if not os.path.exists("/lib/systemd/systemd-journald"):
        pytest.skip("no systemd-journald")
    directory = work_dir(work, "journal")
    machine = pathlib.Path("/etc/machine-id").read_text().strip()
    mounts = [("/run/systemd", "tmpfs"), ("/run/log", "tmpfs")]
    for path, kind in mounts:
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", kind, "none", path], check=True)
    os.makedirs("/run/systemd/journal")
    os.makedirs(f"/run/log/journal/{machine}")
    process = subprocess.Popen(["/lib/systemd/systemd-journald"], stdout=open(directory / "log", "wb"),
                               stderr=subprocess.STDOUT)
    wait_for("the journal's socket", lambda: os.path.exists("/run/systemd/journal/socket"))

    def entries(*match):
        done = subprocess.run(["journalctl", "-o", "json", "--all", "--no-pager", "-D", f"/run/log/journal/{machine}", *match],
                              capture_output=True, text=True)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    yield entries
    process.terminate()
    process.wait(10)
    for path, _ in reversed(mounts):
        subprocess.run(["umount", path], check=True)


def test_the_journal_has_dockerds_fields(clean, journal):
    cid = run(clean, "journald", {"labels": "com.example.team", "env": "STAGE", "tag": "{{.Name}}/{{.ImageName}}"},
              LINES + "; head -c 20000 /dev/zero | tr '\\0' x; echo; printf 'with\\ttab\\n'", "--label", "com.example.team=a\nb",
              "-e", "STAGE=test", name="journaled")
    got = wait_for("all lines", lambda: (e := journal(f"CONTAINER_ID_FULL={cid}")) and len(e) == 6 and e)
    first = got[0]
    wanted = {"MESSAGE": "one", "PRIORITY": "6", "CONTAINER_ID": cid[:12], "CONTAINER_ID_FULL": cid, "CONTAINER_NAME": "journaled",
              "CONTAINER_TAG": "journaled/busybox", "SYSLOG_IDENTIFIER": "journaled/busybox", "IMAGE_NAME": "busybox",
              "COM_EXAMPLE_TEAM": "a\nb", "STAGE": "test", "CONTAINER_LOG_ORDINAL": "1"}
    assert {k: first.get(k) for k in wanted} == wanted
    assert [e["PRIORITY"] for e in got].count("3") == 1
    pieces = [e for e in got if "CONTAINER_PARTIAL_ID" in e]
    assert [(e["CONTAINER_PARTIAL_ORDINAL"], e["CONTAINER_PARTIAL_LAST"], e.get("CONTAINER_PARTIAL_MESSAGE"), len(e["MESSAGE"]))
            for e in pieces] == [("1", "false", "true", 16384), ("2", "true", None, 3616)]
    assert len({e["CONTAINER_PARTIAL_ID"] for e in pieces}) == 1
    assert clean.out("logs", cid).splitlines()[-1] == "with\ttab"  # of its stream: the streams are two pipes


def test_a_journal_message_that_no_datagram_holds_arrives(clean, journal):
    big = "x" * 120000
    cid = run(clean, "journald", {"labels": "big,other"}, "echo one", "--label", f"big={big}", "--label", f"other={big}")
    got = wait_for("the line", lambda: journal(f"CONTAINER_ID_FULL={cid}"))
    assert len(got[0]["BIG"]) == 120000


def test_without_a_journal_the_start_fails(clean):
    if os.path.exists("/run/systemd/journal/socket"):
        pytest.skip("the machine has a journal")
    cid = json.loads(create(clean, "journald", {})[2])["Id"]
    assert json.loads(clean.http("POST", f"/containers/{cid}/start")[2])["message"].endswith("journald is not enabled on this host")


# ---------------------------------------------------------------------------------------------------- gelf

@pytest.mark.parametrize("compression", ["gzip", "zlib", "none", None])
def test_gelf_over_udp(clean, compression):
    peer = log_peers.Datagrams()
    options = {"gelf-address": f"udp://127.0.0.1:{peer.port}", "labels": "team", "env": "_STAGE,MODE",
               **({"gelf-compression-type": compression} if compression else {})}
    cid = run(clean, "gelf", options, "echo one; echo two >&2; head -c 12000 /dev/urandom | od -An -tx1 | tr -d ' \\n'; echo",
              "--label", "team=red", "-e", "_STAGE=x", "-e", "MODE=y", name="gelfed")
    got = wait_for("four messages", lambda: (m := log_peers.gelf_messages(peer.got)) and len(m) == 4 and m)
    one = next(m for m in got if m["short_message"] == "one")
    assert abs(one["timestamp"] - time.time()) < 60
    inspect = clean.inspect(cid)
    wanted = {"version": "1.1", "host": HOSTNAME, "level": 6, "_container_id": cid, "_container_name": "gelfed",
              "_image_id": inspect["Image"], "_image_name": "busybox", "_tag": cid[:12], "_team": "red", "_STAGE": "x",
              "_MODE": "y"}
    assert {k: one.get(k) for k in wanted} == wanted
    assert one["_command"].startswith("sh -c echo one") and one["_created"].startswith(inspect["Created"][:19])
    assert next(m for m in got if m["short_message"] == "two")["level"] == 3
    assert sorted(len(m["short_message"]) for m in got) == [3, 3, 24000 - 16384, 16384]
    assert any(d[:2] == b"\x1e\x0f" for d in peer.got) and max(map(len, peer.got)) <= 1420
    peer.close()


def test_gelf_over_tcp_comes_back_after_its_peer_has(clean):
    peer = log_peers.Stream()
    lines = lambda: [json.loads(m)["short_message"] for m in peer.data().split(b"\0") if m.startswith(b"{") and m.endswith(b"}")]
    clean.docker("run", "-d", "--name", "gg", "--network", "none", *opts("gelf", {
        "gelf-address": f"tcp://127.0.0.1:{peer.port}", "gelf-tcp-max-reconnect": "30", "gelf-tcp-reconnect-delay": "1"}),
        "busybox", "sh", "-c", "echo one; while read l; do echo $l; done; sleep 1000", "-i")
    wait_for("one", lambda: lines() == ["one"])
    peer.stop()
    clean.docker("exec", "gg", "sh", "-c", "echo two > /proc/1/fd/1")
    time.sleep(0.3)  # it fails at least once
    peer.start()
    wait_for("two", lambda: "two" in lines(), 15)
    assert clean.out("logs", "gg") == "one\ntwo"


# ---------------------------------------------------------------------------------------------------- fluentd

def test_fluentd_records_have_dockerds_fields(clean):
    peer = log_peers.Fluentd()
    cid = run(clean, "fluentd", {"fluentd-address": f"127.0.0.1:{peer.port}", "tag": "docker.{{.Name}}", "labels-regex": "^te",
                                 "fluentd-sub-second-precision": "true"},
              LINES + "; head -c 20000 /dev/zero | tr '\\0' x; echo", "--label", "team=red", name="fluent")
    got = wait_for("all", lambda: len(peer.records) == 5 and peer.records)
    tag, when, record = got[0]
    assert tag == "docker.fluent"
    assert when.code == 0 and len(when.data) == 8 and abs(int.from_bytes(when.data[:4], "big") - time.time()) < 60
    assert record == {"container_id": cid, "container_name": "/fluent", "source": "stdout", "log": "one", "team": "red"}
    assert [r["log"] for _, _, r in got if r["source"] == "stderr"] == ["two"]
    pieces = [r for _, _, r in got if "partial_message" in r]
    assert [(p["partial_message"], p["partial_ordinal"], p["partial_last"], len(p["log"])) for p in pieces] == [
        ("true", "1", "false", 16384), ("true", "2", "true", 3616)]
    peer.stream.stop()


def test_fluentd_with_acknowledgements_loses_nothing_when_its_peer_closes_in_the_middle(clean):
    peer = log_peers.Fluentd()
    peer.close_before_ack = 5
    run(clean, "fluentd", {"fluentd-address": f"tcp://127.0.0.1:{peer.port}", "fluentd-request-ack": "true",
                           "fluentd-retry-wait": "10ms"}, "seq 1 200")
    wait_for("all lines", lambda: len(peer.records) >= 200, 15)
    assert [r["log"] for _, _, r in peer.records] == [str(i) for i in range(1, 201)]
    assert type(peer.records[0][1]) is int and peer.stream.connections == 6
    peer.stream.stop()


def test_fluentd_over_a_local_socket_that_is_not_there_yet(clean, work):
    path = str(work / "fluent.sock")
    clean.docker("run", "-d", "--name", "late", "--network", "none", *opts("fluentd", {
        "fluentd-address": f"unix://{path}", "fluentd-async": "true", "fluentd-retry-wait": "50ms"}),
        "busybox", "sh", "-c", "echo early; sleep 1000")
    wait_for("the line in the copy", lambda: clean.out("logs", "late") == "early")
    peer = log_peers.Fluentd(path=path)
    wait_for("the line", lambda: [r["log"] for _, _, r in peer.records] == ["early"], 15)
    peer.stream.stop()


# ---------------------------------------------------------------------------------------------------- splunk

def test_splunk_formats(clean, work):
    base = {"splunk-token": "secret", "splunk-source": "src", "splunk-sourcetype": "kind", "splunk-index": "main",
            "labels": "team"}
    script = "echo '{\"a\": 1}'; echo plain >&2; echo '   '"
    for format in ("inline", "json", "raw"):
        peer = log_peers.Collector("secret")
        cid = run(clean, "splunk", {**base, "splunk-url": f"http://127.0.0.1:{peer.port}", "splunk-format": format}, script,
                  "--label", "team=red")
        wait_for("events", lambda: len(peer.events) == (2 if format == "raw" else 3))
        assert peer.verified == 1 and not peer.problems
        event = next(e for e in peer.events if "plain" not in str(e))
        assert {k: event[k] for k in ("host", "source", "sourcetype", "index")} == {
            "host": HOSTNAME, "source": "src", "sourcetype": "kind", "index": "main"}
        assert abs(float(event["time"]) - time.time()) < 60
        line = {"inline": '{"a": 1}', "json": {"a": 1}}.get(format)
        if format == "raw":
            assert {e["event"] for e in peer.events} == {f'{cid[:12]} team=red {{"a": 1}}', f"{cid[:12]} team=red plain"}
        else:
            assert event["event"] == {"line": line, "source": "stdout", "tag": cid[:12], "attrs": {"team": "red"}}
        peer.close()


def test_splunk_over_tls_compresses_gathers_and_tries_again(clean, work):
    peer = log_peers.Collector("secret", context=log_peers.tls(work_dir(work, "tls")))
    peer.refuse = 2
    run(clean, "splunk", {"splunk-url": f"https://127.0.0.1:{peer.port}", "splunk-token": "secret", "splunk-gzip": "true",
                          "splunk-gzip-level": "9", "splunk-capath": str(work / "tls" / "ca.pem"),
                          "splunk-caname": "collector.example", "tag": "", "splunk-index-acknowledgment": "true"}, "seq 1 2500")
    wait_for("all", lambda: len(peer.events) == 2500, 15)
    assert [e["event"] for e in peer.events] == [{"line": str(i), "source": "stdout"} for i in range(1, 2501)]
    assert peer.encodings == {"gzip"} and max(peer.batches) <= 1000 and None not in peer.channels
    assert peer.hosts == {f"127.0.0.1:{peer.port}"}
    peer.close()


def test_splunk_with_a_wrong_token_is_told_in_the_log(clean):
    peer = log_peers.Collector("right")
    clean.docker("run", "-d", "--name", "wrong", "--network", "none", *opts("splunk", {
        "splunk-url": f"http://127.0.0.1:{peer.port}", "splunk-token": "wrong"}), "busybox", "echo", "one")
    wait_for("the token was refused", lambda: peer.problems)
    peer.close()


# ---------------------------------------------------------------------------------------------------- awslogs

def test_awslogs_creates_signs_sorts_and_batches(clean):
    peer = log_peers.CloudWatch(KEYS)
    cid = run(clean, "awslogs", {"awslogs-group": "g", "awslogs-create-group": "true", "awslogs-force-flush-interval-seconds": "1",
                                 "awslogs-endpoint": f"http://127.0.0.1:{peer.port}"}, "seq 1 12000; echo; printf 'a\\377b\\n'")
    wait_for("all", lambda: len(peer.events("g", cid)) == 12001, 20)
    assert not peer.problems and peer.puts >= 2
    assert [e["message"] for e in peer.events("g", cid)] == [*map(str, range(1, 12001)), "a\ufffdb"]
    peer.close()


def test_awslogs_joins_lines_and_takes_credentials_from_an_endpoint(clean):
    peer = log_peers.CloudWatch({"FROMENDPOINT": ("endpoint secret", "session")}, groups=["g"])
    subprocess.run(["ip", "addr", "replace", "169.254.170.2/32", "dev", "lo"], check=True)
    credentials = log_peers.CloudWatch({}, address=("169.254.170.2", 80))
    try:
        for options in ({"awslogs-multiline-pattern": r"^(?:\d{4})-"}, {"awslogs-datetime-format": r"^%Y-%m-%d"}):
            run(clean, "awslogs", {"awslogs-group": "g", "awslogs-stream": "s", "awslogs-region": "eu-test-1", **options,
                                   "awslogs-credentials-endpoint": "/creds", "awslogs-endpoint": f"http://127.0.0.1:{peer.port}"},
                "echo 2026-11-24 a; echo ' b'; echo ' c'; echo 2026-11-25 d")
            wait_for("two events", lambda: len(peer.events("g", "s")) == 2)
            assert [e["message"] for e in peer.events("g", "s")] == ["2026-11-24 a\n b\n c\n", "2026-11-25 d\n"]
            peer.groups["g"]["s"].clear()  # the stream stays: it exists already, the second time
    finally:
        credentials.close()
        subprocess.run(["ip", "addr", "del", "169.254.170.2/32", "dev", "lo"], check=True)
    assert not peer.problems and credentials.asked == [("GET", "/creds")] * 2
    peer.close()


def test_awslogs_tries_again_and_says_why_a_start_fails(clean):
    peer = log_peers.CloudWatch(KEYS, groups=["g"])
    options = {"awslogs-endpoint": f"http://127.0.0.1:{peer.port}", "awslogs-format": "json/emf"}
    cid = json.loads(create(clean, "awslogs", {**options, "awslogs-group": "missing"})[2])["Id"]
    message = json.loads(clean.http("POST", f"/containers/{cid}/start")[2])["message"]
    assert "failed to initialize logging driver: failed to create Cloudwatch log stream: " in message
    assert "ResourceNotFoundException: The specified log group does not exist." in message
    peer.fail = [(200, "{}"), (500, "{}"), (400, '{"__type":"InvalidSequenceTokenException","expectedSequenceToken":"7"}')]
    peer.groups["g"]["s"] = []
    run(clean, "awslogs", {**options, "awslogs-group": "g", "awslogs-stream": "s"}, "echo one")
    wait_for("the event", lambda: [e["message"] for e in peer.events("g", "s")] == ["one"], 15)
    assert "json/emf" in peer.formats
    peer.close()


# ---------------------------------------------------------------------------------------------------- modes

def test_blocking_slows_the_container_and_loses_nothing(clean):
    peer = log_peers.Stream()
    peer.reading.clear()
    clean.docker("run", "-d", "--name", "slow", "--network", "none", *opts("syslog", {
        "syslog-address": f"tcp://127.0.0.1:{peer.port}", "tag": "T", "cache-disabled": "true"}),
        "busybox", "sh", "-c", "seq 1 400000; touch /done; sleep 1000")
    done = lambda: clean.docker("exec", "slow", "test", "-e", "/done", check=False).returncode == 0
    time.sleep(1)
    assert not done()
    peer.reading.set()
    wait_for("the container goes on", done, 30)
    numbers = lambda: [int(n) for n in re.findall(rb"T\[\d+\]: (\d+)\n", peer.data())]
    wait_for("all lines", lambda: len(numbers()) == 400000, 30, 0.2)
    assert numbers() == list(range(1, 400001))
    peer.stop()


def test_non_blocking_never_waits_and_counts_what_it_loses(clean):
    peer = log_peers.Stream()
    peer.reading.clear()
    clean.docker("run", "-d", "--name", "fast", "--network", "none", *opts("syslog", {
        "syslog-address": f"tcp://127.0.0.1:{peer.port}", "tag": "T", "mode": "non-blocking", "max-buffer-size": "64k",
        "cache-max-size": "40m", "cache-max-file": "2", "cache-compress": "false"}),
        "busybox", "sh", "-c", "seq 1 400000; touch /done; sleep 1000")
    wait_for("the container does not wait", lambda: clean.docker("exec", "fast", "test", "-e", "/done",
                                                                 check=False).returncode == 0, 30)
    peer.reading.set()

    def lost():
        text = clean.docker("logs", "fast").stderr
        return sum(map(int, re.findall(r"\[ballast: (\d+) log lines were not delivered to syslog: ", text)))

    got = lambda: len(re.findall(rb"T\[\d+\]: (\d+)\n", peer.data()))
    wait_for("every line is delivered or counted", lambda: lost() > 0 and lost() + got() == 400000, 40, 0.3)
    assert clean.docker("logs", "fast").stdout.count("\n") == 400000  # the local copy has them all
    assert f'"log lines of a container were not delivered" id={clean.inspect("fast")["Id"]} lines=' in clean.log.read_text()
    peer.stop()


def test_a_peer_that_is_down_holds_the_container_up_for_a_bounded_time(clean):
    peer = log_peers.Stream()
    clean.docker("run", "-d", "--name", "down", "--network", "none", *opts("gelf", {
        "gelf-address": f"tcp://127.0.0.1:{peer.port}", "gelf-tcp-max-reconnect": "1", "gelf-tcp-reconnect-delay": "1"}),
        "busybox", "sh", "-c", "echo first; while [ ! -e /go ]; do sleep .1; done; seq 1 300000; touch /done; sleep 1000")
    wait_for("the first line", lambda: b"first" in peer.data())
    peer.stop()
    clean.docker("exec", "down", "touch", "/go")
    wait_for("the container goes on", lambda: clean.docker("exec", "down", "test", "-e", "/done", check=False).returncode == 0, 30)
    wait_for("the loss is told", lambda: re.search(r"\[ballast: \d+ log lines were not delivered to gelf: dial tcp",
                                                   clean.docker("logs", "down").stderr), 20)


# ---------------------------------------------------------------------------------------------------- the local copy

def test_docker_logs_reads_the_local_copy(clean):
    peer = log_peers.Datagrams()
    address = {"syslog-address": f"udp://127.0.0.1:{peer.port}"}
    run(clean, "syslog", address, LINES, name="copied")
    done = clean.docker("logs", "copied")
    assert (done.stdout, done.stderr) == ("one\nthree\n", "two\n")
    clean.docker("start", "-a", "copied")
    assert clean.docker("logs", "copied").stdout == "one\nthree\n" * 2
    run(clean, "syslog", {**address, "cache-disabled": "true"}, LINES, name="uncopied")
    status, _, body = clean.http("GET", f"/containers/uncopied/logs?stdout=1")
    assert (status, json.loads(body)["message"]) == (501, "configured logging driver does not support reading")
    wait_for("nine messages", lambda: len(peer.got) == 9)
    assert clean.inspect("copied")["LogPath"] == ""
    peer.close()


# ---------------------------------------------------------------------------------------------------- faults

def test_ballast_log_is_started_again_and_the_loss_is_counted(clean):
    peer = log_peers.Stream()
    cid = clean.out("run", "-d", "--network", "none", *opts("syslog", {"syslog-address": f"tcp://127.0.0.1:{peer.port}",
                                                                       "tag": "T"}),
                    "busybox", "sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); usleep 2000; done")
    shim = wait_for("a shim", lambda: shim_of(clean, cid))
    wait_for("lines", lambda: b"]: 20\n" in peer.data())
    first = log_programs(clean)[shim]
    os.kill(first, signal.SIGKILL)
    second = wait_for("another one", lambda: (p := log_programs(clean).get(shim)) and p != first and p)
    wait_for("lines over a second connection", lambda: len(peer.got) == 2 and len(peer.got[1]) > 2000)
    clean.kill()  # the agent: nobody notices
    before = len(peer.got[1])
    wait_for("lines without an agent", lambda: len(peer.got[1]) > before + 1000)
    assert log_programs(clean)[shim] == second
    clean.start()
    clean.docker("stop", "-t", "0", cid)
    wait_for("it is gone", lambda: is_gone(second), 15)
    numbers = [int(n) for n in re.findall(rb"T\[\d+\]: (\d+)\n", peer.data())]
    logs = clean.docker("logs", cid)
    lost = sum(map(int, re.findall(r"\[ballast: (\d+) log lines were not delivered to syslog: ballast-log ended", logs.stderr)))
    written = logs.stdout.count("\n")
    assert numbers == sorted(set(numbers)) and written - len(numbers) <= lost
    peer.stop()


def test_ballast_log_ends_with_its_shim(clean):
    peer = log_peers.Stream()
    cid = clean.out("run", "-d", "--network", "none", *opts("syslog", {"syslog-address": f"tcp://127.0.0.1:{peer.port}"}),
                    "busybox", "sleep", "1000")
    shim = wait_for("a shim", lambda: shim_of(clean, cid))
    program = log_programs(clean)[shim]
    os.kill(shim, signal.SIGKILL)
    wait_for("it is gone", lambda: is_gone(program), 15)
    wait_for("the container is known to be gone", lambda: clean.inspect(cid)["State"]["Status"] == "exited")
    peer.stop()


def test_local_drivers_have_no_such_process_and_the_shim_stays_small(clean):
    peer, shims = log_peers.Datagrams(), {}
    for driver, options in (("json-file", {}), ("none", {}), ("syslog", {"syslog-address": f"udp://127.0.0.1:{peer.port}"})):
        cid = clean.out("run", "-d", "--network", "none", *opts(driver, options), "busybox", "sh", "-c",
                        "seq 1 20000; sleep 1000")
        shim = wait_for("a shim", lambda: shim_of(clean, cid))
        assert (shim in log_programs(clean)) == (driver == "syslog")

        wait_for("lines in the log", lambda: driver == "none" or clean.docker("logs", "--tail", "1", cid).stdout == "20000\n")
        shims[driver] = shim
    if SLOW != 1:
        return  # a sanitizer's shim is not the one that is measured

    def memory(shim):
        text = pathlib.Path(f"/proc/{shim}/smaps_rollup").read_text()
        return int(re.search(r"^Private_Dirty: +(\d+)", text, re.M).group(1))  # the rest is the program's, which they share
    wait_for("all are quiet and small", lambda: max(map(memory, shims.values())) <= 200, 5)
    peer.close()
