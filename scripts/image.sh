#!/bin/sh
# Builds the image for this machine's architecture with buildah, and saves it as dist/mail-sender-ARCHITECTURE.oci.tar.
#
#   scripts/image.sh [FLAG...]     flags for `buildah build`, such as --build-arg BASE_IMAGE=...; BUILDAH names the program
set -eu
cd "$(dirname "$0")/.."
buildah=${BUILDAH:-buildah}
case $(uname -m) in
x86_64) architecture=amd64 ;;
aarch64) architecture=arm64 ;;
*) architecture=$(uname -m) ;;
esac
archive=dist/mail-sender-$architecture.oci.tar

arguments=$(scripts/image-arguments.sh)
epoch=${arguments##*SOURCE_DATE_EPOCH=}
mkdir -p dist
rm -f "$archive"
# shellcheck disable=SC2086 # several words
"$buildah" build --timestamp "${epoch% }" $arguments "$@" --tag localhost/mail-sender --file Containerfile .
"$buildah" push --quiet localhost/mail-sender "oci-archive:$archive"
echo "$archive"
