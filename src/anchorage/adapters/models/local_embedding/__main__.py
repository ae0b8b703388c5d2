"""Builds graphs of local models ahead of time: python -m anchorage.adapters.models.local_embedding FOLDER PRECISION [MODEL...].

Without a model: all that are installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from anchorage.adapters.models.local_embedding.catalogue import LOCAL_MODELS, MINILM
from anchorage.adapters.models.local_embedding.files import (
    build_files,
    choose_default_model,
    is_built,
    resolve_precision,
)


def main(folder: Path, precision: str, names: list[str]) -> None:
    chosen = resolve_precision(precision)
    for name in names or dict.fromkeys((choose_default_model().name, MINILM.name)):
        if not is_built(LOCAL_MODELS[name], folder, chosen):
            build_files(LOCAL_MODELS[name], folder, chosen)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
