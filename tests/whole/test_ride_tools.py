"""Ansible, Dask, and whatever meets by rank, over a session whose hosts let nobody in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.support.cluster import need_programs
from tests.support.riding import Riding, riding
from tests.support.waiting import until

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(300)]

PLAYBOOK = """
- hosts: all
  gather_facts: true
  tasks:
    - copy: {src: "{{ where }}/source", dest: "{{ where }}/{{ inventory_hostname }}.copy", mode: "0640"}
    - template: {src: "{{ where }}/text.j2", dest: "{{ where }}/{{ inventory_hostname }}.text"}
    - shell: "cat {{ where }}/{{ inventory_hostname }}.text; hostname >&2; exit 3"
      register: said
      failed_when: said.rc != 3 or said.stderr != inventory_hostname
    - fetch: {src: "{{ where }}/{{ inventory_hostname }}.text", dest: "{{ where }}/fetched/", flat: true}
"""
SUM = """
import sys
from distributed import Client
with Client(sys.argv[1], timeout=60) as client:
    client.wait_for_workers(4, timeout=60)
    squares = client.map(lambda number: number * number, range(100))
    print(client.submit(sum, squares).result(timeout=60))
    def name():
        import socket
        return socket.gethostname()
    print(*sorted(client.run(name).values()))
"""
# What torchrun, Ray and others do at their start: the first rank listens, all others come to it.
MEET = """
import os, socket, time
rank, size = int(os.environ["MPBOOT_RANK"]), int(os.environ["MPBOOT_SIZE"])
place = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
if rank == 0:
    with socket.create_server(place, backlog=size) as door:
        calls = [door.accept()[0] for _ in range(size - 1)]
    names = sorted(call.recv(99).decode() for call in calls)
    for call in calls:
        call.sendall(" ".join(names).encode())
        call.close()
    print("met", len(names) + 1)
else:
    while True:
        try:
            call = socket.create_connection(place)
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    call.sendall(socket.gethostname().encode())
    assert socket.gethostname() in call.makefile().read().split()
"""


@pytest.fixture(scope="module")
def ride() -> Iterator[Riding]:
    """Sixteen hosts whose sshds are stopped, and what rides a session of them."""
    with riding(16) as made:
        yield made


@pytest.fixture
def where(ride: Riding) -> Path:
    """A directory of the test's own, the same on every host."""
    return Path(mkdtemp(dir=ride.directory))


@pytest.mark.long
@pytest.mark.parametrize("pipelining", ["0", "1"])
def test_ansible(ride: Riding, where: Path, pipelining: str) -> None:
    need_programs("ansible-playbook")
    (where / "play.yml").write_text(PLAYBOOK)
    (where / "source").write_text("it came\n")
    (where / "text.j2").write_text("{{ ansible_hostname }} {{ ansible_python.version.major }}\n")
    variables = {"ANSIBLE_PIPELINING": pipelining, "ANSIBLE_LOCAL_TEMP": str(where / "temp")}
    done = ride(
        "ansible-playbook", "-i", ride.cluster.hostfile, "-f", "16", "-e", f"where={where}", where / "play.yml",
        env={**ride.environment, **variables}, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    recap = [line.split() for line in done.stdout.partition("PLAY RECAP")[2].splitlines()[1:] if line]
    assert [(line[0], line[2]) for line in recap] == [(host, "ok=5") for host in ride.hosts]
    for host in ride.hosts:
        assert (where / f"{host}.copy").read_text() == "it came\n"
        assert (where / f"{host}.copy").stat().st_mode & 0o777 == 0o640
        assert (where / "fetched" / f"{host}.text").read_text() == f"{host} 3\n"


def test_ansible_says_of_a_host_that_it_is_not_there(ride: Riding) -> None:
    need_programs("ansible")
    done = ride("ansible", "-i", "h001,none", "all", "-m", "ansible.builtin.raw", "-a", "hostname")
    assert done.returncode == 4
    assert "h001 | CHANGED | rc=0 >>\nh001" in done.stdout
    assert "none | UNREACHABLE!" in done.stdout


@pytest.mark.long
def test_dask(ride: Riding, where: Path) -> None:
    """Its scheduler runs on the head, its workers are a job of the session."""
    need_programs("dask")
    place = where / "scheduler.json"
    words = ["dask", "scheduler", "--host", "head", "--port", "0", "--no-dashboard", "--scheduler-file", place]
    with (where / "log").open("w") as log:
        scheduler = ride.cluster.popen("head", words, env=ride.environment, stdout=log, stderr=log)
    try:
        until(lambda: place.exists() and place.read_text(), 60.0, (where / "log").read_text)
        address = json.loads(place.read_text())["address"]
        worker = ["dask", "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        path = f"PATH={ride.environment['PATH']}"
        begun = ride.mpboot(
            "exec", "-w", "h[001-004]", "--detach", "--env", path, "--chdir", where, "--", *worker
        )  # fmt: skip
        assert begun.returncode == 0, begun.stderr
        job = begun.stdout.strip()
        done = ride.plain("python", "-c", SUM, address, timeout=120)
        assert (done.returncode, done.stdout) == (0, "328350\nh001 h002 h003 h004\n"), done.stderr
        assert ride.mpboot("kill", job).returncode == 0
        until(lambda: not any("dask" in one.command for name in ride.hosts for one in ride.cluster.processes(name)))
        until(lambda: job not in ride.mpboot("jobs").stdout.split())  # its end has still to come up the tree
    finally:
        scheduler.terminate()
        scheduler.wait(30)


def test_ranks_meet(ride: Riding) -> None:
    meeting = ["--env", f"MASTER_ADDR={ride.hosts[0]}", "--env", "MASTER_PORT=29500"]
    done = ride.mpboot("exec", *meeting, "--barrier", "--", "python3", "-c", MEET)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{ride.hosts[0]}: met 16\n", "")
