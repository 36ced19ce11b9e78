"""The same calls to dockerd and to us give the same replies, apart from what differences.md lists."""
import os
import re
import subprocess

import pytest

import conftest
import differential
from differential_cases import SCENARIOS

DOCUMENT = conftest.ROOT / "tests/integration/differences.md"

# (scenario, label, path) as regular expressions -> the paragraph in differences.md.
ACCEPTED = [
    (".*", ".*", r"\$\.GraphDriver\.Data\..*", "Directories of the storage driver"),
    (".*", ".*", r"\$\.NetworkSettings\.SandboxKey", "The name of the network namespace"),
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
        f"{label} | {path}\n    ours:   {str(ours)[:300]}\n    theirs: {str(theirs)[:300]}" for label, path, ours, theirs in found)


def test_every_accepted_difference_is_explained_and_real():
    if len(calls) < len(SCENARIOS):
        pytest.skip("not every scenario was run")
    assert sum(calls) >= 200
    text = DOCUMENT.read_text()
    assert not [row for row in ACCEPTED if f"## {row[3]}" not in text], "rows without a paragraph"
    assert not [row for row in ACCEPTED if row not in used], "rows that match nothing any more"
