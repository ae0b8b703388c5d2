"""The law of imports, the size of files and functions, and other promises about the source tree."""

import ast
import inspect
import re
from pathlib import Path

import psycopg
import pytest

import anchorage
from anchorage.adapters.postgres.pool import translate_errors
from anchorage.errors import AnchorageError
from anchorage.settings.reference import build_reference

PACKAGE = Path(anchorage.__file__).parent
ROOT = PACKAGE.parents[1]
FILES = sorted(PACKAGE.rglob("*.py"))

# part of the package -> parts that it may import besides itself
BASE = {"model", "errors"}
LAW = {
    "model": set(),
    "errors": set(),
    "text": {"errors"},
    "batching": {"errors"},
    "cancellation": set(),
    "fastjson": set(),
    "client": {*BASE, "fastjson", "api"},
    "api": BASE,
    "integrations": {*BASE, "api", "sync"},
    "sync": {*BASE, "api", "client", "faces"},
    "settings": {"errors"},
    "telemetry": set(),
    "ports": BASE,
    "ingest": {*BASE, "ports", "text", "telemetry", "batching", "cancellation"},
    "chat": {*BASE, "ports", "text", "telemetry", "fastjson", "cancellation"},
    "evaluation": {*BASE, "ports", "text", "telemetry", "chat", "ingest"},
    "adapters": {*BASE, "ports", "text", "telemetry", "batching", "fastjson", "cancellation"},
    "testing": {*BASE, "ports", "text"},
    "wiring": {
        *BASE,
        "ports",
        "text",
        "telemetry",
        "settings",
        "adapters",
        "ingest",
        "chat",
        "evaluation",
        "cancellation",
    },
    "diagnosis": {"errors", "settings", "wiring"},
    "faces": {
        *BASE,
        "ports",
        "telemetry",
        "settings",
        "wiring",
        "diagnosis",
        "ingest",
        "chat",
        "evaluation",
        "fastjson",
        "api",
        "client",
    },
}
# The adapters that others may use. `tables` names the rows of which pgvector's vectors are a column, and says who may read them.
SHARED_ADAPTERS = {"adapters.postgres.pool", "adapters.postgres.batch", "adapters.postgres.tables"}


def imports(path: Path) -> set[str]:
    """Modules of this package that a file imports, without the package's name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {name.removeprefix("anchorage.") for name in found if name.startswith("anchorage.")}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_law_of_imports(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return
    broken = {name for name in imports(path) if (head := name.split(".")[0]) != part and head not in LAW[part]}
    assert not broken, f"{part} may not import {broken}"


def test_adapters_do_not_know_one_another() -> None:
    for path in (PACKAGE / "adapters").rglob("*.py"):
        own = path.relative_to(PACKAGE / "adapters").parts[0]
        others = {
            name for name in imports(path)
            if name.startswith("adapters.") and name.split(".")[1] != own and name not in SHARED_ADAPTERS
        }  # fmt: skip
        assert not others, f"{path.name} imports {others}"


def test_langgraph_is_known_where_runs_wait_for_people_alone() -> None:
    """A plain turn is a list of steps: it neither waits nor branches."""
    allowed = ("librarian/", "faces/langgraph/")
    users = {str(path.relative_to(PACKAGE)) for path in FILES if _imports_langgraph(path)}
    assert not {name for name in users if not name.startswith(allowed)}


def _imports_langgraph(path: Path) -> bool:
    tree = ast.parse(path.read_text("utf-8"))
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return any(name.split(".")[0] == "langgraph" for name in modules)


def test_only_settings_reads_the_environment() -> None:
    allowed = {"settings/environment.py"}
    readers = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        if "os.environ" in path.read_text("utf-8") or "os.getenv" in path.read_text("utf-8")
    }
    assert readers <= allowed


def test_onnx_runtime_is_imported_by_its_door_alone() -> None:
    """Its telemetry is on by default, and only that door turns it off."""
    importers = {path.name for path in FILES if re.search(r"^\s*import onnxruntime", path.read_text("utf-8"), re.M)}
    assert importers == {"onnx_runtime.py"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) < 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


def test_nothing_happens_on_import() -> None:
    """Importing the composition root opens nothing and loads no model, parser or provider."""
    import subprocess
    import sys

    code = "import sys, anchorage.wiring.services, anchorage.faces.http.server; print(*(sorted(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    lazy = {"onnxruntime", "onnx", "tokenizers", "lxml", "pypdfium2", "mammoth", "langchain", "openai", "torch"}
    lazy |= {"aiobotocore", "botocore", "protego", "resiliparse", "mcp", "mcp_types"}
    lazy |= {"stdnum", "redis", "langgraph", "langchain_core"}
    lazy |= {"pptx", "python_calamine", "olefile", "msoffcrypto", "oxmsg", "striprtf", "tesserocr", "PIL"}
    assert not lazy & set(loaded)


def test_every_driver_error_becomes_ours() -> None:
    kinds = {
        kind
        for module in (psycopg, psycopg.errors)
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, psycopg.Error)
    }
    assert len(kinds) > 100
    for kind in kinds:
        with pytest.raises(AnchorageError) as raised, translate_errors("testing"):
            raise kind("postgresql://user:secret@host")
        assert "secret" not in raised.value.message


def test_error_codes_are_stable_and_drawn_in_the_tree() -> None:
    from anchorage import errors

    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, AnchorageError)]
    assert {kind.__name__ for kind in kinds} <= set(
        (errors.__doc__ or "").replace("├── ", " ").replace("└── ", " ").split()
    )


def test_the_lock_holds_no_address() -> None:
    assert "://" not in (ROOT / "requirements/dev.lock").read_text("utf-8")


def test_the_reference_of_settings_is_up_to_date() -> None:
    page = (ROOT / "docs/reference/settings.md").read_text("utf-8")
    assert page == build_reference(), "run `python -m anchorage.settings > docs/reference/settings.md`"
