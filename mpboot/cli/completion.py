"""Completion: what a shell asks and is answered, and the scripts by which it asks."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

from mpboot.cli.codes import UsageError
from mpboot.cli.offers import Offers, offers
from mpboot.cli.words import ASKED, COMPLETED

PATIENCE = 3  # seconds after which a shell gets no answer

_BASH = """\
_mpboot_complete() {
    local cur=${COMP_WORDS[COMP_CWORD]} kind word
    COMPREPLY=()
    [[ $cur == [=:@] ]] && cur=
    {
        IFS= read -r kind
        while IFS= read -r word; do COMPREPLY+=("$word"); done
    } < <(_MPBOOT_OFFER=bash "$1" "${COMP_LINE:0:COMP_POINT}" "$cur" 2>/dev/null)
    case $kind in
    files) compopt -o filenames; while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$cur") ;;
    dirs) compopt -o filenames; while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -d -- "$cur") ;;
    part) compopt -o nospace ;;
    esac
}
complete -F _mpboot_complete mpboot
"""
_ZSH = """\
#compdef mpboot
_mpboot_complete() {
    local -a lines values texts end
    local kind line
    lines=("${(@f)$(_MPBOOT_OFFER=zsh ${words[1]} "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    kind=$lines[1]
    shift lines
    for line in $lines; do
        values+=("${line%%$'\\t'*}")
        texts+=("${line/$'\\t'/  -- }")
    done
    [[ $kind == part ]] && end=(-S '')
    (( $#values )) && compadd -l "${end[@]}" -d texts -a values
    case $kind in
    files) [[ $PREFIX == --*=* ]] && compset -P '*='; _files ;;
    dirs) [[ $PREFIX == --*=* ]] && compset -P '*='; _files -/ ;;
    esac
}
compdef _mpboot_complete mpboot
"""
_FISH = """\
function __mpboot_complete
    set -l current (commandline -ct)
    set -l lines (env _MPBOOT_OFFER=fish (commandline -opc) "$current" 2>/dev/null)
    set -l kind $lines[1]
    set -e lines[1]
    printf '%s\\n' $lines
    set -l before (string match -r -- '^--[a-z-]+=' "$current")
    set -l path (string replace -r -- '^--[a-z-]+=' '' "$current")
    switch "$kind"
        case files
            __fish_complete_path "$path" | string replace -r -- '^' "$before"
        case dirs
            __fish_complete_directories "$path" '' | string replace -r -- '^' "$before"
    end
end
complete --command mpboot --no-files --arguments '(__mpboot_complete)'
"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def answer(arguments: list[str], group: Any) -> int:
    """Print what a shell asks for; returns the exit code.

    A line says what follows: files, dirs (which the shell offers itself), part (no blank comes behind it) or -.
    """
    import signal

    import typer

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(PATIENCE)  # whoever is asked meanwhile, a shell does not wait for ever
    shell = os.environ.pop(ASKED)
    before = 0
    if shell == "bash":
        line, current = [*arguments, "", ""][:2]
        *typed, last = split(line)
        before = len(last) - len(current) if last.endswith(current) else 0
        typed = typed[1:]
    else:
        *typed, last = arguments or [""]
    with typer.Context(group, info_name="mpboot") as context:
        found = offers(typed, last, group.commands, group.get_params(context))
    sys.stdout.write("".join(f"{one}\n" for one in _lines(found, shell, before)))
    return 0


def _lines(found: Offers, shell: str, before: int) -> list[str]:
    kind = found.kind or ("part" if found.goes_on else "-")
    if shell == "bash":
        return [kind, *(value[before:] for value, _ in found.rows)]
    return [kind, *(f"{value}\t{text.partition('. ')[0]}".rstrip() for value, text in found.rows)]


def split(line: str) -> list[str]:
    """The words of a line that has been typed so far; the last is the one at its end, and may be empty."""
    found, quote, at = [""], "", 0
    while at < len(line):
        letter = line[at]
        if letter == "\\" and quote != "'":
            at += 1
            found[-1] += line[at : at + 1]
        elif quote:
            quote, found[-1] = ("", found[-1]) if letter == quote else (quote, found[-1] + letter)
        elif letter in "'\"":
            quote = letter
        elif not letter.isspace():
            found[-1] += letter
        elif found[-1]:
            found.append("")
        at += 1
    return found


def chosen(shell: str, option: str) -> str:
    """The shell that is meant; without a name the one in which this was typed."""
    if not shell:
        try:
            import psutil

            above = [process.name() for process in psutil.Process().parents()]
        except ImportError:
            above = []
        shell = next((name.lstrip("-") for name in above if name.lstrip("-") in COMPLETED), "")
        if not shell:
            raise UsageError(f"{option}: which shell is this for? say one of {', '.join(COMPLETED)}")
    if shell not in COMPLETED:
        raise UsageError(f"{option} must be one of {', '.join(COMPLETED)}, not '{shell}'")
    return shell


def place(shell: str) -> Path:
    """The file where the shell finds the script. OSError."""
    try:
        home = Path.home()
    except (RuntimeError, KeyError):  # the latter before Python 3.10
        raise FileNotFoundError(errno.ENOENT, "there is no home directory", "HOME") from None
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    return {
        "bash": home / ".bash_completions/mpboot.sh",
        "zsh": home / ".zfunc/_mpboot",
        "fish": config / "fish/completions/mpboot.fish",
    }[shell]


def install(shell: str) -> Path:
    """Write the script where the shell finds it; returns the file. OSError."""
    path = place(shell)
    home = Path.home()
    startup, line = {
        "bash": (home / ".bashrc", "source {}"),
        "zsh": (Path(os.environ.get("ZDOTDIR") or home) / ".zshrc", "source {}"),
        "fish": (None, ""),
    }[shell]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SCRIPTS[shell])
    if startup is not None:
        import shlex

        line = line.format(shlex.quote(str(path)))
        if shell == "zsh":
            line = f"autoload -Uz compinit && compinit && {line}"
        text = startup.read_text("utf-8", "surrogateescape") if startup.exists() else ""  # whatever it is written in
        if line not in text.splitlines():
            with startup.open("a") as file:
                file.write(f"{'' if text.endswith(chr(10)) or not text else chr(10)}{line}\n")
    return path
