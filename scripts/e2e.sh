#!/bin/sh
# Runs the end-to-end tests on the cluster that KUBECONFIG names, or on a kind cluster of their own where kind and Docker's images are to be had.
# usage: e2e.sh PYTHON [pytest's arguments]
set -eu
python=$1
shift
if [ -z "${KUBECONFIG:-}" ] && command -v kind >/dev/null && docker version >/dev/null 2>&1; then
  folder=$(mktemp -d)
  trap 'kind delete cluster --name anchorage-e2e >/dev/null 2>&1; rm -rf "$folder"' EXIT
  KUBECONFIG=$folder/config
  if kind create cluster --name anchorage-e2e --kubeconfig "$KUBECONFIG" --wait 180s; then
    export KUBECONFIG
    for image in "${E2E_IMAGE:-anchorage:dev}" ${E2E_PREVIOUS_IMAGE:-} ${E2E_POSTGRES_IMAGE:-} ${E2E_REDIS_IMAGE:-}; do
      docker image inspect "$image" >/dev/null 2>&1 || { echo "Docker has no image $image: make it with \`make image TAG=$image\`." >&2; exit 1; }
      kind load docker-image "$image" --name anchorage-e2e
    done
  else
    echo "kind could not make a cluster, so the end-to-end tests are skipped." >&2
    unset KUBECONFIG
  fi
fi
"$python" -m pytest tests/e2e "$@"
