"""Pages of the web through the sandbox: their content, without what the site repeats."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anchorage.adapters.parsers.sandbox.parser import ParseLimits, SandboxedParser, open_sandboxed_parser
from anchorage.errors import DocumentRefused
from anchorage.model import BlockKind

TEXT = "The brown bear sleeps in its den from November until March and lives on the fat of the autumn. "
PAGE = f"""<!doctype html><html><head><title>Bears</title></head><body>
<header><div class="logo">Animal Site</div><div id="menu"><ul><li><a href="/">Start here</a></li><li><a href="/c">Cats</a></li></ul></div>
</header>
<div id="cookie-banner" class="cookie-consent"><p>We value your privacy. Accept all cookies?</p></div>
<div class="layout"><div class="sidebar"><h3>Popular posts</h3><ul><li><a href="/1">Ten facts on wolves</a></li></ul></div>
<div class="content"><h1>Bears</h1><p>{TEXT * 3}</p><h2>Food &amp; drink</h2><ul><li>Berries in autumn</li><li>Fish from the river</li></ul>
<h2>Weight</h2><table><tr><th>Animal</th><th>Kilograms</th></tr><tr><td>Brown bear</td><td>300</td></tr></table>
<pre>def  bear():
    pass</pre><p>{TEXT * 2}</p></div></div>
<div class="footer"><p>Copyright 2026 Animal Site. All rights reserved.</p></div></body></html>"""


@pytest.fixture
async def parser() -> AsyncIterator[SandboxedParser]:
    async with open_sandboxed_parser(ParseLimits(20, 1024 * 1024**2, 2_000_000), 1) as opened:
        yield opened


async def test_the_content_stays_with_its_structure(parser: SandboxedParser, tmp_path: Path) -> None:
    (tmp_path / "page").write_text(PAGE)
    found = await parser.parse(tmp_path / "page", "bears.webpage")
    blocks = [(block.kind, block.level, found.text[block.start : block.end]) for block in found.blocks]
    assert [block for block in blocks if block[0] is BlockKind.HEADING] == [
        (BlockKind.HEADING, 1, "Bears"), (BlockKind.HEADING, 2, "Food & drink"), (BlockKind.HEADING, 2, "Weight"),
    ]  # fmt: skip
    assert (BlockKind.LIST_ITEM, 0, "Fish from the river") in blocks
    assert (BlockKind.TABLE_ROW, 0, "Brown bear | 300") in blocks
    assert (BlockKind.CODE, 0, "def  bear():\n    pass") in blocks
    for repeated in ("cookies", "Cats", "wolves", "Copyright", "Popular"):
        assert repeated not in found.text
    assert found.title == "Bears" and found.metadata["kind"] == "webpage"
    (tmp_path / "page.html").write_text(PAGE)
    assert "Copyright" in (await parser.parse(tmp_path / "page.html", "page.html")).text  # one's own file is kept whole


@pytest.mark.parametrize(
    ("markup", "text"),
    [("<p>Short.</p>", "Short."), (f"<div class=sidebar><p>{TEXT * 5}</p></div>", "brown bear"), ("<p>a&#0;b&#xD800;</p>", "a"),
     ("<div>" * 200 + TEXT * 4, "brown bear"), (f"<body><nav>{TEXT}</nav><p>{TEXT}", "brown bear")],
)  # fmt: skip
async def test_odd_pages_are_read_all_the_same(parser: SandboxedParser, tmp_path: Path, markup: str, text: str) -> None:
    (tmp_path / "page").write_text(f"<!doctype html>{markup}")
    assert text in (await parser.parse(tmp_path / "page", "page.webpage")).text


async def test_a_page_without_text(parser: SandboxedParser, tmp_path: Path) -> None:
    (tmp_path / "page").write_text("<!doctype html><div id=app></div><script>run()</script>")
    with pytest.raises(DocumentRefused) as raised:
        await parser.parse(tmp_path / "page", "page.webpage")
    assert raised.value.code == "no_text"
