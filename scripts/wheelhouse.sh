#!/bin/sh
# Fetches every wheel that the image needs into wheelhouse/, checked against the hashes in requirements/*.lock, so that
# the image can then be built without a network. Wheels for several Pythons may lie there together.
#
#   scripts/wheelhouse.sh [PYTHON [MACHINE]]     3.13, the default base's, and this machine's (x86_64, aarch64)
set -eu
cd "$(dirname "$0")/.."
python=${1:-3.13}
machine=${2:-$(uname -m)}
case $python in
3.[0-9]*) ;;
*)
    echo "wheelhouse: PYTHON is a version such as 3.13, not '$python'." >&2
    exit 2
    ;;
esac

# The stamp is written last and holds the locks' own hashes: present and equal means complete.
stamp=wheelhouse/.complete-$python-$machine
locks=$(cat requirements/*.lock | sha256sum)
if [ "$(cat "$stamp" 2>/dev/null)" = "$locks" ]; then exit 0; fi

[ -x .cache/tools/uv/bin/uv ] || {
    echo "wheelhouse: this clone is not set up; run make setup first." >&2
    exit 1
}
# Every glibc up to bookworm's: pip takes none but those that are named.
platforms=$(printf -- "--platform manylinux_2_%s_$machine " $(seq 36 -1 17))
echo "Fetching wheels for Python $python on $machine into wheelhouse/"
mkdir -p wheelhouse
# shellcheck disable=SC2086 # several words
scripts/uv.sh run --quiet --no-project --with pip==26.3 \
    python -m pip download --quiet --no-cache-dir --disable-pip-version-check \
    --dest wheelhouse --require-hashes --only-binary=:all: --no-deps \
    --implementation cp --python-version "$python" \
    $platforms --platform "manylinux2014_$machine" \
    -r requirements/runtime.lock -r requirements/build.lock -r requirements/service-account.lock \
    -r requirements/postgres.lock || {
    echo "wheelhouse: pip could not fetch every wheel for Python $python on $machine; its reason is above." >&2
    exit 1
}
echo "$locks" >"$stamp"
