"""The command `mpboot exec`: a command on the hosts of a session, its output and end shown as a boot's."""

import signal
from typing import TYPE_CHECKING, Optional

import typer

from mpboot.cli import arguments, habits, inputs, json_file, slips
from mpboot.cli.codes import LOST_CODE, UsageError
from mpboot.cli.sink import Sink, complain, standard_sinks, write_all

if TYPE_CHECKING:
    from mpboot.cli.follow import Follow
    from mpboot.cli.output import Output
    from mpboot.session.run import HostEnd, Run

LAST_WORDS = 0.5  # seconds that a reader has for what is left when it was ended early


def exec_command(
    ctx: typer.Context,
    name: arguments.SessionName = "default",
    on: arguments.On = None,
    without: arguments.Without = None,
    json: arguments.Json = None,
    gather: arguments.Gather = False,
    output_dir: arguments.OutputDir = None,
    stdin: arguments.Stdin = None,
    no_input: arguments.NoInput = False,
    env: arguments.Env = None,
    chdir: arguments.Chdir = None,
    command_timeout: arguments.CommandTimeout = None,
    barrier: arguments.Barrier = False,
    largest: arguments.Largest = False,  # noqa: ARG001
    detach: arguments.Detach = False,
) -> int:
    """Run `-- COMMAND …` on the hosts of a session."""
    words: Optional[list[str]] = ctx.obj
    if words is None:
        raise UsageError("no command: it goes behind --, as in mpboot exec -- uptime")
    habits.check_command(words)
    from mpboot.head.signals import heeded_early, held_back
    from mpboot.session.handle import Session

    if detach and (gather or output_dir or stdin or json):
        raise UsageError("--detach waits for nothing: leave out --gather, --output-dir, --stdin and --json")
    source = inputs.choose_stdin(ctx, stdin, no_input)
    json_file.keep_out_of(output_dir, json)
    target = None if json is None else json_file.open_for_json(json, stdin)
    sets = [inputs.read_set(on), inputs.read_set(without, "-x")]
    variables = dict(env or ())
    if output_dir is not None:
        from mpboot.cli import outputs

        outputs.choose(*standard_sinks(), gather=False, directory=output_dir, hosts=())  # nothing begins without it
    slip = slips.of_command(words)
    if slip:
        inputs.warn_of([slip], standard_sinks()[1])
    with heeded_early():
        job = Session(name).begin(
            words, sets[0], variables, chdir, command_timeout, without=sets[1], barrier=barrier, stdin=source >= 0,
            detach=detach,
        )  # fmt: skip
        with job, held_back():
            if detach:
                return _told_number(job)
            return _show(job, gather, output_dir, source, target)


def _told_number(job: "Run") -> int:
    """Print the job's number, and say where it never began; returns the exit code."""
    from mpboot.session.run import LOST_CODE as NOT_THERE
    from mpboot.text import fold

    code = write_all(b"%d\n" % job.number)
    if job.down:
        inputs.warn_of([f"not up, so the command does not run there: {fold(job.down)}"], standard_sinks()[1])
    return code or (NOT_THERE if job.down else 0)


def _show(job: "Run", gather: bool, output_dir: Optional[str], source: int, target: Optional[int]) -> int:
    from mpboot.cli import outputs

    out, err = standard_sinks()
    try:
        output = outputs.choose(out, err, gather, output_dir, job.hosts)
    except Exception:
        job.signal(signal.SIGTERM)
        raise
    follow, code = followed(job, out, err, output, source)
    patience = LAST_WORDS if follow.signal else None
    if target is not None:
        code = json_file.write_json(target, json_file.dumped(job.to_dict()), out, err, code)
    complain(out, err)
    err.flush(patience)
    if err.broken or err.error:
        code = LOST_CODE
    return follow.code if follow.signal else out.outcome(code)


def followed(job: "Run", out: Sink, err: Sink, output: "Output", source: int) -> "tuple[Follow, int]":
    """Show a job until it has ended, and how it has; the exit code, which lost output has changed."""
    from mpboot.cli.follow import Follow

    follow = Follow(job, out, err, output, source)
    follow.run()
    cut = output.finish(LAST_WORDS if follow.signal else None)
    _tell_ends(follow, job, cut)
    if output.complaint:
        follow.say(output.complaint)
        return follow, LOST_CODE
    return follow, follow.code


def _tell_ends(follow: "Follow", job: "Run", cut: list[str]) -> None:
    """How the command has ended, where it did not end well."""
    from mpboot.head.exits import exit_lines
    from mpboot.session.registry import ENDED
    from mpboot.text import fold
    from mpboot.tree import causes

    if follow.why:
        follow.say(follow.why)
    for text, hosts in follow.notes.items():
        follow.say(f"{fold(hosts)}: {text}")
    missing = [host for host, end in job.ends.items() if end.missing]
    if missing:
        follow.say(f"{fold(missing)}: some of its output is lost: an agent that passed it on has died")
    if cut:
        follow.say(f"{fold(cut)}: the end of its output was cut: nobody read it in time")

    def why(end: "HostEnd") -> str:
        ours = next((one for one in (end.signal, follow.signal) if one and end.exit == 128 + one), 0)
        return end.cause if end.exit is None else f"ended by mpboot's {signal.Signals(ours).name}" if ours else ""

    def code(end: "HostEnd") -> Optional[int]:
        return None if end.cause == causes.INTERRUPTED else end.code

    for line in exit_lines((host, code(end), why(end)) for host, end in job.ends.items()):
        follow.say(line)
    if any(end.detail == ENDED for end in job.ends.values()):
        follow.say(ENDED)
    hint = habits.hint(job.argv, (end.exit for end in job.ends.values()))
    if hint:
        follow.say(hint)
