#!/bin/sh
# Puts Anchorage onto the cluster that kubectl points at: secrets and settings from a .env file, the image, the chart; then checks it.
set -eu
usage() {
  cat <<'EOF'
usage: deploy.sh --from-env .env [--registry R] --tag T [--build] [--push] [--dry-run]
                 [--namespace anchorage] [--release anchorage] [--values FILE]... [--timeout 10m]

  --from-env FILE   NAME=value lines. Keys, passwords, tokens and database URLs become the Secret RELEASE-env, all else settings.
  --registry R      where the image is; R/anchorage:T. Without it anchorage:T, which the nodes must have.
  --tag T           the image's tag
  --build           build it first (make image; BASE_IMAGE and EXTRAS are passed on)
  --push            push it to the registry
  --values FILE     values of the chart on top, such as deploy/chart/examples/production.yaml; may be given more than once
  --timeout TIME    how long all pods get to be ready
  --dry-run         print what would be done; secret values are masked, and no cluster is asked
EOF
}
fail() { echo "deploy.sh: $1" >&2; exit 2; }

root=$(cd "$(dirname "$0")/../.." && pwd)
env_file='' registry='' tag='' build='' push='' dry='' namespace=anchorage release=anchorage timeout=10m
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: > "$work/files"
while [ $# -gt 0 ]; do
  case "$1" in
    --from-env|--registry|--tag|--namespace|--release|--values|--timeout)
      [ $# -ge 2 ] || fail "$1 needs a value. See --help."
      case "$1" in
        --from-env) env_file=$2 ;;
        --registry) registry=${2%/} ;;
        --tag) tag=$2 ;;
        --namespace) namespace=$2 ;;
        --release) release=$2 ;;
        --timeout) timeout=$2 ;;
        --values) [ -r "$2" ] || fail "The values file $2 cannot be read."; printf '%s\n' "$2" >> "$work/files" ;;
      esac
      shift 2 ;;
    --build) build=yes; shift ;;
    --push) push=yes; shift ;;
    --dry-run) dry=yes; shift ;;
    -h|--help) usage; exit 0 ;;
    *) usage >&2; fail "$1 is no option." ;;
  esac
done
[ -n "$env_file" ] || fail "--from-env FILE is missing: the file with your settings, empty if there are none. See --help."
[ -r "$env_file" ] || fail "The file $env_file cannot be read."
[ -n "$tag" ] || fail "--tag T is missing: the image's tag. See --help."
if [ -n "$push" ] && [ -z "$registry" ]; then fail "--push needs --registry R."; fi
repository=${registry:+$registry/}anchorage
if [ -z "$dry" ]; then
  for tool in kubectl helm; do command -v "$tool" >/dev/null || fail "$tool was not found. Install it."; done
fi

# The file is read, never run: a value may hold anything.
umask 077
: > "$work/secrets"
echo 'config:' > "$work/values.yaml"
blobs='' vector='' state='' configs=0
number=0
while IFS= read -r line || [ -n "$line" ]; do
  number=$((number + 1))
  case "$line" in ''|'#'*) continue ;; esac
  line=${line#export }
  name=${line%%=*} value=${line#*=}
  case "$name" in ''|[!A-Z]*|*[!A-Z0-9_]*) fail "Line $number of $env_file is no NAME=value with a name of capitals." ;; esac
  [ "$name" != "$line" ] || fail "Line $number of $env_file has no = after $name."
  case "$value" in
    \"*\") value=${value#\"} value=${value%\"} ;;
    \'*\') value=${value#\'} value=${value%\'} ;;
  esac
  [ -n "$value" ] || continue
  case "$name" in
    APP_HOST|APP_PORT|ANCHORAGE_DATA|ANCHORAGE_DATA__DIR|ANCHORAGE_HTTP__HOST|ANCHORAGE_HTTP__PORT)
      echo "$name is left out: the chart sets it." >&2; continue ;;
    ANCHORAGE_BLOBS__URL) blobs=$value; continue ;;
    VECTOR_DB_URL|ANCHORAGE_DATABASE__VECTOR_URL) name=VECTOR_DB_URL vector=yes ;;
    STATE_DB_URL|ANCHORAGE_DATABASE__STATE_URL) name=STATE_DB_URL state=yes ;;
  esac
  secret=''
  case "$name" in
    *API_KEY|*PASSWORD|*PASSWORDS|*SECRET*|*_TOKEN|*ACCESS_KEY|*ACCESS_KEY_ID|*_DB_URL|REDIS_URL|*FALLBACKS) secret=yes ;;
    *) case "$value" in *://*:*@*) secret=yes ;; esac ;;
  esac
  if [ -n "$secret" ]; then
    printf '%s=%s\n' "$name" "$value" >> "$work/secrets"
  else
    printf '  %s: "%s"\n' "$name" "$(printf '%s' "$value" | sed 's/\\/\\\\/g; s/"/\\"/g')" >> "$work/values.yaml"
    configs=$((configs + 1))
  fi
done < "$env_file"
[ "$vector" = "$state" ] || fail "$env_file has one of VECTOR_DB_URL and STATE_DB_URL. Give both (they may be the same), or neither for a Postgres in the cluster."

[ "$configs" -gt 0 ] || echo 'config: {}' > "$work/values.yaml"
{
  printf 'image:\n  repository: "%s"\n  tag: "%s"\n' "$repository" "$tag"
  if [ -n "$vector" ]; then printf 'database:\n  kind: external\n'; fi
  if [ -n "$blobs" ]; then printf 'blobs:\n  kind: s3\n  url: "%s"\n' "$blobs"; fi
  if [ -s "$work/secrets" ]; then
    # Changed secrets restart the pods.
    rotation=$(cksum < "$work/secrets" | tr -d ' ')
    printf 'secrets:\n  envFrom: ["%s-env"]\n  rotation: "%s"\n' "$release" "$rotation"
  fi
} >> "$work/values.yaml"

run() { # shows a command, and does it unless this is a dry run
  echo "+ $*" >&2
  [ -n "$dry" ] || "$@"
}
apply() { # applies what kubectl makes of its arguments, so that a second time changes what is there
  echo "+ kubectl create $* | kubectl apply" >&2
  [ -n "$dry" ] || kubectl create "$@" --dry-run=client -o yaml | kubectl apply -f -
}

if [ -n "$build" ]; then
  run make -C "$root" image TAG="$repository:$tag" BASE_IMAGE="${BASE_IMAGE:-python:3.11-slim}" EXTRAS="${EXTRAS:-}"
fi
if [ -n "$push" ]; then run docker push "$repository:$tag"; fi
apply namespace "$namespace"
if [ -s "$work/secrets" ]; then
  if [ -n "$dry" ]; then sed 's/=.*/=********/' "$work/secrets"; fi
  apply -n "$namespace" secret generic "$release-env" --from-env-file="$work/secrets"
fi
set --
while IFS= read -r file; do set -- "$@" -f "$file"; done < "$work/files"
if [ -n "$dry" ]; then cat "$work/values.yaml"; fi
# What .env says goes last, over the files of values.
if ! run helm upgrade --install "$release" "$root/deploy/chart" -n "$namespace" "$@" -f "$work/values.yaml" --wait --wait-for-jobs --timeout "$timeout"; then
  echo "The release did not get ready. What its pods say:" >&2
  kubectl -n "$namespace" get pods -l "app.kubernetes.io/instance=$release" >&2 || true
  kubectl -n "$namespace" logs -l "app.kubernetes.io/instance=$release" --all-containers --prefix --tail 5 >&2 || true
  echo "Undo it: helm -n $namespace rollback $release" >&2
  exit 1
fi
run helm -n "$namespace" test "$release" --logs
[ -n "$dry" ] || helm -n "$namespace" get notes "$release"
