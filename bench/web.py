"""How much JavaScript the web page loads before the first question: `python -m bench.web` prints it as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from anchorage.faces.http.page import BUILT

LIMIT = 200_000  # bytes, compressed


def first_load(folder: Path = BUILT) -> dict[str, Any]:
    """The scripts of the first load, with all that they import at once, and their sizes as they are sent."""
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    scripts: set[str] = set()
    wanted = [key for key, part in manifest.items() if part.get("isEntry")]
    while wanted:
        part = manifest[wanted.pop()]
        if part["file"] not in scripts:
            scripts.add(part["file"])
            wanted += part.get("imports", [])
    sizes = {
        suffix: sum((folder / f"{name}{suffix}").stat().st_size for name in scripts) for suffix in ("", ".gz", ".br")
    }
    return {
        "scripts": sorted(scripts),
        "bytes": sizes[""],
        "gzip": sizes[".gz"],
        "brotli": sizes[".br"],
        "limit": LIMIT,
        "fits": sizes[".gz"] <= LIMIT,
    }


if __name__ == "__main__":
    found = first_load()
    print(json.dumps(found, indent=1))
    sys.exit(not found["fits"])
