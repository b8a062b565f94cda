#!/bin/sh
# Publishes dist/mail-sender-*.oci.tar, one image for several architectures, with the tags of a release.
#
#   scripts/publish-image.sh v1.2.3 ghcr.io/OWNER/NAME     also as :1.2, :1 and :latest; BUILDAH names the program
#
# The last line is `digest=sha256:...`, what all tags name; it is added to the file in GITHUB_OUTPUT, too.
set -eu
cd "$(dirname "$0")/.."
buildah=${BUILDAH:-buildah}
version=${1#v}
image=$2
list=localhost/mail-sender-release

case $version in
[0-9]*.[0-9]*.[0-9]*) ;;
*)
    echo "publish-image: a tag is v1.2.3, not $1" >&2
    exit 2
    ;;
esac
"$buildah" manifest rm "$list" >/dev/null 2>&1 || true
"$buildah" manifest create "$list" >/dev/null
for archive in dist/mail-sender-*.oci.tar; do
    "$buildah" manifest add "$list" "oci-archive:$archive" >/dev/null
done
mkdir -p .cache/tmp
for tag in "$version" "${version%.*}" "${version%%.*}" latest; do
    "$buildah" manifest push --all --digestfile .cache/tmp/digest "$list" "${TRANSPORT:-docker://}$image:$tag" >/dev/null
done
echo "digest=$(cat .cache/tmp/digest)" | tee -a "${GITHUB_OUTPUT:-/dev/null}"
