"""Writes the image's bill of materials, as CycloneDX JSON: what scripts/image.sh has laid out for it, and the base image's packages."""

from __future__ import annotations

import argparse
import json
import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from email.parser import HeaderParser
from importlib.metadata import Distribution, distributions
from pathlib import Path

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

_licenses = LicenseFactory()


def _component(kind: ComponentType, url: PackageURL, licence: str | None = None, **more: object) -> Component:
    name = f"{url.namespace}/{url.name}" if url.type == "npm" and url.namespace else url.name
    return Component(
        type=kind, name=name, version=url.version, purl=url, bom_ref=str(url),
        licenses=[_licenses.make_from_string(licence)] if licence else [], **more,  # type: ignore[arg-type]
    )  # fmt: skip


def _python(distribution: Distribution) -> Component:
    metadata = distribution.metadata
    licence = metadata.get("License-Expression") or metadata.get("License") or ""
    # Some put the whole text there.
    short = licence if 0 < len(licence) < 100 and "\n" not in licence else None
    return _component(
        ComponentType.LIBRARY, PackageURL("pypi", None, distribution.name.lower(), distribution.version), short
    )


def _debian(status: Path, architecture: str) -> Iterator[Component]:
    if not status.exists():
        return
    for paragraph in status.read_text("utf-8").split("\n\n"):
        fields = HeaderParser().parsestr(paragraph.lstrip("\n"))
        if " installed" in (fields["Status"] or ""):
            of = {"arch": fields["Architecture"] or architecture}
            yield _component(
                ComponentType.LIBRARY, PackageURL("deb", "debian", fields["Package"], fields["Version"], of)
            )


def _page(lock: Path) -> Iterator[Component]:
    """The packages whose code is built into the web page."""
    for place, entry in json.loads(lock.read_text("utf-8"))["packages"].items():
        if place and not entry.get("dev") and not entry.get("optional"):
            group, _, name = place.rpartition("node_modules/")[2].rpartition("/")
            yield _component(
                ComponentType.LIBRARY, PackageURL("npm", group or None, name, entry["version"]), entry.get("license")
            )


def _models(folder: Path) -> Iterator[Component]:
    for graph in sorted(folder.glob("*.onnx")):
        digest = graph.with_suffix(".sha256").read_text("utf-8").strip()
        url = PackageURL("generic", None, graph.stem, digest[:12])
        yield _component(
            ComponentType.MACHINE_LEARNING_MODEL,
            url,
            "Apache-2.0",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="what is laid out: packages, app, share, dpkg")
    parser.add_argument("--architecture", required=True)
    arguments = parser.parse_args()
    root: Path = arguments.root

    (own,) = distributions(path=[str(root / "app")])
    bom = Bom()
    bom.metadata.component = _component(
        ComponentType.CONTAINER,
        PackageURL("oci", None, "anchorage", own.version, {"arch": arguments.architecture}),
        "Apache-2.0",
    )
    # The same image has the same list, to the byte, where the time is given.
    bom.metadata.timestamp = datetime.fromtimestamp(
        int(os.environ.get("SOURCE_DATE_EPOCH") or datetime.now(UTC).timestamp()), UTC
    )
    parts = [_python(distribution) for distribution in distributions(path=[str(root / "app"), str(root / "packages")])]
    parts += [
        *_debian(root / "dpkg", arguments.architecture),
        *_page(Path("web/package-lock.json")),
        *_models(root / "share/anchorage/models"),
    ]
    for part in parts:
        bom.components.add(part)
    bom.register_dependency(bom.metadata.component, parts)
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(sorted(str(part.bom_ref) for part in parts)))
    print(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1))


if __name__ == "__main__":
    main()
