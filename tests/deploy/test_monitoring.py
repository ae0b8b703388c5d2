"""The dashboard and the alerts: expressions that Prometheus takes, of metrics that are there."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from anchorage.telemetry import REGISTRY

from .conftest import ROOT, render, tool

DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/dashboards/anchorage.json").read_text("utf-8"))
VARIABLES = {"$__rate_interval": "5m", "$namespace": "rag", "$release": "anchorage"}


def expressions() -> list[str]:
    found = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    for name, value in VARIABLES.items():
        found = [text.replace(name, value) for text in found]
    return found


def test_the_dashboard_shows_metrics_that_exist_and_panels_that_do_not_overlap() -> None:
    ours = set(re.findall(r"^# TYPE (\S+)", generate_latest(REGISTRY).decode(), re.M))
    asked = {name.removesuffix("_bucket") for text in expressions() for name in re.findall(r"anchorage_[a-z_]+", text)}
    assert asked <= ours and len(asked) >= 12
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_grafanas_sidecar_gets_it() -> None:
    found = render("production").one("ConfigMap", "-dashboard")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(found["data"]["anchorage.json"]) == DASHBOARD
    assert not [item for item in render().of("ConfigMap") if item["metadata"]["name"].endswith("-dashboard")]


@pytest.mark.parametrize("what", ["alerts", "dashboard"])
def test_prometheus_takes_every_expression(what: str, tmp_path: Path) -> None:
    if what == "alerts":
        groups = render("production").one("PrometheusRule")["spec"]
    else:
        rules = [{"record": f"panel:{n}", "expr": text} for n, text in enumerate(expressions())]
        groups = {"groups": [{"name": "dashboard", "rules": rules}]}
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(groups))
    done = subprocess.run([tool("promtool"), "check", "rules", str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stderr
