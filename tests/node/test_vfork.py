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

from mpboot.net import core
from mpboot.node import guard, mounts, vfork
from mpboot.node.guard import Guard
from mpboot.node.vfork import Vfork
from tests.node.commanding import Host
from tests.node.played import Rounds, open_files
from tests.support.cluster import refuse

ROOT = Path(__file__).resolve().parents[2]
LOOK = (
    "env | sort; ulimit -a; ulimit -Ha; umask; pwd; ls -l /proc/self/fd | wc -l; "
    "grep -E '^(Sig[BIC]|ShdPnd|Seccomp|NoNewPrivs|Umask)' /proc/self/status; cat /proc/self/coredump_filter; "
    'test $(ps -o sid= -p $$) = $$ && echo leads'
)  # fmt: skip
tried = pytest.mark.skipif(
    sys.version_info[:2] not in vfork.REST or not vfork._dumps_no_core(),
    reason="this Python's way to do it was not tried, or a core would be kept",
)


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


def far(monkeypatch: pytest.MonkeyPatch, *points: bytes) -> None:
    """These are mounted from elsewhere."""
    monkeypatch.setattr(vfork, "elsewhere", lambda _: frozenset(points))


@tried
class TestTheSame:
    def test_what_a_core_has_in_it_from_the_first_moment(
        self, host: Host, counted: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(core, "_before", core._filter(b"0"))
        try:
            for _ in range(8):
                host.begin("cat", "/proc/self/coredump_filter")
                host.until_it_ended()
                host.codes.clear()
            assert set(host.text().splitlines()) == {core._before[2:]}
            assert len(counted) == 8
            assert not Path(core.FILTER).read_text().strip("0\n")
        finally:
            core._filter(core._before)  # as the tests to come expect it

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
        ways = (Vfork(), None)
        for way in ways:
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
        if ways[0] is not None:
            ways[0].close()
        assert (psutil.Process().children(), open_files()) == (children, files)

    def test_in_place_of_one_that_may_not_be_run_the_next_is(self, host: Host, tmp_path: Path) -> None:
        (tmp_path / "sh").write_bytes(mounts.ELF)
        host.begin("sh", "-c", "echo ran", PATH=f"{tmp_path}:{os.environ['PATH']}")
        host.until_it_ended()
        assert (host.codes, host.text()) == ([0], b"ran\n")

    def test_where_there_is_no_room_a_fork_tells(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        import _posixsubprocess

        def no_room(*_: object) -> int:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        monkeypatch.setattr(_posixsubprocess, "fork_exec", no_room)
        before = open_files()
        host.begin("echo", "by a fork")
        host.until_it_ended()
        assert host.text() == b"by a fork\n"
        host.end_all()
        assert open_files() == before


class TestNotSo:
    @pytest.fixture
    def found(self, tmp_path: Path) -> Callable[..., bytes | None]:
        program = tmp_path / "bin" / "it"
        program.parent.mkdir()
        shutil.copy("/bin/true", program)

        def find(*places: Path | str, way: Vfork | None = None) -> bytes | None:
            way = way or Vfork()
            try:
                return way.find([os.fsencode(place) for place in places or (program,)])
            finally:
                way.close()

        return find

    @tried
    def test_a_program_is_found(self, found: Callable[..., bytes | None], tmp_path: Path) -> None:
        assert found() == os.fsencode(tmp_path / "bin/it")
        assert found("/nowhere/it", tmp_path / "bin/it") == os.fsencode(tmp_path / "bin/it")

    def test_behind_a_place_that_is_elsewhere(
        self, found: Callable[..., bytes | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """…even to look there might take for ever."""
        far(monkeypatch, os.fsencode(tmp_path / "far"))
        assert found(tmp_path / "far/it", tmp_path / "bin/it") is None
        (tmp_path / "link").symlink_to(tmp_path / "far")
        assert found(tmp_path / "link/it", tmp_path / "bin/it") is None

    def test_that_is_a_link_to_elsewhere(
        self, found: Callable[..., bytes | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        far(monkeypatch, b"/bin", b"/usr/bin")
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

    @pytest.mark.parametrize(("name", "value"), [("MOST_MOUNTED", 1), ("MOUNTS", "/no/such")])
    def test_where_it_can_not_be_seen_what_is_mounted(
        self, found: Callable[..., bytes | None], monkeypatch: pytest.MonkeyPatch, name: str, value: object
    ) -> None:
        monkeypatch.setattr(vfork, name, value)
        assert found() is None

    def test_where_a_program_would_get_our_core(
        self, found: Callable[..., bytes | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "pattern").write_text("|/usr/lib/systemd/systemd-coredump %P\n")
        monkeypatch.setattr(vfork, "PATTERN", str(tmp_path / "pattern"))
        assert found() is None

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
    """The agent was killed between the two: the program has the pipe of its output; it may hide its environment."""
    token = b"t" * guard.TOKEN
    reads, output = os.pipe()
    agent = os.fork()
    if not agent:
        try:
            guard.KILL_AFTER = 0.1
            known = Guard()
            known.begins()
            known.expects(token, output)
            os.close(output)
            os.kill(os.getpid(), signal.SIGSTOP)
        finally:
            os._exit(1)
    os.waitpid(agent, os.WUNTRACED)
    with subprocess.Popen(["sleep", "300"], env={}, start_new_session=True, stdout=output) as program:
        os.close(output)
        os.kill(agent, signal.SIGKILL)
        os.waitpid(agent, 0)
        assert program.wait(10) == -signal.SIGTERM
    os.close(reads)


HANGS = """import os, subprocess, sys
from pathlib import Path
from tests.node.commanding import Host
from tests.node.played import Rounds
there, loaded, late = "/mnt/hung", "/mnt/loaded", "/mnt/late"
Path(late).mkdir()
host = Host(Rounds())
host.begin("true", "", PATH=f"{late}:{os.defpath}")
host.until_it_ended()
subprocess.run(["mount", "--bind", there, late], check=True)  # noticed though it is new
code = Path("/bin/true").read_bytes()
name = next(one for one in (b"/lib64/ld-linux-x86-64.so.2", b"/lib/ld-linux-aarch64.so.1") if one in code)
Path(loaded).write_bytes(code.replace(name, b"/mnt/hung/ld".ljust(len(name), b"\\0")))
Path(loaded).chmod(0o755)
Path("/mnt/links").mkdir()
for name in ("true", "more"):
    Path("/mnt/links", name).symlink_to(f"{there}/{name}")
held = [host.begin(*words, PATH=f"{path}:{os.defpath}") for words, path in (
    (("true", ""), there), (("true", ""), late), ((loaded, ""), "/bin"), ((f"{there}/x", ""), "/bin"),
    (("true", ""), "/mnt/links"), (("/mnt/links/more", ""), "/bin"))]
host.begin("echo", "free", PATH=os.defpath)
host.loop.until(lambda: b"free" in host.text())
assert [one._exited for one in held] == [False] * 6
host.close()
print("ended")
"""


@pytest.mark.timeout(60)
def test_a_file_server_that_hangs_holds_up_its_commands_alone() -> None:
    """A real mount that answers nobody (FUSE without a server); in a mount namespace of its own."""
    if os.geteuid() or not os.access("/dev/fuse", os.R_OK):
        refuse("fuse", "a hanging mount takes root and /dev/fuse")
    mount = (
        "mount -t tmpfs none /mnt && mkdir /mnt/hung && exec 9<>/dev/fuse && "
        "mount -i -t fuse none /mnt/hung -o fd=9,rootmode=40000,user_id=0,group_id=0"
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "x", sys.executable, "-c", HANGS],
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


@tried
def test_what_could_not_become_a_program_leaves_no_process() -> None:
    null, children = os.open(os.devnull, os.O_RDWR), psutil.Process().children()
    assert Vfork().start(b"/etc/passwd", [b"x"], {}, (null,) * 3) is None
    os.close(null)
    assert psutil.Process().children() == children
