"""The tutorial, typed on the head of an emulated cluster: each line works, and prints what the page says."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import Cluster, configured
from tests.support.waiting import until

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(120)]
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tutorial.md").read_text()
# Its installing is for a clone, and its keys are for hosts with a password.
PARTS = ["2. Name the hosts", "4. Boot", "5. See a failure", "6. Run a command", "7. Keep a session"]
NAMES = {f"node{number}": f"h00{number}" for number in range(1, 9)}


def part(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def typed(title: str) -> str:
    return "".join(re.findall(r"^```sh\n(.*?)^```$", part(title), re.MULTILINE | re.DOTALL))


def shown(title: str) -> list[str]:
    """What the page says is printed, as patterns: figures differ."""
    # No name server is there.
    text = part(title).replace("Name or service not known", "Temporary failure in name resolution")
    lines = re.findall(r"^    (.*)$", text, re.MULTILINE)
    return [re.sub(r"\d+\\\.\d+", r"\\d+\\.\\d+", re.escape(line)) for line in lines]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(8, "ssh", head_address="real") as made:
        yield made


@pytest.mark.long
def test_each_line_works(cluster: Cluster, tmp_path: Path) -> None:
    config = "".join(f"Host {name}\n  HostName {host}\n" for name, host in NAMES.items())
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    bash = shutil.which("bash")
    assert bash is not None
    with configured(cluster, config):
        lines = "\n".join(f"echo '== {title}'\n{typed(title)}" for title in PARTS)
        done = cluster.run(
            "head", [bash, "-c", f"cd {tmp_path}; exec 2>&1\n{lines}"],
            env={**cluster.env, "XDG_RUNTIME_DIR": str(runtime)},
        )  # fmt: skip
    assert done.returncode == 0, done.stdout
    for title in PARTS:
        said = done.stdout.partition(f"== {title}\n")[2].partition("\n== ")[0]
        missing = [line for line in shown(title) if not re.search(f"^{line}$", said, re.MULTILINE)]
        assert not missing, said
    session = done.stdout.partition("== 7. Keep a session\n")[2]
    assert "\nnode4: h004\n" in session  # by exec
    assert "\nh001\n" in session  # by an ssh that rides
    until(lambda: not cluster.all_processes())  # the daemon answers before it is gone
