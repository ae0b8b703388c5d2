#!/bin/sh
# Runs all tests, in two halves beside one another: those that drive whole processes mostly wait. With arguments, runs pytest with them.
# usage: test.sh PYTHON [PYTEST'S ARGUMENTS]
set -u
python=$1
shift
if [ $# -gt 0 ]; then exec "$python" -m pytest "$@"; fi

told=$(mktemp) beside=
trap '[ -z "$beside" ] || kill "$beside" 2>/dev/null; rm -f "$told"' EXIT
trap 'exit 130' INT TERM
"$python" -m pytest tests/acceptance tests/browser >"$told" 2>&1 &
beside=$!
status=0
"$python" -m pytest --ignore=tests/acceptance --ignore=tests/browser || status=$?
wait "$beside" || status=$?
cat "$told"
exit "$status"
