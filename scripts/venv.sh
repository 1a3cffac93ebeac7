#!/bin/sh
# Make `.venv` hold what a lock file says, and this checkout beside it.
#
#   scripts/venv.sh demo    the core, the extra `local` and the build backend
#   scripts/venv.sh dev     all extras and the test tools
#
# Does nothing when that is so already: `.venv/lock.KIND` keeps what was installed, where and with
# which Python, and a checkout that moved, a lock or a pyproject that changed, or a Python that went
# away all count as different. A full environment serves `demo` as well.
# Reads: PYTHON (default python3). Needs no compiler, no terminal and no home directory; on a Linux
# without the OpenMP runtime it says so, or as root on Debian installs that one library.
set -eu

kind=${1:?"usage: scripts/venv.sh demo|dev"}
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
inside=.venv/bin/python
# Personal pip settings that would send the packages elsewhere than into .venv.
unset PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIREMENT PYTHONHOME
[ -n "${HOME:-}" ] || export PIP_NO_CACHE_DIR=1 # "" would make it /.cache

say() { printf '%s\n' "ultrai: $*" >&2; }
fail() { say "$*"; exit 1; }

wanted() { # KIND: the text whose change means a new install
    pwd
    "$inside" -VV
    cat "requirements/$1.txt" pyproject.toml
}

is_ready() { # KIND
    [ -f ".venv/lock.$1" ] || return 1
    wanted "$1" 2>/dev/null | cmp -s - ".venv/lock.$1"
}

check_python() {
    command -v "$python" >/dev/null 2>&1 ||
        fail "no '$python' here: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        fail "'$python' is $("$python" -V 2>&1), and 3.11 or newer is needed: make PYTHON=python3.12 (or another)"
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "'$python' cannot make environments (Debian, Ubuntu: apt-get install python3-venv)"
}

make_venv() {
    # Its commands hold its path: one that moved is made anew, like one without a working pip.
    if [ -f .venv/made-in ] && [ "$(cat .venv/made-in)" != "$(pwd)" ]; then
        say "this checkout has moved: making .venv anew"
        rm -rf .venv
    elif [ -d .venv ] && ! "$inside" -c 'import pip' 2>/dev/null; then
        say "the .venv here has no working Python with pip: making it anew"
        rm -rf .venv
    fi
    [ -d .venv ] && return
    check_python
    say "creating .venv ($("$python" -V))"
    "$python" -m venv .venv || fail "'$python' could not create .venv: see above"
    pwd >.venv/made-in
}

install() {
    # -qq: errors only; a retry that succeeds is nobody's business.
    "$inside" -m pip install -qq --disable-pip-version-check --no-input "$@"
}

check_openmp() {
    # On Linux, xllamacpp's wheels expect the OpenMP runtime of the system; slim images lack it.
    "$inside" -c 'import xllamacpp' 2>/dev/null && return
    case $("$inside" -c 'import xllamacpp' 2>&1) in *libgomp*) ;; *) return ;; esac
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing libgomp1 with apt-get: embedded models compute with OpenMP"
        if { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends libgomp1; } >/dev/null 2>&1; then
            return
        fi
    fi
    advice="embedded models need the OpenMP runtime (Debian, Ubuntu: apt-get install libgomp1; Fedora: dnf install libgomp)"
    if [ "$kind" = demo ]; then
        fail "$advice"
    fi
    say "warning: $advice"
}

if is_ready dev || is_ready "$kind"; then
    exit 0
fi
make_venv
rm -f ".venv/lock.$kind"
say "installing $(grep -c '^[a-z].*==' "requirements/$kind.txt") locked packages (the first time takes a minute)"
install --require-hashes --no-deps -r "requirements/$kind.txt" ||
    fail "that did not work: see above (pip reads your proxy and index settings as always); run it again to go on"
say "installing ultrai from this checkout"
install --no-build-isolation --no-deps --editable . ||
    fail "ultrai itself could not be installed: see above"
check_openmp
wanted "$kind" >".venv/lock.$kind"
say "ready: .venv/bin/ultrai"
