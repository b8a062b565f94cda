#!/bin/sh
# Runs the pinned uv, which scripts/setup.sh fetches, so that all it keeps lies inside the clone and it trusts the
# certificates that this machine trusts.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)

unset VIRTUAL_ENV
export UV_CACHE_DIR="$root/.cache/uv" UV_PROJECT_ENVIRONMENT="$root/.venv"
export UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=true
exec "$root/.cache/tools/uv/bin/uv" --project "$root" "$@"
