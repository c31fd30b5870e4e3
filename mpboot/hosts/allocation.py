"""The hosts that a batch system has given this job, as its environment tells: Slurm, PBS, LSF, SGE, OAR, Cobalt.

Reads nothing itself but the environment that it is handed; files go through the reader it is handed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from mpboot.hosts.host import Host, HostError
from mpboot.hosts.nodeset import MAX_HOSTS
from mpboot.hosts.syntax import MAX_SLOTS, Entries, check_name, expand, parse_number, split_list
from mpboot.text import printable, shown

_FILES = (
    "PBS_NODEFILE", "LSB_DJOB_HOSTFILE", "PE_HOSTFILE", "OAR_NODEFILE", "OAR_FILE_NODES", "OAR_NODE_FILE",
    "COBALT_NODEFILE",
)  # fmt: skip
_COUNT = re.compile(r"([0-9]{1,7})(?:\(x([0-9]{1,7})\))?")


def find_allocation(environ: Mapping[str, str], read_text: Callable[[str], str]) -> tuple[Entries, str] | None:
    """The hosts of the allocation and the variable that named them, or None outside of a job.

    The first that is set and not empty wins: Slurm, PBS, LSF, SGE, OAR, Cobalt. Every host comes once, with
    `slots` where the batch system tells them. `read_text` gives a file's text or raises HostError. Raises HostError.
    """
    for variable in ("SLURM_JOB_NODELIST", "SLURM_NODELIST"):
        if environ.get(variable):
            return _slurm(environ, variable), variable
    for variable in _FILES:
        if variable == "PE_HOSTFILE":  # LSF's other variables come before SGE's
            for words in ("LSB_MCPU_HOSTS", "LSB_HOSTS"):
                if environ.get(words):
                    return _lsf(environ[words], words), words
        if environ.get(variable):
            source = f"{variable}={printable(environ[variable])}"
            return _file(_text(environ[variable], variable, read_text), source, variable), source
    return None


def _text(path: str, variable: str, read_text: Callable[[str], str]) -> str:
    try:
        return read_text("./-" if path == "-" else path)  # a file, never standard input
    except HostError as error:
        advice = f"outside of a job, unset {variable} or give a hostfile"
        raise HostError(f"{variable}: {error}; {advice}") from None


def _file(text: str, source: str, variable: str) -> Entries:
    """One host a line, repeated once for each slot; in SGE's file the second word is the number of slots."""
    pairs = []
    for count, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if words and variable == "PE_HOSTFILE" and len(words) < 2:
            raise HostError(f"{source}:{count}: {shown(line)} has no slot count: write «host slots queue»")
        if words:
            pairs.append((words[0], words[1] if variable == "PE_HOSTFILE" else "1", f"{source}:{count}: "))
    return _counted(pairs)


def _lsf(value: str, variable: str) -> Entries:
    """LSB_MCPU_HOSTS is `hostA 5 hostB 4`, LSB_HOSTS is `hostA hostA hostB`."""
    words = value.split()
    if variable == "LSB_HOSTS":
        return _counted((word, "1", f"{variable}: ") for word in words)
    if len(words) % 2:
        raise HostError(f"{variable}: {shown(value)} is not made of pairs: write «host slots host slots»")
    return _counted(zip(words[::2], words[1::2], [f"{variable}: "] * len(words)))


def _counted(pairs: Iterable[tuple[str, str, str]]) -> Entries:
    """Hosts in the order in which they first occur, their slots added up; each comes with «source:line: »."""
    slots: dict[str, int] = {}
    names: dict[str, str] = {}  # as written → checked
    for word, count, where in pairs:
        try:
            name = names.get(word) or names.setdefault(word, check_name(word))
            number = 1 if count == "1" else parse_number(count, "slot count", MAX_SLOTS)
            slots[name] = slots.get(name, 0) + number
        except HostError as error:
            raise HostError(f"{where}{error}") from None
    return Entries([Host(name, slots=count) for name, count in slots.items()])


def _slurm(environ: Mapping[str, str], variable: str) -> Entries:
    entries = Entries()
    try:
        for piece in split_list(environ[variable]):
            entries.hosts += [Host(name) for name in (expand(piece) if "[" in piece else [check_name(piece)])]
            if len(entries.hosts) > MAX_HOSTS:
                raise HostError(f"more than {MAX_HOSTS} hosts, which is the most")
    except HostError as error:
        raise HostError(f"{variable}: {error}") from None
    for counts, key in (("SLURM_TASKS_PER_NODE", "slots"), ("SLURM_JOB_CPUS_PER_NODE", "cpu")):
        if not environ.get(counts):
            continue
        numbers = _repeated(environ[counts])
        if len(numbers) != len(entries.hosts):
            misfit = f"does not fit the {len(entries.hosts)} hosts of {variable}"
            entries.warnings.append(f"{counts}={shown(environ[counts])} {misfit} and is ignored")
            continue
        for i, number in enumerate(numbers):
            host = entries.hosts[i]
            entries.hosts[i] = replace(host, slots=number) if key == "slots" else replace(host, cpu=number)
    return entries


def _repeated(text: str) -> list[int]:
    """`4(x2),3` → [4, 4, 3]; empty when it is anything else, or longer than a list of hosts may be."""
    numbers: list[int] = []
    for part in text.split(","):
        match = _COUNT.fullmatch(part)
        if not match or not int(match[1]):
            return []
        times = int(match[2] or 1)
        if len(numbers) + times > MAX_HOSTS:
            return []
        numbers += [int(match[1])] * times
    return numbers
