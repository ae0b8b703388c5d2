#!/bin/sh
# Makes the cluster at its first start, as the official image does, and becomes the server.
# From the environment: POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE, POSTGRES_USER, POSTGRES_DB, POSTGRES_INITDB_ARGS, PGDATA.
set -eu
case "${1-}" in
  -*) set -- postgres "$@" ;;
esac
[ "${1-}" = postgres ] || exec "$@"

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  user=${POSTGRES_USER:-postgres} database=${POSTGRES_DB:-${POSTGRES_USER:-postgres}}
  password=${POSTGRES_PASSWORD:-}
  if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then password=$(cat "$POSTGRES_PASSWORD_FILE"); fi
  [ -n "$password" ] || { echo "The database is not made yet, and needs a password: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE." >&2; exit 1; }
  umask 077
  mkdir -p "$PGDATA" 2>/dev/null && [ -w "$PGDATA" ] || {
    echo "$PGDATA cannot be written by uid $(id -u). Give the volume to that user (on Kubernetes: securityContext.fsGroup)." >&2; exit 1; }
  fresh=$PGDATA/.fresh
  # Beside its place first: a first start that is cut off leaves nothing that looks whole.
  if [ ! -e "$fresh.whole" ]; then
    rm -rf "$fresh"
    printf '%s\n' "$password" > /tmp/.password
    trap 'rm -f /tmp/.password' EXIT
    # shellcheck disable=SC2086
    initdb -D "$fresh" --username="$user" --pwfile=/tmp/.password --encoding=UTF8 --auth-local=trust --auth-host=scram-sha-256 \
      ${POSTGRES_INITDB_ARGS:-} >&2
    rm -f /tmp/.password
    echo 'host all all all scram-sha-256' >> "$fresh/pg_hba.conf"
    if [ "$database" != postgres ]; then
      printf 'CREATE DATABASE "%s" OWNER "%s";\n' "$(printf %s "$database" | sed 's/"/""/g')" "$(printf %s "$user" | sed 's/"/""/g')" |
        postgres --single -j -D "$fresh" postgres >/dev/null
    fi
    : > "$fresh.whole"
  fi
  for entry in "$fresh"/*; do
    [ ! -e "$entry" ] || [ "${entry##*/}" = PG_VERSION ] || mv "$entry" "$PGDATA/"
  done
  mv "$fresh/PG_VERSION" "$PGDATA/" # last: it tells that all is there
  rmdir "$fresh"
  rm "$fresh.whole"
fi
exec "$@" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
