#!/bin/sh
# Prints the path of a program of Go's module proxy, installing it for this user when it is not there.
# usage: go_tool.sh NAME PACKAGE VERSION
set -eu
name=${1:?usage: go_tool.sh NAME PACKAGE VERSION} package=$2 version=$3

cache="${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/anchorage/$name-$version"
if [ -x "$cache/$name" ]; then echo "$cache/$name"; exit 0; fi

command -v go >/dev/null || { echo "$name needs go 1.26 or later to be installed; none was found." >&2; exit 1; }
echo "Installing $name $version into $cache" >&2
# Beside its place first: a build that is cut off leaves nothing that looks whole.
building="$cache.$$"
trap 'rm -rf "$building"' EXIT
mkdir -p "$building"
GOBIN="$building" go install "$package@$version" >&2
mkdir -p "$cache"
mv "$building/$name" "$cache/$name"
echo "$cache/$name"
