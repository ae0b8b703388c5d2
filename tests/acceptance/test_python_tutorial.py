"""The tutorial of the Python API runs as it is printed, and prints what it says."""

import ast
import inspect
import re
from collections.abc import Iterator
from contextlib import ExitStack, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from .conftest import Cli, served

PAGE = Path(__file__).parents[2] / "docs/tutorial/python.md"
ADDRESS = "http://127.0.0.1:8000"


def blocks() -> Iterator[tuple[str, str | None]]:
    """Each block of code with the output that is printed below it."""
    found = re.findall(r"^```(python|text)\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    for number, (kind, text) in enumerate(found):
        if kind == "python":
            follows = found[number + 1] if number + 1 < len(found) else ("", "")
            yield text, follows[1] if follows[0] == "text" else None


async def test_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    with ExitStack() as stack:
        address = None
        for code, expected in blocks():
            if ADDRESS in code and address is None:  # `anchorage up --data my-data`, as the page says
                client, _ = stack.enter_context(served(Cli(tmp_path / "my-data"), "serve"))
                address = str(client.base_url)
            compiled = compile(
                code.replace(ADDRESS, address or ADDRESS), str(PAGE), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            )
            with redirect_stdout(StringIO()) as printed:
                # As a notebook does: a loop runs, and a block may await.
                result = eval(compiled, names)
                if inspect.iscoroutine(result):
                    await result
            if expected is not None:
                assert printed.getvalue() == expected, code
    assert len(list(blocks())) > 10
