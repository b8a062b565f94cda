#!/bin/sh
# Makes .venv with exactly what uv.lock names, from nothing but a Python of 3.11 or newer.
#
#     scripts/setup.sh                      takes the first Python that runs and is new enough
#     PYTHON=python3.13 scripts/setup.sh    takes that one
#
# In order: find the interpreter, fetch the pinned uv (scripts/uv.txt, by hash) into .cache/tools, let it fill .venv,
# and write .venv/.ready, the stamp that the Makefile looks at. Nothing is written outside the clone.
set -eu
cd "$(dirname "$0")/.."

tools=$PWD/.cache/tools/uv
log=$PWD/.cache/logs/setup.log
umask 022
mkdir -p .cache/logs .cache/tools .cache/tmp

unset PYTHONHOME PYTHONPATH VIRTUAL_ENV
export PYTHONDONTWRITEBYTECODE=1 TMPDIR="$PWD/.cache/tmp"
export PIP_CACHE_DIR="$PWD/.cache/pip" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
export PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_RETRIES=2 PIP_DEFAULT_TIMEOUT=30

say() {
    echo "setup: $*"
}

fail() {
    echo "setup: $*" >&2
    exit 1
}

# Runs a program unseen; what it printed is shown only when it fails.
quietly() {
    "$@" </dev/null >"$log" 2>&1
}

show_log() {
    sed 's/^/    /' "$log" >&2
}

# Prints the path of the real interpreter behind a name (a pyenv shim or a link), if that runs and is new enough.
new_enough() {
    "$1" -c 'import sys; sys.version_info >= (3, 11) or sys.exit(1); print(sys._base_executable)' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" || fail "PYTHON=$PYTHON is no Python of 3.11 or newer that runs here; name another one."
        return
    fi
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        new_enough "$name" && return
    done
    fail "found no Python of 3.11 or newer; install one (Debian 12 or newer: apt-get install python3 python3-venv)," \
        "or name it: make PYTHON=/path/to/python3 setup."
}

is_pinned() {
    [ -x "$1" ] && [ "$("$1" --version 2>/dev/null | cut -d ' ' -f 2)" = "$uv_version" ]
}

# Debian keeps ensurepip, which venv needs, and pip in packages of their own: either one will do, or a fitting uv.
get_uv() {
    rm -rf "$tools"
    if quietly "$python" -m venv "$tools"; then
        quietly "$tools/bin/python" -m pip install --require-hashes --requirement scripts/uv.txt && return
    elif quietly "$python" -m pip --version; then
        rm -rf "$tools"
        quietly "$python" -m pip install --target "$tools" --require-hashes --requirement scripts/uv.txt && return
    elif is_pinned "$(command -v uv)"; then
        rm -rf "$tools"
        mkdir -p "$tools/bin"
        ln -s "$(command -v uv)" "$tools/bin/uv"
        return
    else
        rm -rf "$tools"
        fail "$python can make no virtual environment and has no pip; install the one package that is missing" \
            "(Debian: apt-get install python3-venv) and run this again."
    fi
    show_log
    fail "could not fetch uv $uv_version (pip's own words are above); check that this machine reaches the package index" \
        "(PIP_INDEX_URL, HTTPS_PROXY), then run this again."
}

install_dependencies() {
    quietly scripts/uv.sh sync --locked --all-extras --all-groups --no-group audit --compile-bytecode --no-progress --python "$python" && return
    show_log
    if grep -q 'lockfile.*needs to be updated' "$log"; then
        fail "uv.lock does not fit pyproject.toml; run scripts/uv.sh lock and commit both."
    fi
    fail "could not install the dependencies (uv's own words are above); check that this machine reaches the package" \
        "index (HTTPS_PROXY) and has 500 MB to spare, then run this again."
}

uv_version=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' scripts/uv.txt)
python=$(find_python)
say "using $("$python" -V) ($python)"
# A clone that was moved or copied: programs in .venv name the old place.
if [ -e .venv/.ready ] && [ "$(cat .venv/.ready)" != "$(pwd -P)" ]; then
    rm -rf .venv
fi
if ! is_pinned "$tools/bin/uv"; then
    say "fetching uv $uv_version, which installs the rest"
    get_uv
fi
say "installing the dependencies that uv.lock names into .venv (the first time takes about a minute)"
install_dependencies
pwd -P >.venv/.ready
say "done"
