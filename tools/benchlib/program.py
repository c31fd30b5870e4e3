"""mpboot as it is measured: a copy of the code, and the interpreter that runs it."""

import shutil
import subprocess
import tempfile
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent


class BenchError(Exception):
    """What failed, in a line."""


class Program:
    """mpboot as it is now, copied and compiled: who works on it meanwhile does not change what is measured."""

    def __init__(self) -> None:
        self.python = find_python()
        self.where = tempfile.mkdtemp(prefix="mpb-code-")
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(TOOLS.parent / "mpboot", Path(self.where) / "mpboot", ignore=ignored)
        compiling = [self.python, "-m", "compileall", "-q", self.where]
        if subprocess.run(compiling, stdout=subprocess.DEVNULL, check=False).returncode:
            self.close()
            raise BenchError("mpboot can't be compiled")

    def close(self) -> None:
        """Remove the copy."""
        shutil.rmtree(self.where, ignore_errors=True)


def find_python() -> str:
    """The interpreter with mpboot's dependencies; the environment is made if it is not there."""
    shell = f'ROOT={TOOLS.parent}; ME=tools/bench; . "$ROOT/tools/lib.sh"; make_venv run; echo "$VENV"'
    done = subprocess.run(["/bin/sh", "-euc", shell], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise BenchError("the environment for mpboot can't be made")
    return done.stdout.strip().splitlines()[-1] + "/bin/python"
