"""The report of a study: one HTML file that needs nothing beside it."""

import base64
import html
from pathlib import Path
from typing import Any

import pandas as pd

from ctseg.files import write_text

STYLE = """
body { font-family: system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.5; }
table { border-collapse: collapse; font-size: 0.9rem; } th, td { padding: 0.25rem 0.7rem; text-align: right; }
th { border-bottom: 2px solid #444; } tr:nth-child(even) td { background: #f3f3f3; }
td:first-child, th:first-child { text-align: left; } img { max-width: 100%; } .scroll { overflow-x: auto; }
"""


def picture(path: str | Path) -> str:
    """A PNG as an `img` element that holds its own data; the file's name becomes the text for those who can't see."""
    data = base64.b64encode(Path(path).read_bytes()).decode()
    return f'<img alt="{html.escape(Path(path).stem)}" src="data:image/png;base64,{data}">'


def _number(value: float) -> str:
    """Four digits, but never in powers of ten for what is large."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def table(rows: pd.DataFrame) -> str:
    """A table as HTML; missing numbers show as a hyphen."""
    body = rows.to_html(index=False, na_rep="-", border=0, float_format=_number)
    return f'<div class="scroll">{body}</div>'


def plan_table(plan: dict[str, Any]) -> pd.DataFrame:
    """The plan's decisions with their reasons, a row each."""
    return pd.DataFrame(
        [{"setting": name, "value": str(made["value"]), "reason": made["reason"]} for name, made in plan.items()]
    )


def write_report(
    path: str | Path,
    study: str,
    note: str,
    tables: dict[str, pd.DataFrame],
    figures: dict[str, list[str]],
) -> None:
    """Write the report: the note first, then the tables and the figures under their headings."""
    parts = [f"<h1>Study {html.escape(study)}</h1>", f"<pre>{html.escape(note)}</pre>"]
    for heading, rows in tables.items():
        parts += [f"<h2>{html.escape(heading)}</h2>", table(rows)]
    for heading, paths in figures.items():
        parts += [f"<h2>{html.escape(heading)}</h2>", *(f"<p>{picture(figure)}</p>" for figure in paths)]
    head = f'<meta charset="utf-8"><title>ctseg: {html.escape(study)}</title><style>{STYLE}</style>'
    body = "\n".join(parts)
    write_text(path, f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>{body}</body></html>\n')
