#!/bin/sh
# Prints the folder of a Node that can build the web page: this machine's, else one from the package index, kept in .setup.
set -eu
here=$(dirname "$0")
fits() { "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 13) ? 0 : 1)' 2>/dev/null; }

found=$(command -v node || true)
if [ -n "$found" ] && fits "$found" && command -v npm >/dev/null; then dirname "$found"; exit 0; fi

root=$(cd "$here/.." && pwd)
if ! fits "$root/.setup/node/bin/node"; then
  echo "Installing Node into .setup/node" >&2
  uv=$(sh "$here/uv.sh")
  "$uv" venv -q --clear --no-python-downloads --python "$(sh "$here/python.sh")" "$root/.setup/node"
  "$uv" pip install -q --require-hashes --only-binary :all: --python "$root/.setup/node/bin/python" -r "$root/requirements/node.lock" >&2
fi
echo "$root/.setup/node/bin"
