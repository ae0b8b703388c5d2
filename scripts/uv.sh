#!/bin/sh
# Prints the path of a uv that can build this project, installing it for this user when there is none.
set -eu
WANTED=0.13
PINNED=0.13.8
fits() { "$1" --version 2>/dev/null | grep -q "^uv $WANTED\."; }

found=$(command -v uv || true)
if [ -n "$found" ] && fits "$found"; then echo "$found"; exit 0; fi

cache="${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/anchorage/uv-$PINNED"
for place in "$cache/bin/uv" "$cache/lib/bin/uv"; do
  if [ -x "$place" ] && fits "$place"; then echo "$place"; exit 0; fi
done

python=$(sh "$(dirname "$0")/python.sh")
echo "Installing uv $PINNED into $cache" >&2
mkdir -p "$cache"
if "$python" -m venv "$cache" >/dev/null 2>&1; then
  "$cache/bin/python" -m pip install -q --disable-pip-version-check "uv==$PINNED" >&2
  echo "$cache/bin/uv"
elif "$python" -m pip install -q --disable-pip-version-check --target "$cache/lib" "uv==$PINNED" >&2; then
  echo "$cache/lib/bin/uv"
else
  echo "uv could not be installed: $python has neither venv nor pip. Install one of them (Debian: python3-venv), or uv $WANTED itself." >&2
  exit 1
fi
