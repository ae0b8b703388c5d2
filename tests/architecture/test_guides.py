"""CONTRIBUTING guides by paths: each path that its guides name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = ("A tour in five files", "Where things are", "How to add")
THINGS = ("A parser", "A source", "A vector server", "A model provider", "A setting", "A page")
_PATH = re.compile(r"`([\w.-]+/[\w./-]*|[\w-]+\.(?:md|toml))`")


def section(title: str, level: int = 2) -> str:
    """The text below a heading, up to the next of its level or above."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    found = re.search(
        rf"^{'#' * level} {re.escape(title)}\n(.*?)(?=^#{{1,{level}}} |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert found, f"CONTRIBUTING.md has no section {title!r}"
    return found[1]


@pytest.mark.parametrize("title", GUIDES)
def test_each_path_is_there(title: str) -> None:
    named = _PATH.findall(section(title))
    assert len(named) >= 5
    assert not [path for path in named if not (ROOT / path).exists()]


def test_the_tour_is_five_files() -> None:
    steps = re.findall(r"^\d\. `([^`]+)`", section("A tour in five files"), re.MULTILINE)
    assert len(steps) == 5 and all(step.endswith(".py") for step in steps)


@pytest.mark.parametrize("thing", THINGS)
def test_adding_is_a_short_list_with_tests_and_documentation(thing: str) -> None:
    files = [path for path in _PATH.findall(section(thing, 3)) if not path.endswith("/")]
    assert 4 <= len(set(files)) <= 16
    assert any(path.startswith("tests/") for path in files) and any(path.startswith("docs/") for path in files)
