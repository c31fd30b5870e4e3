"""What must hold of what a session's clients have shown and ended with, given what was done."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mpboot.session.sets import labels_of
from sessionchaos.plan import Call, Job, Nodes

LOST, NOT_RUN = 255, 126
EXIT_LINE = re.compile(
    r"^mpboot: exit (\d+)(?: \((?:ended by mpboot's \S+|(\S+))\))?: (\S+)(?: \(the command's own\))?$", re.MULTILINE
)
ENDED = (128 + signal.SIGTERM, 128 + signal.SIGKILL)  # how what is ended ends


class World(NamedTuple):
    """What has been done to the session in a round."""

    down: frozenset[str] = frozenset()  # hosts that were not up before, or may not have been
    killed: frozenset[str] = frozenset()  # whose agents were killed
    shrunk: frozenset[str] = frozenset()
    grown: frozenset[str] = frozenset()
    rejoin: bool = False  # whoever is lost may be up again at any time
    ended: bool = False  # the session was ended meanwhile
    unsure: frozenset[str] = frozenset()  # whoever was to grow or shrink these did not hear that it was done


class Seen(NamedTuple):
    """What a client has shown. ``code`` is None where it did not end; ``sent``: the signal that it got, or 0."""

    code: int | None
    out: bytes
    err: str
    report: str | None  # what it wrote by --json
    files: Mapping[str, bytes]  # by --output-dir
    sent: int = 0


def judge_job(job: Job, seen: Seen, world: World) -> list[str]:
    """What is wrong with an exec: nothing, hopefully."""
    if seen.code is None:
        return ["it hangs"]
    if _traceback(seen):
        return ["it shows a traceback"]
    ending = seen.sent if seen.sent not in (signal.SIGSTOP, 0) else 0
    if ending and (seen.code == -ending or _too_early(seen)):  # it was not ready for it yet, or nobody is for KILL
        return []
    if job.kind == "detached":
        return _judge_detached(job, seen, world)
    if seen.code == 2 and _may_be_refused(job, world):
        return [] if _one_line(seen) else [f"refused with more than one line: {seen.err!r}"]
    if job.barrier and seen.code == LOST and not seen.report and world.down | world.killed | world.grown | world.shrunk:
        good = _one_line(seen) and not seen.out and seen.err.startswith("mpboot: not up: ")
        return [] if good else [f"its barrier: {seen.out!r}, {seen.err!r}"]
    interrupted = bool(ending) and seen.code == 128 + ending
    try:
        hosts: dict[str, dict[str, Any]] = json.loads(seen.report or "")["hosts"]
    except (ValueError, LookupError):
        return [] if interrupted else [f"exit code {seen.code} without a report: {seen.err[-500:]!r}"]
    changed = world.shrunk | world.grown if job.all else frozenset()
    wrong = [] if interrupted or set(hosts) ^ set(job.hosts) <= changed else [f"a report of {sorted(hosts)}"]
    shown = outputs(job, seen)
    wrong += [f"output of {host}, which is not in its set" for host in shown.keys() - hosts.keys() if not interrupted]
    for host, end in hosts.items():
        told = _judge_end(job, host, end, world, ending if interrupted else 0)
        told += _judge_output(job, host, shown.get(host, b""), end, interrupted)
        wrong += [f"{host}: {one}" for one in told]
    codes = [LOST if end["exit"] is None else end["exit"] for end in hosts.values()]
    if not interrupted and seen.code != max(codes, default=0) and not (world.ended and seen.code == LOST):
        wrong.append(f"exit code {seen.code}, of {codes}")
    # Who is let go waits for its children, but not for long where one is stopped.
    if any(end.get("missing") for end in hosts.values()) and not (world.killed or world.shrunk or world.ended):
        wrong.append("output is missing, though no agent has ended")
    return wrong + _judge_lines(seen.err, hosts)


def _may_be_refused(job: Job, world: World) -> bool:
    return world.ended or (not job.all and bool(world.shrunk & set(job.hosts)))


def _judge_detached(job: Job, seen: Seen, world: World) -> list[str]:
    if seen.code == 0 and seen.out.strip().isdigit():
        return []
    before, said, hosts = seen.err.strip().rpartition("the command does not run there: ")
    if seen.code == LOST and seen.out.strip().isdigit() and said and _one_line(seen):
        blamed = set(labels_of(hosts) or ()) - (world.down | world.killed | world.grown | world.shrunk)
        return [f"detached: {sorted(blamed)} not up, {before}"] if blamed else []
    if _may_be_refused(job, world) and seen.code in (2, LOST) and _one_line(seen):
        return []
    return [f"detached: exit code {seen.code}, {seen.out!r}, {seen.err!r}"]


def _judge_end(job: Job, host: str, end: Mapping[str, Any], world: World, ending: int) -> list[str]:
    code = end["exit"]
    if code is None:
        if not end.get("cause"):
            return ["no exit code, and no cause"]
        fair = host in world.down | world.killed | world.shrunk | world.grown or world.ended
        return [] if fair else [f"told as {end['cause']} ({end['detail']}), though nobody has harmed it"]
    if code == job.code(host):
        return []
    cut = job.kind == "fed" and bool(world.killed | world.shrunk)  # its input went through an agent that has ended
    ended = bool(ending) or host in world.shrunk | world.killed or world.ended or cut
    if cut and code == NOT_RUN:
        return []
    if ended and code in (*ENDED, 128 + ending):
        return []
    return [f"exit code {code} instead of {job.code(host)}"]


def _judge_output(job: Job, host: str, shown: bytes, end: Mapping[str, Any], interrupted: bool) -> list[str]:
    whole = job.output(host)
    if shown == whole:
        return []
    cut_short = interrupted or end["exit"] is None or end["exit"] != job.code(host)
    if cut_short and whole.startswith(shown.rstrip(b"\n")):
        return []
    if end.get("missing"):
        lost = len(whole) - len(shown)
        near = abs(lost - end["missing"]) <= 2  # a line that is cut gets its end
        return [] if near or cut_short else [f"{lost} bytes are missing, and {end['missing']} are told"]
    return [f"its output is wrong: {len(shown)} bytes instead of {len(whole)}, from {_difference(shown, whole)}"]


def _judge_lines(text: str, hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Do the lines about exit codes say what the report does?"""
    said: dict[tuple[int, str], list[str]] = {}
    for code, cause, names in EXIT_LINE.findall(text):
        if int(code):  # a line about 0 is there where a host has no code
            said.setdefault((int(code), cause), []).extend(labels_of(names) or [])
    told: dict[tuple[int, str], list[str]] = {}
    for host, end in hosts.items():
        if end["exit"] != 0:
            key = (LOST, end["cause"]) if end["exit"] is None else (end["exit"], "")
            told.setdefault(key, []).append(host)
    same = {key: sorted(value) for key, value in said.items()} == {key: sorted(value) for key, value in told.items()}
    return [] if same else [f"the lines say {said}, the report {told}"]


def _too_early(seen: Seen) -> bool:
    """Did Ctrl-C end Python before any of mpboot's code began?"""
    site = "init_import_site" in seen.err or "mpboot" not in seen.err
    return seen.sent == signal.SIGINT and "KeyboardInterrupt" in seen.err and site


def _traceback(seen: Seen) -> bool:
    return "Traceback" in seen.err and not _too_early(seen)


def _one_line(seen: Seen) -> bool:
    return len(seen.err.splitlines()) == 1 and seen.err.startswith("mpboot: ")


def _difference(one: bytes, other: bytes) -> str:
    at = next((at for at, (left, right) in enumerate(zip(one, other)) if left != right), min(len(one), len(other)))
    return f"{at} on: {one[at : at + 60]!r} instead of {other[at : at + 60]!r}"


# -- what was shown --------------------------------------------------------------------------------


def outputs(job: Job, seen: Seen) -> dict[str, bytes]:
    """Each host's standard output, from whatever way it was shown in."""
    if job.way == "files":
        return {name[:-4]: text for name, text in seen.files.items() if name.endswith(".out")}
    return gathered(seen.out) if job.way == "gathered" else prefixed(seen.out)


def prefixed(out: bytes) -> dict[str, bytes]:
    """Lines with the host's name in front."""
    found: dict[str, list[bytes]] = {}
    for line in out.splitlines(keepends=True):
        host, _, rest = line.partition(b": ")
        found.setdefault(host.decode(), []).append(rest)
    return {host: b"".join(lines) for host, lines in found.items()}


def gathered(out: bytes) -> dict[str, bytes]:
    """Blocks, each behind a set of hosts between two rules."""
    parts = re.split(rb"^-{15}\n(\S+)(?: \(\d+\))?\n-{15}\n", out, flags=re.MULTILINE)
    found: dict[str, bytes] = {"?": parts[0]} if parts[0] else {}
    for names, text in zip(parts[1::2], parts[2::2]):
        for host in labels_of(names.decode()) or []:
            found[host] = found.get(host, b"") + text
    return found


# -- other commands --------------------------------------------------------------------------------


def judge_call(call: Call, seen: Seen, world: World) -> list[str]:
    """What is wrong with another command of mpboot's."""
    if seen.code is None:
        return ["it hangs"]
    if _traceback(seen):
        return ["it shows a traceback"]
    if seen.sent and (seen.code in (-seen.sent, 128 + seen.sent) or _too_early(seen)):
        return []
    if world.ended and call.what != "halt":
        return [] if seen.code in (0, 1) or _one_line(seen) else [f"exit code {seen.code}: {seen.err!r}"]
    harmed = world.killed | world.down | world.shrunk
    raced = (2,) if world.rejoin else ()  # it is booted by itself meanwhile
    good = {
        "nodes": (0, 1),
        "grow": (0, *((1,) if harmed & set(call.hosts) else ()), *raced),
        "shrink": (0, *(raced if world.down & set(call.hosts) else ())),
        "kill": (0, 2),
    }.get(call.what, (0,))
    return [] if seen.code in good else [f"exit code {seen.code}: {seen.err.strip()!r}"]


def judge_nodes(nodes: Nodes, known: Iterable[str], world: World) -> list[str]:
    """Does `nodes`, once all has settled, agree with what was done? ``known``: the hosts of the session before."""
    wrong = []
    expected = (set(known) | world.grown) - world.shrunk
    if not set(nodes) ^ expected <= world.unsure:
        wrong.append(f"nodes shows {sorted(nodes)} instead of {sorted(expected)}")
    for host, node in nodes.items():
        if host in world.unsure:
            continue
        state = node["state"]
        # While others are booted, one that is killed is booted anew as in any boot.
        may_be_up = world.rejoin or bool(world.grown) or host not in world.killed | world.down
        may_be_down = host in (world.killed | world.down) - (world.grown - world.killed)
        if state == "up" and not may_be_up:
            wrong.append(f"{host} is up, though its agent was killed")
        if state != "up" and not may_be_down:
            wrong.append(f"{host} is {state} ({node.get('cause')}: {node.get('detail')}), though nobody has harmed it")
    return wrong
