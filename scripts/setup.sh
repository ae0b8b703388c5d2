#!/bin/sh
# Leaves a ready environment in $1: pinned dependencies, this package, and the local model's graph.
set -eu
venv=$1
here=$(dirname "$0")
uv=$(sh "$here/uv.sh")
python=$(sh "$here/python.sh")

"$venv/bin/python" -c '' 2>/dev/null || "$uv" venv -q --clear --no-python-downloads --python "$python" "$venv"
export VIRTUAL_ENV="$venv"
sync() { "$uv" pip sync -q "$@" --python "$venv/bin/python" requirements/dev.lock; }
# From the package cache where it has everything, so that this works without a network.
sync --offline 2>/dev/null || sync
"$uv" pip install -q --python "$venv/bin/python" --no-deps --offline -e . 2>/dev/null ||
  "$uv" pip install -q --python "$venv/bin/python" --no-deps -e .
"$venv/bin/python" -m anchorage.adapters.models.local_embedding "$venv/share/anchorage/models" auto
