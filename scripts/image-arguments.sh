#!/bin/sh
# Prints what a build of the image is told about the commit that it is built from, for buildah, podman and docker:
#
#   podman build $(scripts/image-arguments.sh) --tag localhost/mail-sender .
#
# The image's labels say version, commit and date. The date is the commit's, also in SOURCE_DATE_EPOCH, so that the same
# commit makes the same image. Outside a clone the date is 1970's, and the commit is unknown.
set -eu
cd "$(dirname "$0")/.."

of_commit() {
    git log -1 --format="$1" 2>/dev/null
}

revision=$(of_commit %H || echo unknown)
[ -z "$(git status --porcelain 2>/dev/null)" ] || revision=$revision-modified
epoch=${SOURCE_DATE_EPOCH:-$(of_commit %ct || echo 0)}
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' mail_sender/__init__.py)
created=$(date --utc --date "@$epoch" +%Y-%m-%dT%H:%M:%SZ)

printf -- '--build-arg %s ' "VERSION=$version" "REVISION=$revision" "CREATED=$created" "SOURCE_DATE_EPOCH=$epoch"
echo
