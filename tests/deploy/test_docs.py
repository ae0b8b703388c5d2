"""The pages about Kubernetes name files, values and pages that exist; the GitOps examples hold values that the chart takes."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import CHART, ROOT, render

PAGES = [*sorted((ROOT / "docs/how-to").glob("kubernetes*.md")), CHART / "README.md"]
GITOPS = ROOT / "deploy/gitops"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_files_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    linked = [page.parent / link for link in re.findall(r"\]\(([^)#:]+)\)", text)]
    named = [ROOT / path for path in re.findall(r"(?:-f |-k |^ +)(deploy/[\w./-]+)", text, re.M)]
    assert not [path for path in [*linked, *named] if not path.exists()]


def _exists(tree: Any, path: str) -> bool:
    for part in path.split("."):
        if not isinstance(tree, dict):
            return False
        if part not in tree:
            return tree == {}  # open: any key
        tree = tree[part]
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_values_that_are_named_exist(page: Path) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    text = page.read_text("utf-8").split("## Values")[0]
    tops = "|".join(values)
    named = set(re.findall(rf"(?:--set |`)((?:{tops})(?:\.\w+)+)", text))
    assert not [path for path in named if not _exists(values, path)]


def test_argo_cd_installs_without_generating_anything() -> None:
    application = yaml.safe_load((GITOPS / "argocd-application.yaml").read_text("utf-8"))
    helm = application["spec"]["source"]["helm"]
    (file,) = helm["valueFiles"]
    assert application["spec"]["source"]["path"] == "deploy/chart" and (CHART / file).exists()
    assert not render(Path(file).stem, **helm["valuesObject"]).of("Secret")


def test_flux_installs_values_that_the_chart_takes() -> None:
    source, release = yaml.safe_load_all((GITOPS / "flux-helmrelease.yaml").read_text("utf-8"))
    chart = release["spec"]["chart"]["spec"]
    assert chart["sourceRef"] == {"kind": source["kind"], "name": source["metadata"]["name"]}
    (file,) = chart["valuesFiles"]
    assert (ROOT / file).exists() and (ROOT / chart["chart"]).exists()
    assert render(Path(file).stem, **release["spec"]["values"]).of("Secret")
