#!/bin/sh
# Prints the path of versitygw, the S3 server that the tests run against, installing it for this user when there is none.
set -eu
PINNED=v1.8.0

cache="${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/anchorage/versitygw-$PINNED"
if [ -x "$cache/versitygw" ]; then echo "$cache/versitygw"; exit 0; fi

command -v go >/dev/null || { echo "versitygw needs go 1.25 or later to be installed; none was found." >&2; exit 1; }
echo "Installing versitygw $PINNED into $cache" >&2
# Beside its place first: a build that is cut off leaves nothing that looks whole.
building="$cache.$$"
trap 'rm -rf "$building"' EXIT
mkdir -p "$building"
GOBIN="$building" go install "github.com/versity/versitygw/cmd/versitygw@$PINNED" >&2
mkdir -p "$cache"
mv "$building/versitygw" "$cache/versitygw"
echo "$cache/versitygw"
