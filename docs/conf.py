"""Settings of Sphinx, which `make docs` runs on README.md and docs/."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import mermaidx
from docutils import nodes

project = "NYC taxi flows"
root_doc = "README"
extensions = ["myst_parser"]
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md"]
exclude_patterns = [".*", "build", "data"]  # not searched for pages
myst_heading_anchors = 4  # the same anchors as on GitHub
highlight_language = "text"

html_theme = "furo"
html_title = project
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False

#: The sidebar. A page that it lacks fails the build.
SIDEBAR = {
    "Load": [
        "docs/months",
        "docs/gates",
        "docs/your-own-data",
        "docs/values",
        "docs/month-report",
        "docs/catalog",
        "docs/history",
        "docs/verify",
        "docs/after-loading",
    ],
    "Datasets": ["docs/citibike", "docs/flights", "docs/fuel"],
    "Destinations": ["docs/blocks", "docs/postgres", "docs/s3", "docs/google-cloud"],
    "Run": [
        "docs/deploy",
        "docs/kubernetes",
        "docs/many-machines",
        "docs/network",
        "docs/operations",
        "docs/prefect-cloud",
        "docs/prefect-3",
    ],
    "Other jobs": ["docs/row-groups", "docs/covid", "docs/gif"],
    "Look up": ["docs/reference", "docs/troubleshooting", "docs/performance", "docs/limitations"],
    "Project": ["CONTRIBUTING", "CHANGELOG"],
}


def setup(app: Any) -> None:
    """Connect the functions below to Sphinx's events."""
    app.connect("source-read", add_sidebar)
    app.connect("doctree-read", draw_diagrams)
    app.connect("build-finished", copy_home_page)


def add_sidebar(app: Any, page: str, source: list[str]) -> None:
    """Add the sidebar to the home page; in README.md itself, GitHub would show it as text."""
    if page == root_doc:
        for caption, pages in SIDEBAR.items():
            entries = "\n".join(pages)
            source[0] += f"\n```{{toctree}}\n:caption: {caption}\n:hidden:\n\n{entries}\n```\n"


def draw_diagrams(app: Any, doctree: Any) -> None:
    """Replace Mermaid code by the drawing, so that no page needs a script for it."""
    for block in list(doctree.findall(nodes.literal_block)):
        if block.get("language") == "mermaid":
            drawn = mermaidx.render(block.astext()).svg()
            block.replace_self(nodes.raw("", f'<div class="diagram">{drawn}</div>', format="html"))


def copy_home_page(app: Any, error: Exception | None) -> None:
    """Copy the home page to index.html, where browsers and web servers look for it."""
    if error is None:
        shutil.copy(Path(app.outdir, f"{root_doc}.html"), Path(app.outdir, "index.html"))
