#!/bin/sh
# buildah without a container engine and without a trace outside the clone: its storage, its temporary files and its
# lock files lie in .cache/buildah. Takes buildah's own arguments: scripts/buildah.sh images.
#
# Needs root and a Debian-like system; `--isolation chroot` shares the host's network and asks nothing of the kernel but
# a mount namespace, so that it works inside a container as well.
set -eu
cd "$(dirname "$0")/.."

if ! command -v buildah >/dev/null; then
    echo "No buildah on this machine: apt-get install buildah" >&2
    exit 69
fi
if [ "$(id -u)" != 0 ]; then
    echo "This needs root, which uid $(id -u) is not: without an engine only root may enter a container's root folder." \
        "With podman or docker no root is needed (docs/container.md)." >&2
    exit 77
fi

home=$PWD/.cache/buildah
mkdir -p "$home/tmp" "$home/state"
printf '[network]\nnetwork_backend = "cni"\nnetwork_config_dir = "%s/net"\n' "$home" >"$home/containers.conf"
export TMPDIR="$home/tmp" CONTAINERS_CONF="$home/containers.conf" BUILDAH_ISOLATION=chroot

# The one path that buildah has no option for is /var/lib/containers, where it notes which layers it has seen: in a mount
# namespace of its own, /var/lib is a folder of ours.
# shellcheck disable=SC2016 # the inner shell expands it
BUILDAH_HOME="$home" exec unshare --mount sh -c '
    mount --bind "$BUILDAH_HOME/state" /var/lib
    exec buildah --root "$BUILDAH_HOME/root" --runroot "$BUILDAH_HOME/run" --storage-driver vfs "$@"
' buildah "$@"
