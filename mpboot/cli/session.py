"""The commands about sessions: sessions, nodes, jobs, kill, grow, shrink, halt."""

from typing import Any

from mpboot.cli import arguments, habits, inputs, json_file
from mpboot.cli.codes import UsageError
from mpboot.cli.sink import complain, standard_sinks, write_all


def _write(lines: list[str]) -> int:
    """Write lines to standard output; returns the exit code."""
    return write_all("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))


def _none(line: str) -> int:
    """Say on standard error that there is nothing to show, and leave standard output empty; returns the exit code."""
    _, err = standard_sinks()
    err.write(f"mpboot: {line}\n".encode())
    err.flush()
    return 0


def _write_json(target: int, value: Any, code: int = 0) -> int:
    """Write JSON to the file of --json; returns the exit code."""
    out, err = standard_sinks()
    code = json_file.write_json(target, json_file.dumped(value), out, err, code)
    complain(out, err)
    err.flush()
    return code


def sessions_command(json: arguments.Json = None) -> int:
    """Show this user's sessions: hosts up, lost and failed, age, jobs."""
    from mpboot.session.handle import Session, sessions
    from mpboot.session.registry import SessionError
    from mpboot.text import aligned, seconds

    target = None if json is None else json_file.open_for_json(json)
    told: dict[str, dict[str, Any]] = {}
    rows: list[tuple[str, ...]] = [("session", "up", "lost", "failed", "age", "jobs")]
    for name in sessions():
        try:
            about = told[name] = Session(name).about()
        except SessionError as error:
            told[name] = {"error": str(error)}
            rows.append((name, "-", "-", "-", "-", str(error)))
            continue
        rows.append((
            name, *(str(about[state]) for state in ("up", "lost", "failed")), seconds(about["age"]), str(about["jobs"])
        ))  # fmt: skip
    if target is not None:
        return _write_json(target, {"sessions": told})
    return _write(aligned(rows)) if told else _none("no session is kept: mpboot HOSTFILE --keep begins one")


def nodes_command(
    name: arguments.SessionName = "default", json: arguments.Json = None, long: arguments.Long = False
) -> int:
    """Show the hosts of a session: which are up, and why the others are not."""
    from mpboot.session.handle import Session

    target = None if json is None else json_file.open_for_json(json)
    nodes = Session(name).nodes()
    if not nodes and target is None:
        return _none(f"session {name} has no hosts: mpboot grow HOSTFILE boots some, mpboot halt ends it")
    code = int(any(row["state"] != "up" for row in nodes.values()))
    if target is not None:
        return _write_json(target, {"session": name, "hosts": nodes}, code)
    folded = standard_sinks()[0].is_terminal and not long
    return _write(_folded(nodes) if folded else _long(nodes)) or code


def _long(nodes: dict[str, Any]) -> list[str]:
    from mpboot.text import aligned, printable

    rows = []
    for host, row in nodes.items():
        if row["state"] == "up":
            about = f"rank {row['rank']}, level {row['level']} below {row['parent']}, pid {row['pid']}"
        else:
            about = f"{row['cause']}: {row['detail']}"
        rows.append((host, row["state"], printable(about)))
    return aligned(rows)


def _folded(nodes: dict[str, Any]) -> list[str]:
    from mpboot.text import aligned, fold, printable

    kinds: dict[tuple[str, str], list[str]] = {}
    for host, row in nodes.items():
        about = "" if row["state"] == "up" else f"{row['cause']}: {row['detail']}"
        kinds.setdefault((row["state"], printable(about)), []).append(host)
    return aligned([(state, str(len(hosts)), f"{fold(hosts)}{f'  {about}' if about else ''}")
                    for (state, about), hosts in kinds.items()])  # fmt: skip


def jobs_command(name: arguments.SessionName = "default", json: arguments.Json = None) -> int:
    """Show the jobs that run in a session."""
    import shlex

    from mpboot.session.handle import Session
    from mpboot.text import aligned, printable, seconds

    target = None if json is None else json_file.open_for_json(json)
    jobs = Session(name).jobs()
    if target is not None:
        return _write_json(target, {"session": name, "jobs": jobs})
    rows = [("job", "hosts", "left", "age", "command")]
    for job in jobs:
        command = printable(shlex.join(job["command"]))
        detached = "  (detached)" if job["detached"] else ""
        rows.append((str(job["job"]), str(job["hosts"]), str(job["left"]), seconds(job["seconds"]), command + detached))
    return _write(aligned(rows)) if jobs else _none(f"no job runs in session {name}")


def kill_command(job: arguments.Job, name: arguments.SessionName = "default", signal: arguments.Signal = None) -> int:
    """End a job: TERM to all its processes, then KILL to what is left; or only the signal given."""
    from mpboot.session.handle import Session

    if signal is None:
        Session(name).kill(job)
    else:
        Session(name).kill(job, signal, last=False)
    return 0


def grow_command(
    hostfile: arguments.Hostfile = None,
    hosts: arguments.Hosts = None,
    exclude: arguments.Exclude = None,
    name: arguments.SessionName = "default",
    json: arguments.Json = None,
) -> int:
    """Boot more hosts as part of a session, or again those that are not up."""
    from mpboot.session.handle import Session
    from mpboot.text import fold

    habits.check_hostfile(hostfile)
    found = inputs.read_hosts(hostfile, hosts, exclude)
    target = None if json is None else json_file.open_for_json(json, hostfile)
    _, err = standard_sinks()
    inputs.warn(found, err)
    rows = Session(name).grow(found.hosts)
    bad = {host: row for host, row in rows.items() if row["state"] != "up"}
    count = f"{len(rows) - len(bad)} of {len(rows)} host{'s' * (len(rows) != 1)}"
    summary = f"mpboot: {count} up{f'; not up: {fold(bad)}' if bad else ''}"
    lines = [*_folded(bad), summary]
    err.write("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
    err.flush()
    if target is not None:
        return _write_json(target, {"session": name, "hosts": rows}, int(bool(bad)))
    return int(bool(bad))


def shrink_command(on: arguments.Leaving = None, name: arguments.SessionName = "default") -> int:
    """Let go of hosts: their agents end, and the hosts below them stay."""
    from mpboot.session.handle import Session
    from mpboot.text import fold

    labels = inputs.read_set(on, needed=True)
    if not labels:
        raise UsageError("shrink: say which hosts go, as in -w 'node[1-3]'")
    gone = Session(name).shrink(labels)
    left = [label for label in labels if label not in gone]
    if left:
        raise UsageError(f"{fold(left)} did not end in time")
    return 0


def halt_command(name: arguments.SessionName = "default") -> int:
    """End a session: nothing is left on any host."""
    from mpboot.session.handle import Session

    Session(name).halt()
    return 0


COMMANDS = (
    ("nodes", nodes_command), ("sessions", sessions_command), ("jobs", jobs_command), ("kill", kill_command),
    ("grow", grow_command), ("shrink", shrink_command), ("halt", halt_command),
)  # fmt: skip
