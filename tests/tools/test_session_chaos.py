"""What tools/chaos does to sessions is the seed's alone, and its judge sees each thing that must not be."""

from __future__ import annotations

import json
import random
import signal
from collections import Counter
from typing import Any

import pytest
from sessionchaos import plan
from sessionchaos.judge import Seen, World, gathered, judge_call, judge_job, judge_nodes, prefixed
from sessionchaos.plan import Call, Job, Round

HOSTS = ("h1", "h2", "h3", "h4", "h5")
NAMES = [f"h{number}" for number in range(1, 13)]
NODES: dict[str, dict[str, Any]] = {
    "h1": {"state": "up", "parent": "head", "pid": 11},
    "h2": {"state": "up", "parent": "head", "pid": 12},
    "h3": {"state": "up", "parent": "h1", "pid": 13},
    "h4": {"state": "up", "parent": "h1", "pid": 14},
    "h5": {"state": "lost", "cause": "lost", "detail": "gone"},
}
BEGUN = plan.Beginning(HOSTS, ("h6", "h7"), ())


def rounds() -> list[Round]:
    """Many of them, the last ones of sessions too."""
    found = []
    for seed in range(300):
        dice = random.Random(seed)
        found += [plan.next_round(dice, BEGUN, NODES, f"s{seed}r1"), plan.last_round(dice, BEGUN, NODES, f"s{seed}r2")]
    return found


def job(kind: str = "quick", way: str = "plain", on: tuple[str, ...] = HOSTS) -> Job:
    return Job("t1", 0.0, kind, way, on, on == HOSTS, signal.SIGTERM)


def ends(told: Job, **others: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """How it ends on its hosts, those apart."""
    return {host: others.get(host, {"exit": told.code(host)}) for host in told.hosts}


LOST = {"exit": None, "cause": "lost", "detail": "gone"}


def seen(told: Job, how: dict[str, dict[str, Any]] | None = None, **others: Any) -> Seen:
    """What a good client shows of it."""
    how = ends(told) if how is None else how
    codes: dict[str, list[str]] = {}
    for host, end in how.items():
        code, cause = (255, f" ({end['cause']})") if end["exit"] is None else (end["exit"], "")
        codes.setdefault(f"{code}{cause}", []).append(host)
    err = "".join(f"mpboot: exit {code}: {','.join(hosts)}\n" for code, hosts in codes.items())
    out = b""
    for host, end in how.items():
        lines = told.output(host).splitlines(keepends=True) if end["exit"] is not None else []
        out += b"".join(host.encode() + b": " + line for line in lines)
    code = max(255 if end["exit"] is None else end["exit"] for end in how.values())
    return Seen(code, out, err, json.dumps({"hosts": how}), {})._replace(**others)


class TestThePlan:
    def test_the_same_seed_does_the_same(self) -> None:
        assert [str(one) for one in rounds()] == [str(one) for one in rounds()]
        assert plan.beginning(random.Random(1), NAMES) == plan.beginning(random.Random(1), NAMES)

    def test_all_that_there_is_comes(self) -> None:
        kinds = Counter(job.kind for one in rounds() for job in one.jobs)
        assert set(kinds) == set(plan.KINDS)
        assert {call.what for one in rounds() for call in one.calls} == {
            "nodes", "jobs", "sessions", "grow", "shrink", "kill",
        }  # fmt: skip
        harms = {(harm.what, harm.number) for one in rounds() for harm in one.harms}
        assert harms == {
            ("agent", signal.SIGKILL), ("agent", signal.SIGSTOP), ("guard", signal.SIGKILL), ("guard", signal.SIGSTOP),
            ("daemon", signal.SIGSTOP),
            ("client", signal.SIGKILL), ("client", signal.SIGINT), ("client", signal.SIGTERM),
            ("client", signal.SIGHUP), ("client", signal.SIGSTOP), ("client", signal.SIGUSR1),
        }  # fmt: skip
        assert {one.end for one in rounds()} == {"", *plan.ENDS}

    def test_what_must_end_does_and_who_is_stopped_goes_on(self) -> None:
        for one in rounds():
            ended = {harm.token for harm in one.harms if harm.what == "client" and harm.number != signal.SIGSTOP}
            assert one.end or {job.token for job in one.jobs if job.kind == "endless"} <= ended
            for harm in one.harms:
                assert (harm.seconds > 0) == (harm.number == signal.SIGSTOP)
                assert harm.then == signal.SIGCONT or (harm.what, harm.then) == ("agent", signal.SIGKILL)
                assert harm.seconds <= plan.MOST_STOPPED

    def test_only_hosts_that_are_up_are_harmed(self) -> None:
        for one in rounds():
            shrunk = {host for call in one.calls if call.what == "shrink" for host in call.hosts}
            for harm in one.harms:
                if harm.host:
                    assert NODES[harm.host]["pid"] == harm.pid
                    assert harm.host not in shrunk

    def test_some_hosts_are_kept_for_later(self) -> None:
        for seed in range(50):
            begun = plan.beginning(random.Random(seed), NAMES)
            assert [*begun.hosts, *begun.spare] == NAMES
            assert len(begun.hosts) >= 4
            assert len(begun.spare) >= 3

    def test_who_has_others_below(self) -> None:
        assert plan.inner(NODES) == ["h1"]
        assert plan.below(NODES, "h1") == ["h1", "h3", "h4"]

    def test_a_whole_subtree_dies_at_once(self) -> None:
        dead = [{(harm.host, harm.when) for harm in one.harms if harm.number == signal.SIGKILL} for one in rounds()]
        assert any(len(some) == 3 and len({when for _, when in some}) == 1 for some in dead)


class TestTheJudgeOfJobs:
    @pytest.mark.parametrize("kind", ["quick", "long", "much", "fed", "signal"])
    def test_what_is_right(self, kind: str) -> None:
        told = job(kind)
        assert judge_job(told, seen(told), World()) == []

    def test_a_host_that_was_harmed_may_be_lost(self) -> None:
        told = job()
        for world in (World(killed=frozenset({"h2"})), World(down=frozenset({"h2"})), World(shrunk=frozenset({"h2"}))):
            assert judge_job(told, seen(told, ends(told, h2=LOST)), world) == []
        wrong = judge_job(told, seen(told, ends(told, h2=LOST)), World(killed=frozenset({"h3"})))
        assert wrong == ["h2: told as lost (gone), though nobody has harmed it"]

    @pytest.mark.parametrize(
        ("change", "wrong"),
        [
            ({"code": None}, "it hangs"),
            ({"code": 0}, "exit code 0, of "),
            ({"err": "Traceback (most recent call last):"}, "it shows a traceback"),
            ({"err": ""}, "the lines say {}"),
            ({"report": None}, "without a report"),
            ({"report": '{"hosts": {}}'}, "a report of []"),
            ({"out": b""}, "h1: its output is wrong: 0 bytes instead of 6"),
            ({"out": b"h1: t1 h1\nh2: t2 h2\nh3: t1 h3\nh4: t1 h4\nh5: t1 h5\n"}, "h2: its output is wrong"),
            ({"out": b"h1: t1 h1\nh1: t1 h1\nh2: t1 h2\nh3: t1 h3\nh4: t1 h4\nh5: t1 h5\n"}, "h1: its output is wrong"),
            ({"out": b"h9: t1 h9\n"}, "output of h9, which is not in its set"),
        ],
    )
    def test_what_is_wrong(self, change: dict[str, Any], wrong: str) -> None:
        told = job()
        assert any(wrong in one for one in judge_job(told, seen(told, **change), World()))

    def test_a_code_that_is_not_the_command_s(self) -> None:
        told = job()
        for code in (7, 143, 137):
            how = ends(told, h2={"exit": code})
            assert f"h2: exit code {code} instead of 10" in judge_job(told, seen(told, how), World())
        how = ends(told, h2={"exit": 143})
        assert judge_job(told, seen(told, how), World(shrunk=frozenset({"h2"}))) == []
        assert judge_job(told, seen(told, how), World(ended=True)) == []

    def test_input_that_went_through_who_has_died(self) -> None:
        told = job("fed")
        how = ends(told, h2={"exit": 143})
        out = b"".join(b"%s: %s" % (host.encode(), told.output(host)) for host in told.hosts if host != "h2")
        assert judge_job(told, seen(told, how, out=out), World(killed=frozenset({"h3"}))) == []
        assert judge_job(told, seen(told, how, out=out), World()) != []
        for code, good in ((126, True), (1, False)):
            how["h2"]["exit"] = code
            assert (judge_job(told, seen(told, how, out=out), World(shrunk=frozenset({"h3"}))) == []) is good
        part = {**ends(told), "h2": {"exit": 0}}
        digest = b"h2: " + bytes(64).replace(b"\0", b"0") + b"  -\n"  # a sum of a part
        assert judge_job(told, seen(told, part, out=out + digest), World(killed=frozenset({"h3"}))) != []

    def test_bytes_that_are_missing_are_told_to_the_number(self) -> None:
        told = job("much", on=("h1",))
        whole = told.output("h1")
        cut = b"".join(b"h1: " + line for line in (whole[:5000] + whole[9000:]).splitlines(keepends=True))
        for missing, world, good in (
            (4000, World(killed=frozenset({"h3"})), True),
            (4000, World(), False),
            (90, World(killed=frozenset({"h3"})), False),
            (0, World(killed=frozenset({"h3"})), False),
            (4000, World(shrunk=frozenset({"h3"})), True),
        ):
            how = {"h1": {"exit": told.code("h1"), "missing": missing}}
            assert (judge_job(told, seen(told, how, out=cut), world) == []) is good

    def test_a_client_that_got_a_signal(self) -> None:
        told = job("endless", on=("h1",))
        good = seen(told, {"h1": {"exit": 137}}, code=143, sent=signal.SIGTERM)
        assert judge_job(told, good, World()) == []
        assert judge_job(told, good._replace(sent=0), World()) != []
        assert judge_job(told, good._replace(sent=signal.SIGINT), World()) != []
        assert judge_job(told, Seen(-9, b"", "", None, {}, signal.SIGKILL), World()) == []
        assert judge_job(told, Seen(-9, b"", "", None, {}, signal.SIGTERM), World()) != []
        assert judge_job(told, Seen(255, b"", "", None, {}, signal.SIGSTOP), World()) != []

    def test_ctrl_c_before_mpboot_has_begun_is_python_s(self) -> None:
        told = job()
        early = Seen(
            1, b"", "Traceback (most recent call last):\n<frozen site>\nKeyboardInterrupt\n", None, {}, signal.SIGINT
        )
        assert judge_job(told, early, World()) == []
        editable = f"Fatal Python error: init_import_site\n{early.err}/__editable___mpboot_0_1_0_finder.py"
        assert judge_job(told, early._replace(err=editable), World()) == []
        assert judge_job(told, early._replace(sent=0), World()) == ["it shows a traceback"]
        assert judge_job(told, early._replace(err=early.err + "mpboot/cli"), World()) == ["it shows a traceback"]

    def test_the_end_of_the_session_is_told_in_a_line(self) -> None:
        told = job()
        late = Seen(2, b"", "mpboot: no session default\n", None, {})
        assert judge_job(told, late, World(ended=True)) == []
        assert judge_job(told, late, World()) != []
        assert judge_job(told, late._replace(err="mpboot: a\nb\n"), World(ended=True)) != []

    def test_a_barrier(self) -> None:
        told = job()._replace(barrier=True)
        refused = Seen(255, b"", "mpboot: not up: h5; with --barrier nothing is run\n", None, {})
        assert judge_job(told, seen(told), World()) == []
        assert judge_job(told, refused, World(down=frozenset({"h5"}))) == []
        assert judge_job(told, refused, World()) != []
        assert judge_job(told, refused._replace(out=b"h1: t1 h1\n"), World(down=frozenset({"h5"}))) != []

    def test_one_that_is_detached(self) -> None:
        told = job("detached")
        assert judge_job(told, Seen(0, b"7\n", "", None, {}), World()) == []
        for bad in (Seen(0, b"", "", None, {}), Seen(1, b"7\n", "", None, {}), Seen(None, b"", "", None, {})):
            assert judge_job(told, bad, World()) != []
        line = "mpboot: warning: not up, so the command does not run there: h[2-3]\n"
        partly = Seen(255, b"7\n", line, None, {})
        assert judge_job(told, partly, World(down=frozenset({"h2"}), killed=frozenset({"h3"}))) == []
        assert judge_job(told, partly, World(down=frozenset({"h2"}))) != []
        assert judge_job(told, partly._replace(out=b""), World(down=frozenset({"h2", "h3"}))) != []

    def test_each_way_of_showing_output(self) -> None:
        assert prefixed(b"h1: a: b\nh2: c\nh1: d\n") == {"h1": b"a: b\nd\n", "h2": b"c\n"}
        rule = b"-" * 15 + b"\n"
        text = rule + b"h[1-2] (2)\n" + rule + b"a\nb\n" + rule + b"h3\n" + rule + b"c\n"
        assert gathered(text) == {"h1": b"a\nb\n", "h2": b"a\nb\n", "h3": b"c\n"}
        told = job(way="files", on=("h1",))
        files = {"h1.out": told.output("h1"), "h1.err": b""}
        assert judge_job(told, seen(told, out=b"", files=files), World()) == []
        assert judge_job(told, seen(told, out=b"", files={}), World()) != []


class TestTheJudgeOfTheRest:
    @pytest.mark.parametrize(
        ("what", "code", "world", "good"),
        [
            ("nodes", 1, World(), True),
            ("nodes", 2, World(), False),
            ("jobs", 0, World(), True),
            ("jobs", None, World(), False),
            ("kill", 2, World(), True),
            ("grow", 1, World(), False),
            ("grow", 1, World(killed=frozenset({"h1"})), True),
            ("grow", 2, World(), False),
            ("grow", 2, World(rejoin=True), True),
            ("shrink", 2, World(), False),
            ("shrink", 2, World(rejoin=True), False),
            ("shrink", 2, World(rejoin=True, down=frozenset({"h1"})), True),
            ("halt", 0, World(ended=True), True),
            ("halt", 2, World(ended=True), False),
            ("grow", 1, World(ended=True), True),
            ("grow", 2, World(ended=True), False),  # without a line
        ],
    )
    def test_of_other_commands(self, what: str, code: int | None, world: World, good: bool) -> None:
        told = judge_call(Call(0.0, what, ("h1",)), Seen(code, b"", "", None, {}), world)
        assert (told == []) is good

    def test_of_one_whose_client_was_ended(self) -> None:
        for code, good in ((-2, True), (130, True), (0, True), (-9, False), (1, False), (None, False)):
            told = judge_call(Call(0.0, "grow", ("h6",)), Seen(code, b"", "", None, {}, signal.SIGINT), World())
            assert (told == []) is good

    def test_of_what_nodes_shows(self) -> None:
        world = World(down=frozenset({"h5"}))
        assert judge_nodes(NODES, HOSTS, world) == []
        assert judge_nodes(NODES, HOSTS, World()) == ["h5 is lost (lost: gone), though nobody has harmed it"]
        killed = world._replace(killed=frozenset({"h2"}))
        assert judge_nodes(NODES, HOSTS, killed) == ["h2 is up, though its agent was killed"]
        assert judge_nodes(NODES, HOSTS, killed._replace(rejoin=True)) == []
        assert judge_nodes(NODES, HOSTS, world._replace(shrunk=frozenset({"h2"}))) != []
        assert judge_nodes(NODES, HOSTS, world._replace(grown=frozenset({"h6"}))) != []
        assert judge_nodes(NODES, HOSTS, world._replace(grown=frozenset({"h5"}))) != []
        unsure = frozenset({"h5", "h6"})
        assert judge_nodes(NODES, HOSTS, World(grown=unsure, unsure=unsure)) == []
