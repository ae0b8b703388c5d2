#!/bin/sh
# Builds the documentation into build/docs, by a Sphinx of its own in .setup. Fails where a link leads nowhere or a page needs another host.
# usage: docs.sh [FOLDER OF PAGES [FOLDER FOR THE SITE]]
set -eu
cd "$(dirname "$0")/.."
pages=${1:-docs} site=${2:-build/docs}
venv=.setup/docs
lock=requirements/docs.lock

if ! cmp -s "$lock" "$venv/.made-of"; then
  uv=$(sh scripts/uv.sh)
  "$uv" venv -q --clear --no-python-downloads --python "$(sh scripts/python.sh)" "$venv"
  install() { "$uv" pip install -q --require-hashes --only-binary :all: "$@" --python "$venv/bin/python" -r "$lock"; }
  # From the package cache where it has everything, so that this works without a network.
  install --offline 2>/dev/null || install
  cp "$lock" "$venv/.made-of"
fi

rm -rf "$site"
# Each run reads all pages anew: a page whose text did not change may still have a link that broke.
"$venv/bin/python" -m sphinx -q --fresh-env --nitpicky --fail-on-warning --conf-dir scripts/docs --doctree-dir "$site.pages" "$pages" "$site"
rm -rf "$site.pages"
"$venv/bin/python" scripts/docs/check.py "$site"
echo "The documentation is at $site/index.html"
