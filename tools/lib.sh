# What tools/demo and tools/test share: finding an interpreter, making the virtual environment.
# Sourced by /bin/sh; the caller has set ROOT (the checkout) and ME (its own name, for messages).
# shellcheck shell=sh
# shellcheck disable=SC2154

die() {
    echo "$ME: $*" >&2
    exit 2
}

say() {
    echo "$ME: $*" >&2
}

is_root() {
    [ "$(id -u)" -eq 0 ]
}

# apt-get with patience: another apt may hold the lock, a mirror may fail once. Its errors are on stderr.
apt_get() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 "$@" >/dev/null
}

apt_update() {
    for pause in 2 5 10 0; do
        if apt_get update; then
            return
        fi
        say "apt-get update failed; again in $pause s"
        sleep "$pause"
    done
    die "apt-get update failed four times"
}

# Installs Debian packages unless all are there. As root only.
apt_install() {
    missing=""
    for package in "$@"; do
        if ! dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed; then
            missing="$missing $package"
        fi
    done
    [ -n "$missing" ] || return 0
    say "apt-get install$missing"
    apt_update
    # shellcheck disable=SC2086  # one word a package
    apt_get install --no-install-recommends $missing
}

# Sets PYTHON to a real interpreter that can make virtual environments; a pyenv shim costs a second a start.
find_python() {
    PYTHON=""
    for name in python3 /usr/bin/python3; do
        PYTHON=$("$name" -c 'import sys; print(sys.executable)' 2>/dev/null) || continue
        if "$PYTHON" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
            return
        fi
    done
    if [ -n "$PYTHON" ] && "$PYTHON" -c 'import sys; sys.exit(sys.version_info >= (3, 9))'; then
        die "needs Python 3.9 or newer; $PYTHON is $("$PYTHON" -V 2>&1)"
    fi
    if ! command -v apt-get >/dev/null; then
        die "needs python3 with its modules venv and ensurepip"
    fi
    if ! is_root; then
        die "needs python3 with its module venv; have root run: apt-get install python3 python3-venv"
    fi
    apt_install python3 python3-venv
    PYTHON=/usr/bin/python3
}

# Is VENV one of the checkout's own environments, which use its code where it is?
is_in_place() {
    case $VENV in
    "$ROOT"/.venv*) ;;
    *) return 1 ;;
    esac
}

# What an environment was made from. It starts with the checkout's place, since venvs don't move.
stamp() {
    echo "$ROOT"
    if is_in_place; then
        cat "$ROOT/pyproject.toml" "$ROOT/mpboot/cli/mpboot" | cksum
    else # a copy of the code is installed, so the code counts too
        find "$ROOT/pyproject.toml" "$ROOT/mpboot" -name '*.py' -o -name pyproject.toml -o -path '*/cli/mpboot' | sort | xargs cat | cksum
    fi
    echo "$1"
}

is_current() {
    [ -x "$VENV/bin/python" ] && [ -f "$VENV/mpboot.stamp" ] || return 1
    [ "$(stamp "$1")" = "$(cat "$VENV/mpboot.stamp")" ]
}

# Is VENV current, and of this kind or of one that has more?
is_enough() {
    case $1 in
    run) is_current run || is_current test || is_current recipes ;;
    test) is_current test || is_current recipes ;;
    *) is_current "$1" ;;
    esac
}

# make_venv run|test|recipes: sets VENV to an environment with mpboot in it, with what the tests need, and with the
# programs from PyPI that some of them run.
make_venv() {
    VENV=$ROOT/.venv
    if is_enough "$1"; then
        return
    fi
    if [ ! -w "$ROOT" ] || { [ -e "$VENV" ] && [ ! -w "$VENV" ]; }; then
        [ "$1" = run ] || die "$ROOT can't be written: test in a clone of your own"
        VENV=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/mpboot/venv
        if is_current run; then
            return
        fi
        mkdir -p "$(dirname "$VENV")" || die "needs a directory it can write: set XDG_CACHE_HOME"
    fi
    find_python
    fill_venv "$1"
}

# fill_venv run|test|recipes: makes VENV with PYTHON unless it is current.
fill_venv() {
    # One at a time; the lock is on a directory that is there anyway.
    exec 9<"$(dirname "$VENV")"
    flock 9
    if ! is_enough "$1"; then
        install_venv "$1"
    fi
    exec 9<&-
}

install_venv() {
    say "setting up $VENV (once)"
    if [ ! -x "$VENV/bin/python" ] || [ "$(head -n 1 "$VENV/mpboot.stamp" 2>/dev/null)" != "$ROOT" ]; then
        "$PYTHON" -m venv --clear "$VENV"
    fi
    rm -f "$VENV/mpboot.stamp"
    if ! is_in_place; then
        install_copy
    else
        case $1 in
        recipes) pip_install -e "${ROOT}[test,recipes,docs]" ;;
        test) pip_install -e "${ROOT}[test]" ;;
        *) pip_install -e "$ROOT" ;;
        esac
    fi
    stamp "$1" >"$VENV/mpboot.stamp"
}

# A build writes beside what it builds, so a checkout that can't be written is copied first.
install_copy() {
    copy=$(mktemp -d)
    mkdir "$copy/docs"
    (cd "$ROOT" && cp -R pyproject.toml setup.cfg README.md mpboot "$copy" && cp -R docs/man "$copy/docs")
    chmod -R u+w "$copy"
    if pip_install --force-reinstall "$copy"; then
        rm -rf "$copy"
    else
        rm -rf "$copy"
        exit 1
    fi
}

pip_install() {
    "$VENV/bin/python" -m pip --disable-pip-version-check --quiet install --retries 5 "$@" 9<&-
}
