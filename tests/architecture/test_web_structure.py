"""The files of the web page import one another in one direction only.

Every import counts: of values, of types (`import type`), re-exports, and those that load a file later (`import()`). The last two are what a
reader has to follow as well, although the compiler erases the one and the browser meets the other late.
"""

import json
import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

Node = TypeVar("Node", bound=Hashable)

WEB = Path(__file__).parents[2] / "web"
SOURCES = WEB / "src"
FILES = frozenset(path for pattern in ("*.ts", "*.tsx") for path in SOURCES.rglob(pattern))

# A string is matched to be kept: what looks like a comment in it is none.
COMMENT = re.compile(r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|//[^\n]*|/\*.*?\*/""", re.S)
IMPORT = re.compile(
    r"""^[ \t]*import\s*(?P<effect>["'])(?P<loaded>[^"'\n]+)(?P=effect)
      | ^[ \t]*(?:import|export)\b[\w$\s{},*]*?\bfrom\s*(?P<quote>["'])(?P<named>[^"'\n]+)(?P=quote)
      | \bimport\(\s*(?P<later>["'])(?P<lazy>[^"'\n]+)(?P=later)""",
    re.M | re.X,
)
ENDINGS = ("", ".ts", ".tsx", ".d.ts", "/index.ts", "/index.tsx")


def without_comments(source: str) -> str:
    return COMMENT.sub(lambda match: match[1] or " ", source)


def imported_names(source: str) -> set[str]:
    """What a file names in its imports, as it is written there."""
    found = IMPORT.finditer(without_comments(source))
    return {match["loaded"] or match["named"] or match["lazy"] for match in found}


def read_aliases() -> dict[str, Path]:
    """Beginnings of imports and the folders that they stand for, as the compiler has them."""
    paths = json.loads((WEB / "tsconfig.json").read_text("utf-8"))["compilerOptions"]["paths"]
    return {name.removesuffix("*"): WEB / folder.removesuffix("*") for name, [folder] in paths.items()}


def resolve_import(name: str, importer: Path, aliases: dict[str, Path]) -> Path | None:
    """The file of ours that an import means; None for a package's."""
    place = importer.parent / name if name.startswith(".") else None
    for beginning, folder in aliases.items():
        if name.startswith(beginning):
            place = folder / name.removeprefix(beginning)
    if place is None:
        return None
    bare = str(place.resolve()).partition("?")[0]
    found = next((path for ending in ENDINGS if (path := Path(bare + ending)).is_file()), None)
    assert found, f"{importer.relative_to(WEB)} imports {name!r}, which this test does not find"
    return found


def import_graph() -> dict[Path, set[Path]]:
    """Each file of the page with those of its own that it imports; style sheets and pictures import none."""
    aliases = read_aliases()
    graph: dict[Path, set[Path]] = {}
    for file in FILES:
        names = imported_names(file.read_text("utf-8"))
        graph[file] = {found for name in names if (found := resolve_import(name, file, aliases)) in FILES}
    return graph


def reachable(graph: Mapping[Node, Iterable[Node]], start: Node) -> set[Node]:
    """The nodes that a path leads to; the start is one of them only where it stands in a cycle."""
    found: set[Node] = set()
    wanted = list(graph[start])
    while wanted:
        node = wanted.pop()
        if node not in found:
            found.add(node)
            wanted += graph[node]
    return found


def find_circles(graph: Mapping[Node, Iterable[Node]]) -> set[frozenset[Node]]:
    """The strongly connected components that hold a cycle: sets of nodes of which each leads to all."""
    reached = {node: reachable(graph, node) for node in graph}
    return {
        frozenset(other for other in others if node in reached[other])
        for node, others in reached.items()
        if node in others
    }


def test_no_files_of_the_page_import_one_another_in_a_circle() -> None:
    circles = [sorted(str(path.relative_to(SOURCES)) for path in circle) for circle in find_circles(import_graph())]
    assert not circles, f"break the circle: what both sides need goes into a file of its own: {circles}"


def test_every_file_is_reached_from_the_first_one() -> None:
    """An import that this test overlooked would leave a file that nobody imports."""
    first = SOURCES / "main.tsx"
    reached = reachable(import_graph(), first)
    assert {path.name for path in FILES - reached - {first}} == {"globals.d.ts"}


def test_what_is_loaded_later_is_named_in_the_source() -> None:
    unnamed = re.compile(r"""\bimport\((?!\s*["'])|\bimport\.meta\.glob\b|\brequire\(""")
    found = [path.name for path in FILES if unnamed.search(without_comments(path.read_text("utf-8")))]
    assert not found, "this test cannot tell what they load"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import './a.css';\nimport b from 'b';", {"./a.css", "b"}),
        ("import type { A } from './a';\nimport { type B, c as d } from '@/b';", {"./a", "@/b"}),
        ("import {\n  one, // the first\n  /* the second */ two,\n} from './a';", {"./a"}),
        ("import * as a from \"./a\";\nexport * from './b';\nexport type { C } from './c';", {"./a", "./b", "./c"}),
        ("const a = lazy(() => import('./a'));\nlet b: import('./b').B;", {"./a", "./b"}),
        ("const { c } = await import(\n  './c'\n);", {"./c"}),
        ("// import a from './a';\n/* import b from './b';\n*/ const c = 'http://d';", set()),
        ("export const a = 1;\nexport function b() {}\nconst from = 'c';", set()),
    ],
)
def test_imports_are_read_in_all_their_forms(source: str, names: set[str]) -> None:
    assert imported_names(source) == names


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"e"}}
    assert find_circles(graph) == {frozenset("bc"), frozenset("e")}
