"""Who is measured: how each is run on the emulated head, and what proves that it reached every host."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Words = list[str]


@dataclass
class Course:
    """What a contender finds on the head."""

    hosts: list[str]
    scratch: Path  # hostfiles and output; hosts: one host a line, lamhosts: the head first
    rsh: str  # the stand-in, or ssh
    mpboot: Words  # the command

    @property
    def hostfile(self) -> str:
        return str(self.scratch / "hosts")

    @property
    def tell(self) -> str:
        """A program that says where it runs, in words that no other message has."""
        return str(self.scratch / "tell")

    @property
    def report(self) -> Path:
        return self.scratch / "report.json"


def names_in(output: str, course: Course) -> int:
    """On how many hosts `tell` has run."""
    return len(set(re.findall(r"runs-on:([\w.-]+):", output)) & set(course.hosts))


def up_in_report(_: str, course: Course) -> int:
    try:
        return int(json.loads(course.report.read_text())["up"])
    except (OSError, ValueError, KeyError):
        return 0


def booted_by_lam(output: str, course: Course) -> int:
    """`lamnodes` has a line for each daemon; the head's own is not counted."""
    return len(
        {line.split()[1].split(":")[0] for line in output.splitlines() if line.startswith("n")} & {*course.hosts}
    )


@dataclass
class Contender:
    """One way to start something on all hosts."""

    name: str
    what: str  # in a few words
    command: Callable[[Course], Words]
    reached: Callable[[str, Course], int] = names_in
    program: str = ""  # without it (on PATH) it can't be run
    package: str = ""  # of Debian
    environment: dict[str, str] = field(default_factory=dict)
    check: Callable[[Course], Words] | None = None  # a second command, untimed, whose output is counted instead
    end: Words = field(default_factory=list)  # untimed
    unprivileged: bool = False  # refuses root
    sequential: bool = False  # one host after another: run once, with time enough
    with_command: Contender | None = None  # the same with a command on each host, where it has none

    @property
    def is_here(self) -> bool:
        return not self.program or shutil.which(self.program) is not None


def mpboot(name: str, what: str, *words: str, with_command: bool = False, sequential: bool = False) -> Contender:
    def command(course: Course) -> Words:
        own = [*course.mpboot, course.hostfile, "--rsh", course.rsh, "--quiet", "--json", str(course.report), *words]
        return [*own, "--", course.tell] if with_command else own

    def reached(output: str, course: Course) -> int:
        up = up_in_report(output, course)
        return min(up, names_in(output, course)) if with_command else up

    twin = None if with_command else mpboot(name, what, *words, with_command=True, sequential=sequential)
    return Contender(name, what, command, reached, sequential=sequential, with_command=twin)


def taktuk(name: str, *words: str, window: bool = False) -> Contender:
    def command(course: Course) -> Words:
        wide = ["-w", str(len(course.hosts))] if window else []
        start = ["taktuk", "-s", *words, *wide, "-c", course.rsh, "-f", course.hostfile]
        return [*start, "broadcast", "exec", "[", course.tell, "]"]

    return Contender(name, "TakTuk, an agent on each host", command, program="taktuk", package="taktuk")


def openmpi(name: str, radix: int) -> Contender:
    def command(course: Course) -> Words:
        return [
            "mpirun.openmpi", "--hostfile", course.hostfile, "--map-by", "ppr:1:node", "-np", str(len(course.hosts)),
            "--mca", "plm_rsh_agent", course.rsh, "--mca", "routed", "radix", "--mca", "routed_radix", str(radix),
            "--mca", "oob_tcp_if_include", "eth0", course.tell,
        ]  # fmt: skip

    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"} if os.getuid() == 0 else {}
    what = f"Open MPI, tree spawn of radix {radix}, a daemon on each host"
    return Contender(name, what, command, program="mpirun.openmpi", package="openmpi-bin", environment=root)


def hydra(course: Course) -> Words:
    return ["mpiexec.hydra", "-launcher", "ssh", "-launcher-exec", course.rsh, "-f", course.hostfile,
            "-ppn", "1", "-n", str(len(course.hosts)), course.tell]  # fmt: skip


def lamboot(course: Course) -> Words:
    return ["env", f"LAMRSH={course.rsh}", "lamboot.lam" if shutil.which("lamboot.lam") else "lamboot",
            str(course.scratch / "lamhosts")]  # fmt: skip


def pdsh(fanout: int) -> Callable[[Course], Words]:
    def command(course: Course) -> Words:
        return ["pdsh", "-R", "ssh", "-f", str(fanout or len(course.hosts)), "-w", "^" + course.hostfile, course.tell]

    return command


PDSH_SSH = {"PDSH_SSH_ARGS": "-a -x -l%u %h"}  # its default has a -2 that no ssh needs


def clush(fanout: int) -> Callable[[Course], Words]:
    def command(course: Course) -> Words:
        return ["clush", "-q", "-f", str(fanout or len(course.hosts)), "--hostfile", course.hostfile, course.tell]

    return command


def pssh(course: Course) -> Words:
    return ["parallel-ssh", "-h", course.hostfile, "-p", str(len(course.hosts)), "-t", "0", "-i", course.tell]


PLAIN = "no agent"
CONTENDERS = (
    mpboot("adaptive", "mpboot's default", "--topology", "adaptive"),
    mpboot("flat", "mpboot, all from the head", "--topology", "flat"),
    mpboot("tree 2", "mpboot, binary tree", "--topology", "tree", "--children", "2"),
    mpboot("tree 3", "mpboot, trinary tree", "--topology", "tree", "--children", "3"),
    mpboot("tree 4", "mpboot, quad tree", "--topology", "tree", "--children", "4"),
    mpboot("ring", "mpboot, each host boots the next", "--topology", "ring", sequential=True),
    mpboot("linear", "mpboot, one after another", "--topology", "linear", sequential=True),
    mpboot("with command", "mpboot's default, and a command on each host", with_command=True),
    Contender("lamboot", "LAM/MPI, a daemon on each host", lamboot, booted_by_lam, "lamboot", "lam-runtime",
              check=lambda _: ["lamnodes"], end=["lamhalt"], unprivileged=True, sequential=True),
    taktuk("taktuk"),
    taktuk("taktuk -w N", window=True),
    taktuk("taktuk -d 4", "-d", "4"),
    openmpi("openmpi 64", 64),
    openmpi("openmpi 4", 4),
    Contender("hydra", "MPICH's Hydra, a proxy on each host", hydra, program="mpiexec.hydra", package="mpich"),
    Contender("pdsh -f 32", f"pdsh, {PLAIN}", pdsh(32), program="pdsh", package="pdsh", environment=PDSH_SSH),
    Contender("pdsh -f N", f"pdsh, {PLAIN}", pdsh(0), program="pdsh", package="pdsh", environment=PDSH_SSH),
    Contender("clush -f 64", f"ClusterShell, {PLAIN}", clush(64), program="clush", package="clustershell"),
    Contender("clush -f N", f"ClusterShell, {PLAIN}", clush(0), program="clush", package="clustershell"),
    Contender("pssh -p N", f"parallel-ssh, {PLAIN}", pssh, program="parallel-ssh", package="pssh"),
)  # fmt: skip


def choose(only: str, command: bool = False) -> list[Contender]:
    """Those whose name is in the list, or begins with a word of it; all for an empty one. ValueError otherwise.

    ``command``: each runs one on every host.
    """
    chosen = []
    for word in filter(None, (word.strip() for word in only.split(","))):
        exact = [one for one in CONTENDERS if one.name == word]
        found = exact or [one for one in CONTENDERS if one.name.split()[0] == word]
        if not found:
            raise ValueError(f"--only {word}: there are {', '.join(one.name for one in CONTENDERS)}")
        chosen += [one for one in found if one not in chosen]
    return [(command and one.with_command) or one for one in chosen or CONTENDERS]
