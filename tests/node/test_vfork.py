"""Starting a program by vfork: the same as by a fork, and only where nothing on the way to it can hang."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.node import guard, vfork
from mpboot.node.guard import Guard
from mpboot.node.vfork import Vfork, is_here, remote
from tests.node.commanding import Host
from tests.node.played import Rounds, open_files
from tests.support.cluster import refuse

ROOT = Path(__file__).resolve().parents[2]
MOUNTED = b"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
28 27 0:25 / /tmp ro shared:12 master:3 - tmpfs none ro,size=4k
29 27 0:40 / /net/a\\040b rw - nfs4 server:/a rw
30 27 0:41 / /auto rw - autofs systemd-1 rw
31 27 0:42 / /mnt/\\134x rw - fuse.sshfs u@h:/ rw
"""
LOOK = (
    "env | sort; ulimit -a; ulimit -Ha; umask; pwd; ls -l /proc/self/fd | wc -l; "
    "grep -E '^(Sig[BIC]|ShdPnd|Seccomp|NoNewPrivs|Umask)' /proc/self/status; cat /proc/self/coredump_filter; "
    'test $(ps -o sid= -p $$) = $$ && echo leads'
)  # fmt: skip
tried = pytest.mark.skipif(sys.version_info[:2] not in vfork.REST, reason="this Python's way to do it was not tried")


@pytest.fixture
def host(loop: Rounds) -> Iterator[Host]:
    made = Host(loop)
    yield made
    made.close()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pids of what was started by vfork."""
    pids: list[int] = []
    start = Vfork.start

    def counting(self: Vfork, *arguments: object) -> int | None:
        pid = start(self, *arguments)  # type: ignore[arg-type]
        pids.append(pid or 0)
        return pid

    monkeypatch.setattr(Vfork, "start", counting)
    return pids


class TestWhatIsElsewhere:
    def test_is_told_by_the_kinds_of_file_systems(self) -> None:
        assert remote(MOUNTED) == {b"/proc", b"/net/a b", b"/auto", b"/mnt/\\x"}

    @pytest.mark.parametrize(("path", "here"), [
        (b"/bin/true", True), (b"/usr/../bin/./true", True), (b"/net/a b/true", False), (b"/net/a b", False),
        (b"/net/a/true", True), (b"/auto/x/..", False), (b"true", False), (b"./true", False), (b"", False),
        (b"/", True), (b"/link/true", False), (b"/far", False), (b"/up/x", True), (b"/loop", False),
        (b"/usr/rel", False),
    ])  # fmt: skip
    def test_no_way_leads_there(self, path: bytes, here: bool) -> None:
        links = {
            b"/link": b"/auto/bin",
            b"/far": b"link",
            b"/up": b"usr/..",
            b"/loop": b"/loop",
            b"/usr/rel": b"../auto",
        }
        assert is_here(path, frozenset((b"/auto", b"/net/a b")), links.get) is here

    def test_on_a_machine_without_disks_all_is(self) -> None:
        assert not is_here(b"/bin/true", frozenset((b"/",)), lambda _: None)

    @given(st.data())
    def test_whatever_links_there_are(self, data: st.DataObject) -> None:
        """Where they lead is walked here in another way: by replacing the first link as long as there is one."""
        names = st.sampled_from([b"a", b"b", b"c"])
        path = st.lists(names, min_size=1, max_size=4).map(lambda parts: b"/" + b"/".join(parts))
        links = data.draw(st.dictionaries(path, path, max_size=4))
        asked, elsewhere = data.draw(path), frozenset(data.draw(st.sets(path, max_size=3)))
        at, seen, passes = asked, 0, False
        while seen <= vfork.MOST_LINKS and not passes:
            parts = at.split(b"/")[1:]
            befores = [b"/" + b"/".join(parts[: count + 1]) for count in range(len(parts))]
            first = next((one for one in befores if one in links or one in elsewhere), None)
            if first is None:
                break
            passes = first in elsewhere
            at, seen = links.get(first, b"") + at[len(first) :], seen + 1
        assert is_here(asked, elsewhere, links.get) is not (passes or seen > vfork.MOST_LINKS)


@tried
class TestTheSame:
    @pytest.mark.parametrize("cores", [0, 100])
    def test_what_it_finds_around_it(self, host: Host, counted: list[int], cores: int) -> None:
        before = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (cores, before[1]))
        try:
            said = []
            for way in (Vfork(), None):
                host.vfork = way
                host.begin("/bin/sh", "-c", LOOK, OURS="o p", MPBOOT_RANK="3")
                host.until_it_ended()
                assert host.codes == [0]
                said.append([line for line in host.text().splitlines() if not line.startswith(b"MPBOOT_TOKEN=")])
                host.sent.clear()
                host.codes.clear()
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, before)
        assert said[0] == said[1]
        assert said[0][-1] == b"leads"
        assert len(counted) == (0 if cores else 1)

    @pytest.mark.parametrize("argv", [
        ("/bin/sh", "-c", "exit 5"), ("/bin/sh", "-c", "kill -KILL $$"), ("cat", "-"), ("nosuchprogram", ""),
        ("/etc/passwd", ""), ("/no/such", ""), ("/bin", ""), ("script", ""), ("{dir}/script", ""), ("{dir}/empty", ""),
        ("", ""), ("a\0b", "x"), ("echo", "a\0b"),
    ])  # fmt: skip
    def test_how_it_ends_and_what_is_said(self, host: Host, tmp_path: Path, argv: tuple[str, ...]) -> None:
        for name, text in (("script", "#!/bin/sh\necho script $0\n"), ("empty", "")):
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        found = []
        children, files = psutil.Process().children(), open_files()
        for way in (Vfork(), None):
            host.vfork = way
            words = [word.format(dir=tmp_path) for word in argv]
            command = host.begin(*words, PATH=f"/nowhere:{tmp_path}:{os.environ['PATH']}")
            host.until_it_ended()
            found.append((host.codes.copy(), host.text(), host.text(2)))
            host.sent.clear()
            host.codes.clear()
            command.close()
        assert found[0] == found[1]
        host.end_all()
        assert (psutil.Process().children(), open_files()) == (children, files)

    def test_in_place_of_one_that_may_not_be_run_the_next_is(self, host: Host, tmp_path: Path) -> None:
        (tmp_path / "sh").write_bytes(vfork.ELF)
        host.begin("sh", "-c", "echo ran", PATH=f"{tmp_path}:{os.environ['PATH']}")
        host.until_it_ended()
        assert (host.codes, host.text()) == ([0], b"ran\n")

    def test_where_there_is_no_room_that_is_told(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        import _posixsubprocess

        def no_room(*_: object) -> int:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        monkeypatch.setattr(_posixsubprocess, "fork_exec", no_room)
        files = len(open_files())
        with pytest.raises(BlockingIOError):
            host.begin("true", "")
        host.guard.close()
        assert len(open_files()) <= files


class TestNotSo:
    @pytest.fixture
    def found(self, tmp_path: Path) -> Callable[..., bytes | None]:
        program = tmp_path / "bin" / "it"
        program.parent.mkdir()
        shutil.copy("/bin/true", program)

        def find(*places: Path | str, way: Vfork | None = None) -> bytes | None:
            return (way or Vfork()).find([os.fsencode(place) for place in places or (program,)])

        return find

    @tried
    def test_a_program_is_found(self, found: Callable[..., bytes | None], tmp_path: Path) -> None:
        assert found() == os.fsencode(tmp_path / "bin/it")
        assert found("/nowhere/it", tmp_path / "bin/it") == os.fsencode(tmp_path / "bin/it")

    def test_behind_a_place_that_is_elsewhere(
        self, found: Callable[..., bytes | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """…even to look there might take for ever."""
        monkeypatch.setattr(vfork, "_look", lambda: frozenset((os.fsencode(tmp_path / "far"),)))
        assert found(tmp_path / "far/it", tmp_path / "bin/it") is None
        (tmp_path / "link").symlink_to(tmp_path / "far")
        assert found(tmp_path / "link/it", tmp_path / "bin/it") is None

    def test_that_is_a_link_to_elsewhere(
        self, found: Callable[..., bytes | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(vfork, "_look", lambda: frozenset((b"/bin", b"/usr/bin")))
        (tmp_path / "bin/other").symlink_to("/bin/true")
        assert found(tmp_path / "bin/other") is None

    @pytest.mark.parametrize("text", ["#!/bin/sh\n", "", "echo\n"])
    def test_a_script(self, found: Callable[..., bytes | None], tmp_path: Path, text: str) -> None:
        (tmp_path / "script").write_text(text)
        assert found(tmp_path / "script") is None

    def test_what_is_no_file(self, found: Callable[..., bytes | None], tmp_path: Path) -> None:
        """…whoever opens a FIFO waits for its other end."""
        os.mkfifo(tmp_path / "fifo")
        assert found(tmp_path / "fifo") is None
        assert found(tmp_path) is None
        assert found("/dev/tty") is None

    def test_with_limits_of_our_own(self, found: Callable[..., bytes | None], monkeypatch: pytest.MonkeyPatch) -> None:
        way = Vfork()
        monkeypatch.setattr("mpboot.net.core._limits", {7: (1, 2)})
        assert found(way=way) is None

    def test_by_a_python_that_was_not_tried(
        self, found: Callable[..., bytes | None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "version_info", (3, 99, 1))
        assert found() is None


def test_the_guard_ends_one_whose_number_it_was_not_told() -> None:
    """The agent was killed between the two: its program has the token in its environment."""
    token = b"t" * guard.TOKEN
    name, value = guard.variable(token).split(b"=")
    agent = os.fork()
    if not agent:
        try:
            guard.KILL_AFTER = 0.1
            known = Guard()
            known.begins()
            known.expects(token)
            os.kill(os.getpid(), signal.SIGSTOP)
        finally:
            os._exit(1)
    os.waitpid(agent, os.WUNTRACED)
    with subprocess.Popen(["sleep", "300"], env={**os.environb, name: value}, start_new_session=True) as program:
        os.kill(agent, signal.SIGKILL)
        os.waitpid(agent, 0)
        assert program.wait(10) == -signal.SIGTERM


HANGS = """import os, sys
from tests.node.commanding import Host
from tests.node.played import Rounds
host = Host(Rounds())
held = host.begin("true", "", PATH=sys.argv[1] + ":" + os.defpath)
host.begin("echo", "free", PATH=os.defpath)
host.until_it_ended()
assert host.text() == b"free\\n" and held.running, (host.sent, held.running)
host.close()
print("ended")
"""


@pytest.mark.timeout(60)
def test_a_file_server_that_hangs_holds_up_one_command_alone(tmp_path: Path) -> None:
    """A real mount that answers nobody (FUSE without a server); in a mount namespace of its own."""
    if os.geteuid() or not os.access("/dev/fuse", os.R_OK):
        refuse("fuse", "a hanging mount takes root and /dev/fuse")
    mount = f"exec 9<>/dev/fuse; mount -i -t fuse none {tmp_path} -o fd=9,rootmode=40000,user_id=0,group_id=0"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "x", sys.executable, "-c", HANGS, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


@tried
def test_what_could_not_become_a_program_leaves_no_process() -> None:
    null, children = os.open(os.devnull, os.O_RDWR), psutil.Process().children()
    assert Vfork().start(b"/etc/passwd", [b"x"], {}, (null,) * 3) is None
    os.close(null)
    assert psutil.Process().children() == children
