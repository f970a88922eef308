"""Report of a study as one HTML file that needs no other file and no network access."""

import base64
import html
import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup
from PIL import Image

from ctseg.files import write_text

TEMPLATES = Path(__file__).parent / "templates"
WEBP_QUALITY = 82  # a third of the PNG's size; outlines stay sharp


def number(value: Any) -> str:
    """Text of a value: numbers with four digits, from 1000 on as whole numbers; "yes" or "no"; a dash for NaN."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, (int, float)):
        return str(value)
    if math.isnan(value):
        return "–"
    return f"{value:.0f}" if isinstance(value, int) or abs(value) >= 1000 else f"{value:.4g}"


def table(rows: pd.DataFrame, links: Mapping[str, str] | None = None, sortable: bool = False) -> Markup:
    """HTML table; `links` are addresses for the values of the first column.

    A sortable table is sorted by a click on a heading, and has a field that filters its rows.
    """
    heads = "".join(_head(str(name), pd.api.types.is_numeric_dtype(rows[name])) for name in rows.columns)
    lines = [_line(list(row), links or {}) for row in rows.itertuples(index=False)]
    kind = " class=sortable" if sortable else ""
    return Markup(
        f"<div class=scroll><table{kind}><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _head(name: str, numeric: bool) -> str:
    """Heading of a column, aligned right if the column is numeric."""
    right = " class=number" if numeric else ""
    return f"<th scope=col{right}>{html.escape(name.replace('_', ' '))}</th>"


def _line(cells: Sequence[Any], links: Mapping[str, str]) -> str:
    """One row of a table, numbers aligned right."""
    parts = []
    for place, cell in enumerate(cells):
        missing = cell is None or cell is pd.NA
        text = "–" if missing else html.escape(number(cell.item() if hasattr(cell, "item") else cell))
        if place == 0 and str(cell) in links:
            text = f'<a href="{html.escape(links[str(cell)])}">{text}</a>'
        right = "" if isinstance(cell, (str, list)) else " class=number"
        parts.append(f"<td{right}>{text}</td>")
    return f"<tr>{''.join(parts)}</tr>"


def svg(path: str | Path) -> Markup:
    """An SVG file as an `img` element with embedded data."""
    data = base64.b64encode(Path(path).read_bytes()).decode()
    return Markup(f'<img alt="" src="data:image/svg+xml;base64,{data}">')


def photograph(path: str | Path | BytesIO, alt: str) -> Markup:
    """A PNG file, or its bytes, as an `img` element with embedded WebP data and the alternative text `alt`."""
    with Image.open(path) as picture:
        buffer = BytesIO()
        picture.convert("RGB").save(buffer, "WEBP", quality=WEBP_QUALITY, method=4)
        width, height = picture.size
    data = base64.b64encode(buffer.getvalue()).decode()
    size = f"width={width} height={height}"
    return Markup(f'<img loading=lazy {size} alt="{html.escape(alt)}" src="data:image/webp;base64,{data}">')


def decision_table(decisions: Mapping[str, Mapping[str, Any]]) -> Markup:
    """HTML table of decisions with their reasons, one row each."""
    rows = [
        {"setting": name, "value": str(made["value"]), "reason": made["reason"]} for name, made in decisions.items()
    ]
    return table(pd.DataFrame(rows))


def write_report(path: str | Path, content: Mapping[str, Any]) -> None:
    """Fill the template `report.html` with `content`, and write it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = {
        name: Markup((TEMPLATES / file).read_text(encoding="utf-8"))
        for name, file in {"style": "report.css", "script": "report.js", "viewer_script": "viewer.js"}.items()
    }
    write_text(path, environment.get_template("report.html").render(**parts, **content))
