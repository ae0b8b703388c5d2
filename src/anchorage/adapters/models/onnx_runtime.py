"""The door to ONNX Runtime: nothing else of the package imports it."""

from __future__ import annotations

import os
from typing import Any


def onnx_runtime() -> Any:
    """ONNX Runtime, silenced first: on import it would write a device id into the user's cache and report to its maker.

    The variable is read once, when the library initialises (its Privacy.md, "Disabling Telemetry").
    """
    os.putenv("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime
