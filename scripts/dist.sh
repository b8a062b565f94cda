#!/bin/sh
# Builds the wheel and the sdist into dist/, the same octets each time from the same commit.
#
#   scripts/dist.sh           what is here
#   scripts/dist.sh v1.2.3    a release: only if the tag, the version and the changelog agree, and nothing is uncommitted
set -eu
cd "$(dirname "$0")/.."
tag=${1:-}
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' mail_sender/__init__.py)

refuse() {
    echo "dist: $1" >&2
    exit 1
}

if [ -n "$tag" ]; then
    [ "$tag" = "v$version" ] || refuse "the tag is $tag, and mail_sender/__init__.py says $version"
    grep -q "^## $version - 20[0-9][0-9]-[01][0-9]-[0-3][0-9]$" CHANGELOG.md ||
        refuse "CHANGELOG.md has no section \"## $version - YYYY-MM-DD\""
    [ -z "$(git status --porcelain)" ] || refuse "there are changes that are not committed"
fi
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
mkdir -p dist
rm -f dist/*.whl dist/*.tar.gz
scripts/uv.sh build --quiet --out-dir dist --build-constraints requirements/build.lock --require-hashes
ls dist/*.whl dist/*.tar.gz
