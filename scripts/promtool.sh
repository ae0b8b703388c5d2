#!/bin/sh
# Prints the path of promtool, which checks alert rules, taking it out of Debian's package when it is not there. Installs nothing.
set -eu
found=$(command -v promtool || true)
if [ -n "$found" ]; then echo "$found"; exit 0; fi
cache="${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/anchorage/promtool"
if [ -x "$cache/usr/bin/promtool" ]; then echo "$cache/usr/bin/promtool"; exit 0; fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo "promtool was not found. Install it (Debian: prometheus)." >&2
  exit 1
fi
building=$(mktemp -d)
trap 'rm -rf "$building"' EXIT
(cd "$building" && apt-get download -qq prometheus) >&2
dpkg-deb -x "$building"/prometheus_*.deb "$building/root"
rm -rf "$cache"
mkdir -p "$cache/usr/bin"
mv "$building/root/usr/bin/promtool" "$cache/usr/bin/promtool"
echo "$cache/usr/bin/promtool"
