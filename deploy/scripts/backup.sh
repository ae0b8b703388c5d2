#!/bin/sh
# Saves the databases of the trial Postgres (database.kind: postgres) to a file, and puts them back.
# usage: backup.sh dump FILE | restore FILE        NAMESPACE=anchorage RELEASE=anchorage as in the cluster
set -eu
what=${1-} file=${2-}
namespace=${NAMESPACE:-anchorage} release=${RELEASE:-anchorage}
pod=$release-postgres-0
in_pod() { kubectl -n "$namespace" exec -i "$pod" -c postgres -- "$@"; }

case "$what:$file" in
  dump:?*)
    umask 077
    # Beside its place first: a dump that is cut off leaves nothing that looks whole.
    trap 'rm -f "$file.part"' EXIT
    in_pod pg_dump -U anchorage -d anchorage --format=custom > "$file.part"
    mv "$file.part" "$file"
    echo "Saved to $file. The original bytes of documents are not in it: save the bucket or the volume $release-documents too." >&2 ;;
  restore:?*)
    [ -r "$file" ] || { echo "$file cannot be read." >&2; exit 2; }
    running=$(kubectl -n "$namespace" get pods -l "app.kubernetes.io/instance=$release,app.kubernetes.io/component in (api, retrieval, ingest, mcp, worker)" -o name)
    if [ -n "$running" ]; then
      echo "Pods are at work on the database. Scale them down first, and back after:" >&2
      echo "  kubectl -n $namespace scale deployment -l app.kubernetes.io/instance=$release --replicas 0" >&2
      exit 1
    fi
    in_pod psql -q -U anchorage -d anchorage -v ON_ERROR_STOP=1 \
      -c 'DROP SCHEMA IF EXISTS anchorage, procrastinate CASCADE; DROP EXTENSION IF EXISTS vector' < /dev/null
    in_pod pg_restore -U anchorage -d anchorage --no-owner --single-transaction < "$file"
    echo "Restored from $file. Start the pods again: helm upgrade, or kubectl scale." >&2 ;;
  *)
    sed -n '2,3s/^# //p' "$0" >&2
    exit 2 ;;
esac
