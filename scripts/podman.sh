#!/bin/sh
# podman on the images that scripts/build-image.sh makes, without a trace outside the clone (scripts/containers.sh). Takes
# podman's own arguments: scripts/podman.sh run --rm --network host localhost/mail-sender --version.
set -eu
cd "$(dirname "$0")/.."
set -- podman "$@"
. scripts/containers.sh
shift
# shellcheck disable=SC2086 # several words
exec podman $storage --tmpdir "$home/libpod" "$@"
