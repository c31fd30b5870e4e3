"""What programs are told as JSON is what its schema in the docs says."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mpboot.tree import causes
from tests.cli.commands import COMMANDS
from tests.support.kept import Kept, kept
from tests.support.run_mpboot import MPBOOT, environment

SCHEMAS = Path(__file__).resolve().parents[1] / "docs" / "schemas"


def schema(name: str, whole: bool = False) -> Any:
    """The schema; ``whole``: it has to name all fields there are, though programs are to expect further ones."""
    text = (SCHEMAS / f"{name}.json").read_text()
    return json.loads(text.replace('"additionalProperties": true', '"additionalProperties": false') if whole else text)


def fits(name: str, text: str) -> Any:
    """The value that was written, once it is known to be as the schema says."""
    value = json.loads(text)
    jsonschema.validate(value, schema(name, whole=True), cls=jsonschema.Draft202012Validator)
    return value


def mpboot(*words: str) -> str:
    done = subprocess.run([*MPBOOT, *words], env=environment(), capture_output=True, text=True, timeout=60, check=False)
    return done.stdout


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_each_is_a_schema(path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))


def test_a_boot() -> None:
    said = mpboot(
        "--hosts", "n[1-3]", "--rsh", "local", "--quiet", "--json", "-", "--", "sh", "-c", "exit $MPBOOT_RANK"
    )
    assert fits("boot", said)["hosts"]["n3"]["exit"] == 2


def test_a_boot_that_fails() -> None:
    said = mpboot("--hosts", "n[1-2]", "--rsh", "false", "--retries", "0", "--quiet", "--json", "-")
    assert fits("boot", said)["hosts"]["n1"]["cause"] == "rsh-failed"


def test_a_boot_that_pushes(tmp_path: Path) -> None:
    words = ("--push", f"{sys.executable}:{tmp_path}/none/here", "--json", "-", "--", "true")
    said = mpboot("--hosts", "n[1-2]", "--rsh", "local", "--quiet", *words)
    assert fits("boot", said)["hosts"]["n1"]["push"]["cause"] == "not-found"


def test_plan() -> None:
    fits("plan", mpboot("plan", "--hosts", "n[1-9]", "--children", "2", "--json", "-"))
    fits("simulate", mpboot("plan", "--simulate", "--hosts-count", "9", "--json", "-"))


def test_inspect(tmp_path: Path) -> None:
    """What is called ssh is taken for one."""
    ssh = tmp_path / "ssh"
    ssh.symlink_to(Path(sys.executable).resolve())
    code = "import socket, sys; s = socket.create_connection(sys.argv[1:3]); print(flush=True); sys.stdin.read()"
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = [str(ssh), "-c", code, *map(str, server.getsockname())]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            told = fits("inspect", mpboot("inspect", "--json", "-", str(process.pid)))
            process.communicate(b"")
    (client,) = told["clients"]
    assert (client["pid"], client["name"], len(client["connections"])) == (process.pid, "ssh", 1)


@pytest.fixture(scope="module")
def user() -> Iterator[Kept]:
    with kept("n[1-2]") as made:
        yield made


def test_a_session(user: Kept, tmp_path: Path) -> None:
    assert fits("exec", user.mpboot("exec", "--json", "-", "--", "false").stdout)["hosts"]["n2"]["exit"] == 1
    assert fits("nodes", user.mpboot("nodes", "--json", "-").stdout)["hosts"]["n1"]["state"] == "up"
    assert fits("files", user.mpboot("push", "--json", "-", sys.executable, str(tmp_path / "new")).stdout)["bytes"]
    failed = fits("files", user.mpboot("pull", "--json", "-", "/nonexistent/file", str(tmp_path / "pulled")).stdout)
    assert failed["hosts"]["n1"]["cause"] == "not-found"
    assert fits("nodes", user.mpboot("grow", "-w", "n3", "--json", "-").stdout)["hosts"]["n3"]["state"] == "up"


def test_sessions_and_jobs(user: Kept) -> None:
    number = user.mpboot("exec", "--detach", "--", "sleep", "600").stdout.strip()
    told = fits("jobs", user.mpboot("jobs", "--json", "-").stdout)["jobs"]
    assert [(str(one["job"]), one["command"], one["detached"]) for one in told] == [(number, ["sleep", "600"], True)]
    assert fits("sessions", user.mpboot("sessions", "--json", "-").stdout)["sessions"]["default"]["jobs"] == 1
    user.mpboot("kill", number)


def test_every_command_that_writes_json_has_its_schema_on_the_page() -> None:
    page = (SCHEMAS.parent / "json.md").read_text()
    writers = [name for name, command in COMMANDS.items() if any("--json" in param.opts for param in command.params)]
    named = {"boot": "mpboot HOSTFILE"}
    assert [name for name in writers if f"`{named.get(name, f'mpboot {name}')} --json FILE`" not in page] == []
    assert sorted(SCHEMAS.glob("*.json")) == sorted(
        {SCHEMAS / one for one in re.findall(r"schemas/(\w+\.json)\)", page)}
    )


def test_the_causes_are_those_of_the_schema() -> None:
    assert set(schema("boot")["$defs"]["failed"]["properties"]["cause"]["enum"]) == {*causes.ALL, ""}
