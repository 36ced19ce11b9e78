"""The same calls to dockerd and to us give the same replies, apart from what differences.md lists."""
import os
import re
import subprocess

import pytest

import conftest
import differential
import differential_observe  # noqa: F401 (more scenarios)
from differential_cases import SCENARIOS

DOCUMENT = conftest.ROOT / "tests/integration/differences.md"

# (scenario, label, path) as regular expressions -> the paragraph in differences.md.
ACCEPTED = [
    (".*", ".*", r"\$(\[\d+\])?\.GraphDriver\.Data(\..*)?", "Directories of the storage driver"),
    (".*", ".*", r"\$\.NetworkSettings\.SandboxKey", "The name of the network namespace"),
    ("create_refused", "create: (not json|an array|wrong type|wrong number)", r"\$\.message", "Wrong types and broken JSON"),
    ("updates", r"update \{\"Memory\": \"x\"\}", r"\$\.message", "Wrong types and broken JSON"),
    ("volumes", r"volume create \{\"Name\": 5\}", r"\$\.message", "Wrong types and broken JSON"),
    ("create_refused", "create: (no image|hostname|exposed port|exposed protocol|bound protocol|network of no container|userns mode|log size"
     "|log files|dns|ulimit|ulimit order|device rule|device request|device count and ids|privileged and remapped|unknown network)", "status",
     "Refused at create, not at start"),
    ("create_refused", "create: (security option|security value|no new privileges|system paths)", "status", "Wrong arguments are 400"),
    ("life", r".*stop\?signal=NOPE", "status", "Wrong arguments are 400"),
    ("start_fails", ".*/f-(user|group|device|sysctl)/start", "status", "Wrong arguments are 400"),
    ("start_fails", ".*/create.*=f-cwd|POST /containers/f-cwd/start.*", "status|calls", "The working directory"),
    ("start_fails", ".*/f-port/start", "status", "A host address that is not there"),
    ("inspect_.*", ".*/config/json", r"\$\.Config\.Env", "Variables without a value"),
    ("volumes", "POST /volumes/prune.*", r"\$\.message", "Words of Go's library"),
    ("networks", "POST /networks/create", r"\$\.message", "Words of Go's library"),
    ("networks", "GET /networks.*", r"\$(\[0\])?\.IPAM\.(Config\[0\]\.Gateway|Options)", "The gateway of a network is shown"),
    ("images", "POST /images/create", "status", "Wrong arguments are 400"),
    ("inspect_.*", ".*/mac/json", r"\$\.(Config|NetworkSettings)\.MacAddress", "A hardware address is that of an endpoint"),
    ("events", ".*", r"\$\.(network|volume)", "A restart takes nothing away"),
    ("commits", ".*/json", r"\$\.DockerVersion", "The engine's version"),
]
used = set()
calls = []

pytestmark = pytest.mark.skipif(not (differential.PEERS / "usr/sbin/dockerd").exists() or float(os.environ.get("BALLAST_SLOW", "1")) > 1,
                                reason="needs dockerd in build/peers (tests/tools/debs), and time")


@pytest.fixture(scope="module")
def engines(work, archive, agent):
    other = differential.Dockerd(work / "dockerd")
    other.start()
    other.docker("load", "-i", archive)
    yield agent, other
    other.remove_everything()
    other.stop()


def known_ids(agent, other):
    ids = set()
    for engine in (agent, other):
        image = engine.json("/images/busybox/json")
        ids |= {d.removeprefix("sha256:") for d in [image["Id"], *image["RootFS"]["Layers"]]}
    return ids


def forgiven(scenario, difference):
    label, path, *_ = difference
    for row in ACCEPTED:
        if all(re.fullmatch(pattern, text) for pattern, text in zip(row, (scenario, label, path))):
            used.add(row)
            return True
    return False


@pytest.mark.parametrize("name", SCENARIOS)
def test_replies_are_those_of_dockerd(engines, name):
    known = known_ids(*engines)
    sides = [differential.Side(engine, known) for engine in engines]
    for side in sides:
        try:
            SCENARIOS[name](side)
        finally:
            side.engine.remove_everything()
    calls.append(len(sides[0].replies))
    found = [d for d in differential.compare(*sides) if not forgiven(name, d)]
    assert not found, f"{len(found)} differences\n" + "\n".join(
        f"{label} | {path}\n    ours:   {str(ours)[:300]}\n    theirs: {str(theirs)[:3000]}" for label, path, ours, theirs in found)


def test_every_accepted_difference_is_explained_and_real():
    if len(calls) < len(SCENARIOS):
        pytest.skip("not every scenario was run")
    assert sum(calls) >= 200
    text = DOCUMENT.read_text()
    assert not [row for row in ACCEPTED if f"## {row[3]}" not in text], "rows without a paragraph"
    assert not [row for row in ACCEPTED if row not in used], "rows that match nothing any more"
