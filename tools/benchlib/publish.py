"""docs/performance.md: which measurements it has, and how they get into it."""

import subprocess

from .program import TOOLS, BenchError, Program

PAGE = TOOLS.parent / "docs" / "performance.md"
IMAGES = TOOLS.parent / "docs" / "images"
OWN = "adaptive,flat,tree 4,with command"
CAMPAIGNS = {
    "latency": ["--hosts", "16,32,147", "--plot", str(IMAGES / "performance.svg")],
    "lamboot": ["--hosts", "147", "--latency", "0.3", "--only", "adaptive,lamboot", "--no-figures"],
    "many": ["--hosts", "512,1000", "--only", f"{OWN},taktuk -w N,openmpi 64,hydra,pdsh,clush,pssh"],
    "ssh": ["--ssh", "--hosts", "147", "--only", f"{OWN},taktuk,openmpi 64,hydra,pdsh,clush,pssh"],
    "load": ["--ssh", "--hosts", "32", "--hogs", "30", "--only", f"{OWN},taktuk,hydra,pdsh,clush,pssh"],
}
SIMULATIONS = (
    ["--hosts-count", "1000"],
    ["--hosts-count", "100000", "--topology", "adaptive"],
    ["--hosts-count", "10000", "--topology", "adaptive", "--slow", "10%", "--dead", "5%"],
)


def insert(section: str, text: str) -> None:
    """Put a text between a section's two marks. BenchError if the page has none."""
    page = PAGE.read_text()
    begin, end = f"<!-- measured: {section} -->\n", "<!-- end -->"
    before, mark, rest = page.partition(begin)
    _, last, after = rest.partition(end)
    if not mark or not last:
        raise BenchError(f"{PAGE}: has no section {section}")
    PAGE.write_text(f"{before}{begin}{text.rstrip()}\n{end}{after}")


def simulations(program: Program) -> None:
    """The simulated tables, and their plot."""
    text = ""
    for words in SIMULATIONS:
        plot = ["--plot", str(IMAGES / "simulation.svg")] if words[-1] == "1000" else []
        command = [program.python, "-m", "mpboot", "plan", "--simulate", *words]
        done = subprocess.run(
            [*command, *plot], capture_output=True, text=True, check=False, cwd=program.where, timeout=600
        )
        if done.returncode:
            raise BenchError(f"mpboot plan --simulate: {done.stderr.strip()}")
        shown = "".join(f"    {line}".rstrip() + "\n" for line in done.stdout.splitlines())
        text += f"    $ mpboot plan --simulate {' '.join(words)}\n{shown}\n"
    insert("simulated", text)
