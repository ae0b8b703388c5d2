#!/bin/sh
# Runs all tests, or with --quick all but the slowest, in two halves beside one another: those that drive whole processes mostly wait.
# With other arguments, runs pytest with them.
# usage: test.sh PYTHON [--quick | PYTEST'S ARGUMENTS]
set -u
python=$1
shift
case "${1-}" in
  "") ;;
  --quick) set -- -m "not slow" ;;
  *) exec "$python" -m pytest "$@" ;;
esac

told=$(mktemp) beside=
trap '[ -z "$beside" ] || kill "$beside" 2>/dev/null; rm -f "$told"' EXIT
trap 'exit 130' INT TERM
"$python" -m pytest --durations=10 "$@" tests/acceptance tests/browser tests/deploy >"$told" 2>&1 &
beside=$!
status=0
"$python" -m pytest --durations=10 "$@" --ignore=tests/acceptance --ignore=tests/browser --ignore=tests/deploy || status=$?
wait "$beside" || status=$?
cat "$told"
exit "$status"
