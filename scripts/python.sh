#!/bin/sh
# Prints the path of a Python that this project runs on.
set -eu
for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
  path=$(command -v "$name" || true)
  if [ -n "$path" ] && "$path" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; then
    echo "$path"
    exit 0
  fi
done
echo "Python 3.11 to 3.14 is needed and was not found. Install it, or say where it is: make PYTHON=/path/to/python3" >&2
exit 1
