#!/bin/sh
# Builds the image with buildah on a Debian made by debootstrap: no container engine, no registry.
#
#   scripts/build-image.sh [TAG]     fetch what is missing, then build; localhost/mail-sender unless told otherwise
#   scripts/build-image.sh --fetch   only fetch: the base (once) and the wheels (once for each lock)
#
# The same commit on the same base makes the same image, digest and all: every date in it is the commit's.
#
# What was fetched stays in .cache/containers and wheelhouse/, and from then on the build needs no network.
set -eu
cd "$(dirname "$0")/.."
tag=${1:-localhost/mail-sender}
suite=bookworm
python=3.11 # what that Debian has
packages=python3,python3-venv,ca-certificates
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
base=localhost/mail-sender-base:$suite-$(echo "$packages" | sha256sum | cut -c1-8)
buildah=scripts/buildah.sh

refuse() {
    echo "build-image: $1" >&2
    exit "${2:-1}"
}

has_image() {
    "$buildah" inspect --type image "$1" >/dev/null 2>&1
}

# Package caches, manuals and translations are a third of the base, and each copy of it costs seconds.
trim() {
    rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/var/log/*
    rm -rf "$1"/usr/share/man "$1"/usr/share/info "$1"/usr/share/locale
    find "$1/usr/share/doc" -type f ! -name copyright -delete
}

make_base() {
    command -v debootstrap >/dev/null || refuse "no debootstrap on this machine: apt-get install debootstrap" 69
    [ -r "$keyring" ] || refuse "no $keyring, which proves that packages are Debian's: apt-get install debian-archive-keyring" 69
    root=.cache/containers/base
    log=.cache/containers/debootstrap.log
    echo "Making the base once: Debian $suite with $packages, from $mirror"
    rm -rf "$root"
    debootstrap --variant=minbase --keyring="$keyring" --include="$packages" "$suite" "$root" "$mirror" >"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        refuse "debootstrap failed as told above; all of it is in $log"
    }
    trim "$root"
    container=$("$buildah" from scratch)
    "$buildah" add --quiet "$container" "$root" / >/dev/null
    "$buildah" commit --quiet --rm "$container" "$base" >/dev/null
    rm -rf "$root"
}

"$buildah" version >/dev/null # says itself what is missing: the program, or root
mkdir -p .cache/containers
exec 9>.cache/containers/lock
flock 9
has_image "$base" || make_base
scripts/wheelhouse.sh "$python"
[ "$tag" != --fetch ] || exit 0

arguments=$(scripts/image-arguments.sh)
epoch=${arguments##*SOURCE_DATE_EPOCH=}
echo "Building $tag on $base from wheelhouse/"
# shellcheck disable=SC2086 # several words
"$buildah" build --pull-never --network host --timestamp "${epoch% }" $arguments \
    --build-arg "BASE_IMAGE=$base" --tag "$tag" --file Containerfile .
"$buildah" rmi --prune >/dev/null
