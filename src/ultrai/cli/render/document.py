"""A Report as a document: JSON, Markdown or a web page."""

from __future__ import annotations

from ultrai.cli.render.export_html import render_html
from ultrai.cli.render.export_markdown import render_markdown
from ultrai.cli.render.sheets import json_line
from ultrai.domain.report import Report


def render_document(report: Report, shape: str) -> str:
    """The document; `shape` is `md`, `json` or `html`."""
    if shape == "json":
        return json_line(report.to_dict(), indent=2)
    return render_html(report) if shape == "html" else render_markdown(report)
