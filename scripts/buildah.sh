#!/bin/sh
# buildah without a container engine and without a trace outside the clone (scripts/containers.sh). Takes buildah's own
# arguments: scripts/buildah.sh images.
#
# `--isolation chroot` shares the host's network and asks nothing of the kernel but a mount namespace, so that it works
# inside a container as well.
set -eu
cd "$(dirname "$0")/.."
set -- buildah "$@"
. scripts/containers.sh
shift

# The one path that buildah has no option for is /var/lib/containers, where it notes which layers it has seen: in a mount
# namespace of its own, /var/lib is a folder of ours.
export BUILDAH_ISOLATION=chroot BUILDAH_HOME="$home" BUILDAH_STORAGE="$storage"
# shellcheck disable=SC2016 # the inner shell expands it
exec unshare --mount sh -c '
    mount --bind "$BUILDAH_HOME/state" /var/lib
    exec buildah $BUILDAH_STORAGE "$@"
' buildah "$@"
