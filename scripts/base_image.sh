#!/bin/sh
# Makes a base image with Python from Debian's packages alone, for machines that reach no container registry. Needs root.
# usage: base_image.sh NAME [debootstrap's mirror]
set -eu
name=${1:?usage: base_image.sh NAME [MIRROR]}
command -v debootstrap >/dev/null || { echo "debootstrap was not found. Install it (Debian: debootstrap)." >&2; exit 1; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
# shellcheck disable=SC2086
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root" ${2:-}  >&2
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* "$root"/usr/share/man/*
tar -C "$root" -c . | docker import - "$name"
