#!/bin/sh
# Runs all tests, or with --quick all but the slowest: two groups at a time, the longest first. A group is shown when it ends.
# With other arguments, runs pytest with them.
# usage: test.sh PYTHON [--quick | PYTEST'S ARGUMENTS]
set -u
python=$1
shift

if [ "${1-}" = --group ]; then # one of those below; used by this script alone
  group=$2 slow=$3
  case $group in
    rest) set -- --ignore=tests/integration --ignore=tests/browser --ignore=tests/acceptance --ignore=tests/deploy ;;
    *) set -- "tests/$group" ;;
  esac
  if [ "$slow" = without-slow ]; then set -- -m "not slow" "$@"; fi
  shown=$(mktemp)
  trap 'rm -f "$shown"' EXIT
  trap 'exit 130' INT TERM
  status=0
  "$python" -m pytest --durations=10 "$@" >"$shown" 2>&1 || status=$?
  cat "$shown"
  exit "$status"
fi

case "${1-}" in
  "") slow=with-slow ;;
  --quick) slow=without-slow ;;
  *) exec "$python" -m pytest "$@" ;;
esac
echo "Running the tests ($slow), in five groups; this takes minutes"
printf '%s\n' integration browser acceptance deploy rest | xargs -P 2 -I GROUP sh "$0" "$python" --group GROUP "$slow"
