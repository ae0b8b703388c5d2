"""How Sphinx makes the site: every page below docs/ is in it, in the order of its folder, and nothing is fetched from elsewhere."""

from __future__ import annotations

import tomllib
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"tutorial": "Tutorial", "how-to": "How to", "reference": "Reference", "explanation": "Explanation"}

project = "Anchorage"
release = version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
extensions = ["myst_parser"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
highlight_language = "none"
html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_use_index = False
smartquotes = False


def add_navigation(_app: Sphinx, name: str, source: list[str]) -> None:
    """Append the lists of pages, so that a new page needs no entry anywhere, and pages read well where there is no Sphinx."""
    if name == "index":
        lists = [_pages(f"{folder}/*", caption) for folder, caption in FOLDERS.items()]
        source[0] += "\n\n".join(["", *lists, _pages("adr/README", "Decisions")])
    if name == "adr/README":
        source[0] += "\n\n" + _pages("0*")


def _pages(pattern: str, caption: str = "") -> str:
    options = [":hidden:", ":glob:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["```{toctree}", *options, "", pattern, "```"])


class NamePathsOfTheRepository(SphinxTransform):
    """A link to a file of the repository that is no page becomes its text and its path. Links to what does not exist stay, and fail."""

    default_priority = 500

    def apply(self, **_options: object) -> None:
        """Replace such links."""
        for node in list(
            self.document.findall(lambda node: isinstance(node, addnodes.pending_xref | addnodes.download_reference))
        ):
            path = self._path_of(node)
            if path is not None and path.is_relative_to(ROOT) and not path.is_relative_to(self.env.srcdir):
                node.replace_self([*node.children, nodes.Text(" ("), _code(path), nodes.Text(" in the repository)")])

    def _path_of(self, link: nodes.Element) -> Path | None:
        """What it leads to, where that exists. MyST names Markdown without its ending and absolutely, all else as it was written."""
        place = (Path(self.env.srcdir) / self.env.docname).parent / link["reftarget"]
        return next((found.resolve() for found in (place, place.with_name(f"{place.name}.md")) if found.exists()), None)


def _code(path: Path) -> nodes.literal:
    shown = path.relative_to(ROOT).as_posix()
    return nodes.literal(shown, shown)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", add_navigation)
    app.add_transform(NamePathsOfTheRepository)
