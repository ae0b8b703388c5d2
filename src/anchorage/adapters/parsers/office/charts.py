"""Charts of Office documents (DrawingML): the title, then a row for each category with a column for each series."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from anchorage.adapters.parsers.builder import DocumentBuilder, fold_space
from anchorage.adapters.parsers.rows import Table
from anchorage.model import BlockKind

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"


def parse_office_xml(data: bytes) -> Any:
    """The root of a part of an Office document; entities are not resolved. Raises `etree.LxmlError`."""
    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))


def read_drawing_text(element: Any) -> str:
    """The words of a paragraph, or of several."""
    return fold_space(
        " ".join("".join(run.text or "" for run in part.iter(f"{_A}t")) for part in element.iter(f"{_A}p"))
    )


def add_chart(builder: DocumentBuilder, root: Any) -> None:
    """Append what a chart shows."""
    chart = root.find(f"{_C}chart")
    if chart is None:
        return
    for title in chart.findall(f"{_C}title"):
        builder.add(BlockKind.PARAGRAPH, read_drawing_text(title))
    for plot in chart.iterfind(f"{_C}plotArea/*"):
        if (kind := etree.QName(plot).localname).endswith("Chart"):
            builder.add(BlockKind.PARAGRAPH, re.sub(r"(?=3D|Chart)", " ", kind).capitalize())
    series = list(chart.iter(f"{_C}ser"))
    names = [" ".join(_read_points(one, "tx").values()) for one in series]
    labels: dict[int, str] = {}
    for one in series:
        labels = labels or _read_points(one, "cat") or _read_points(one, "xVal")
    values = [_read_points(one, "val") or _read_points(one, "yVal") for one in series]
    table = Table(builder, ["", *names])
    builder.add(BlockKind.TABLE_ROW, " | ".join(name for name in names if name))
    for number in sorted({*labels, *(number for found in values for number in found)}):
        table.add_row([labels.get(number, ""), *(found.get(number, "") for found in values)])


def _read_points(series: Any, part: str) -> dict[int, str]:
    """The values of a part of a series, by their number."""
    element = series.find(f"{_C}{part}")
    if element is None:
        return {}
    found = {
        int(point.get("idx", "0")): _format_number(point.findtext(f"{_C}v") or "") for point in element.iter(f"{_C}pt")
    }
    if not found and (text := element.findtext(f"{_C}v")):
        found[0] = _format_number(text)
    return found


def _format_number(text: str) -> str:
    """Without the noise of binary fractions."""
    try:
        return f"{float(text):.12g}" if "." in text else fold_space(text)
    except ValueError:
        return fold_space(text)
