"""The agent's memory: what it has lost when it ends.

The address sanitizer's run looks for leaks too; this one looks at the program as it is shipped.
"""
import shutil

import pytest

from conftest import SLOW, Agent, end_agent, wait_for

VALGRIND = shutil.which("valgrind")


class Watched(Agent):
    """An agent under valgrind.  Its shims run without."""

    def __init__(self, base, *args):
        super().__init__(base, *args)
        self.log_file = self.base / "valgrind.log"
        self.prefix = [VALGRIND, "-q", "--leak-check=full", "--errors-for-leak-kinds=definite",
                       "--show-leak-kinds=definite", "--error-exitcode=9", "--num-callers=30",
                       f"--log-file={self.log_file}"]

    def findings(self):
        """Without the lines on system calls newer than valgrind, which it answers with ENOSYS."""
        return "\n".join(line for line in self.log_file.read_text().splitlines() if line.startswith("=="))


@pytest.mark.skipif(not VALGRIND, reason="there is no valgrind")
@pytest.mark.skipif(SLOW > 1, reason="a sanitizer's build cannot run under valgrind")
def test_an_agent_that_has_run_containers_has_lost_no_memory(work, archive):
    agent = Watched(work / "valgrind")
    agent.start()
    try:
        agent.docker("load", "-i", archive)
        agent.docker("network", "create", "n1")
        agent.docker("volume", "create", "v1")
        for i in range(5):
            agent.docker("run", "-d", "--name", f"c{i}", "--network", "n1", "-v", "v1:/v", "-p", "80",
                         "busybox", "sh", "-c", f"echo {i}; exec sleep 1000")
        for i in range(5):
            assert agent.out("logs", f"c{i}") == str(i)
            assert agent.out("exec", f"c{i}", "echo", "there") == "there"
            agent.inspect(f"c{i}")
        assert len(agent.out("ps", "-q").split()) == 5
        assert agent.docker("run", "--rm", "busybox", "/nothing", check=False).returncode == 127
        agent.docker("stop", "-t", "0", *(f"c{i}" for i in range(5)))
        agent.docker("start", "c0")
        agent.docker("kill", "c0")
        wait_for("c0 has ended", lambda: not agent.out("ps", "-q"))
        agent.docker("rm", *(f"c{i}" for i in range(5)))
        agent.docker("network", "rm", "n1")
        agent.docker("volume", "rm", "v1")
        code = agent.stop()
        findings = agent.findings()
        assert code == 0 and not findings, f"exit {code}\n{findings}"
    finally:
        agent.prefix = []
        end_agent(agent)
