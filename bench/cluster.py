"""Anchorage on the cluster that KUBECONFIG names: python -m bench.cluster [install] [memory] [ready] [deletion] [upgrade] [--requests 5000].

`install`: seconds from `helm install` with minikube.yaml to the first cited answer; `memory`: MiB that an idle API pod is charged with, with
the local model and with remote ones; `ready`: seconds from the wish for one pod more until it is ready; `deletion` and `upgrade`: requests that
fail, and streams that are lost, while each of three pods is deleted, and while a release takes over from the one of E2E_PREVIOUS_IMAGE.
bench/kubernetes.py tells what else the environment names.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.e2e.conftest import HAND_OVER, NOTE, QUESTION, model_pod, with_model

from bench.kubernetes import CHART, Release, apply, ask, before, get, ingest, kubectl, namespace, until
from bench.load import Load
from bench.support import report

_IDLE = 30.0  # seconds without a question before memory is read; the kubelet looks every ten


def _memory(release: Release) -> float:
    """The working set of an API container, as the kubelet tells it, in MiB."""
    (pod, *_) = release.pods()
    node = pod["spec"]["nodeName"]
    summary = json.loads(kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
    found = next(item for item in summary["pods"] if item["podRef"]["uid"] == pod["metadata"]["uid"])
    return round(sum(item["memory"]["workingSetBytes"] for item in found["containers"]) / 2**20, 1)


def _installed() -> dict[str, Any]:
    with namespace("bench") as place:
        release, begun = Release(place), time.monotonic()
        release.install(wait=False)
        until("a Service", lambda: get("service", place, release.name), 30)
        with release.client() as client:
            until("an answer", lambda: _answers(client), 300)
            document_id = ingest(client, "ghent.txt", NOTE)
            answer = ask(client, QUESTION)
        seconds = time.monotonic() - begun
        cited = document_id in [item["document_id"] for item in answer["citations"]]
        time.sleep(_IDLE)
        return {"install_to_cited_answer_s": round(seconds, 1), "cited": cited, "api_mib_local_model": _memory(release)}


def _answers(client: Any) -> bool:
    try:
        return bool(client.get("/readyz").is_success)
    except httpx.TransportError:
        return False


@contextmanager
def _served(replicas: int, image: str = "", chart: Path = CHART) -> Iterator[Release]:
    with namespace("bench") as place:
        apply(place, *model_pod(token_delay=0.6))
        release = with_model(place)
        release.image, release.chart = image, chart
        release.install(api={"replicas": replicas, **HAND_OVER})
        with release.client() as client:
            ingest(client, "ghent.txt", NOTE)
            ask(client, QUESTION)
        yield release


def _idle_memory() -> dict[str, Any]:
    with _served(1) as release:
        time.sleep(_IDLE)
        return {"api_mib_remote_models": _memory(release)}


def _readiness(rounds: int = 5) -> dict[str, Any]:
    """One pod at a time, with the local model as the example for one node has it."""
    with namespace("bench") as place:
        release = Release(place)
        release.install()
        seconds = []
        for _ in range(rounds):
            begun = time.monotonic()
            release.scale(2)
            until("a second pod", lambda: len(release.ready()) == 2, 120)
            seconds.append(time.monotonic() - begun)
            release.scale(1)
            until("one pod", lambda: len(release.all_pods()) == 1, 120)
        return {"pod_ready_s": {"median": round(statistics.median(seconds), 1), "all": [round(s, 1) for s in seconds]}}


def _under_load(requests: int, disturb: Callable[[Release], None], *served: Any) -> dict[str, Any]:
    with _served(3, *served) as release, Load(release.address(), QUESTION, streams=12) as load:
        load.until_requests(requests // 10)
        with load.disturbance():
            disturb(release)
        load.until_requests(requests, 1800)
    return load.tally.figures()


def _deletion(requests: int) -> dict[str, Any]:
    def each(release: Release) -> None:
        for pod in release.ready():
            release.delete_pod(pod)

    return {"deletion": _under_load(requests, each)}


def _upgrade(requests: int) -> dict[str, Any]:
    def upgraded(release: Release) -> None:
        release.image, release.chart = "", CHART
        release.install(api={"podAnnotations": {"upgrade": "after"}})

    image, chart = before()
    return {"upgrade": {**_under_load(requests, upgraded, image, chart), "from": image or "the same image"}}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster", description=__doc__)
    parser.add_argument("parts", nargs="*", help="all of them by default")
    parser.add_argument("--requests", type=int, default=5000)
    given = parser.parse_args()
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "install": _installed, "memory": _idle_memory, "ready": _readiness,
        "deletion": lambda: _deletion(given.requests), "upgrade": lambda: _upgrade(given.requests),
    }  # fmt: skip
    figures: dict[str, Any] = {}
    for name in given.parts or parts:
        figures |= parts[name]()
    report(load_average=os.getloadavg()[0], **figures)


if __name__ == "__main__":
    main()
