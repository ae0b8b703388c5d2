"""Loads ONNX Runtime. No other file of the package imports it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_BATCH_TOKENS = 2048  # bounds the memory of a call, padding included


def load_onnx_runtime() -> Any:
    """Import ONNX Runtime with its telemetry off. Else, on import, it writes a device id into the user's cache and reports to its maker.

    The variable is read once, when the library initialises (its Privacy.md, "Disabling Telemetry").
    """
    os.putenv("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def open_session(graph: Path, threads: int) -> Any:
    """A session over a graph on the CPU; 0 threads: one per core. Raises what ONNX Runtime raises."""
    ort = load_onnx_runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # while this waits, others need the cores
    return ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def make_batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Batches of indices of texts of similar length (in tokens), longest first, each within the token budget of a call."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
