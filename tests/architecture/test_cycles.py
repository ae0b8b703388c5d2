"""No circles: what a file imports, types included, never leads back to it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import anchorage

PACKAGE = Path(anchorage.__file__).parent
MODULES = {
    ".".join(("anchorage", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def imported(module: str, path: Path) -> set[str]:
    """The modules of the package that a file imports, anywhere in it, also for types alone."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{module} imports by a relative path"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = names & MODULES.keys()
            found |= modules
            if modules != names:  # something that is defined in it
                found.add(node.module)
    return (found & MODULES.keys()) - {module}


def circles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    """The groups of modules that lead to one another: strongly connected components (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []

    def visit(node: str) -> Iterator[list[str]]:
        index[node] = low[node] = len(index)
        stack.append(node)
        for following in sorted(graph.get(node, ())):
            if following not in index:
                yield from visit(following)
                low[node] = min(low[node], low[following])
            elif following in stack:
                low[node] = min(low[node], index[following])
        if low[node] == index[node]:
            at = stack.index(node)
            group = stack[at:]
            del stack[at:]
            if len(group) > 1:
                yield group

    for node in sorted(graph):
        if node not in index:
            yield from visit(node)


def test_circles_are_found() -> None:
    assert list(circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == [["a", "b", "c"]]
    assert not list(circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}))


def test_no_module_leads_back_to_itself() -> None:
    found = list(circles({module: imported(module, path) for module, path in MODULES.items()}))
    assert not found, found


def test_the_files_of_a_turn_import_one_another_openly() -> None:
    """No import for types alone, and none inside a function but of libraries."""
    for path in (PACKAGE / "chat").rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        assert "TYPE_CHECKING" not in path.read_text("utf-8"), path.name
        inner = [
            node.module
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("anchorage")
        ]
        assert not inner, f"{path.name} imports {inner} inside a function"


def test_only_the_use_case_knows_the_pipeline() -> None:
    users = {module for module, path in MODULES.items() if "anchorage.chat.pipeline" in imported(module, path)}
    assert users == {"anchorage.chat.turn", "anchorage.wiring.chat"}
