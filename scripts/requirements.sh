#!/bin/sh
# Writes what the image installs, with hashes, from uv.lock into a folder (requirements/ unless another is named):
# runtime.lock is the production dependencies, build.lock what makes our own wheel, service-account.lock and
# postgres.lock what these extras add. Run it after each lock; a test fails while the folder and uv.lock differ.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-requirements}

export_lock() {
    scripts/uv.sh export --quiet --frozen --no-emit-project --no-annotate --no-header "$@"
}

mkdir -p "$folder"
export_lock --no-dev >"$folder/runtime.lock"
export_lock --only-group build >"$folder/build.lock"
export_lock --only-group service-account >"$folder/service-account.lock"
export_lock --only-group postgres >"$folder/postgres.lock"
