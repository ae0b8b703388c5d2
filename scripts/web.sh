#!/bin/sh
# Builds the web page into the package, unless what it is made of has not changed since. With arguments, runs npm with them instead.
set -eu
here=$(dirname "$0")
root=$(cd "$here/.." && pwd)
static=$root/src/anchorage/static
cd "$root/web"
made_of=$(find src index.html vite.config.ts tsconfig.json package.json package-lock.json scripts -type f -exec cksum {} + | sort -k3 | cksum | cut -d' ' -f1)
if [ $# = 0 ] && [ "$(cat "$static/.made-of" 2>/dev/null)" = "$made_of" ]; then exit 0; fi

PATH="$(sh "$root/scripts/node.sh"):$PATH"
export PATH
if [ ! -f node_modules/.ready ] || [ package-lock.json -nt node_modules/.ready ]; then
  npm ci --loglevel=error --prefer-offline >&2
  touch node_modules/.ready
fi
if [ $# -gt 0 ]; then exec npm --loglevel=error "$@"; fi
echo "Building the web page" >&2
npm run --silent build >&2
echo "$made_of" > "$static/.made-of"
