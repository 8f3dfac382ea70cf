"""Settings of Sphinx for the site; `make.py` lays out what it reads."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

project = "cvr"
author = "the authors of cvr"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
highlight_language = "console"
html_theme = "furo"
html_title = "cvr"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
maximum_signature_line_length = 80
default_role = "code"
python_use_unqualified_type_names = True
html_show_search_summary = False  # it fetches pages, which browsers refuse to those that lie on a disk
smartquotes = False  # two hyphens begin an option


def setup(app: "Sphinx") -> None:
    """Show what stands indented in the docstring of a module as the code that it is."""
    app.connect("autodoc-process-docstring", _with_code)


def _with_code(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    if what != "module":
        return
    starts = [at for at in range(1, len(lines)) if lines[at].startswith("    ") and not lines[at - 1]]
    for at in starts[:1]:
        lines[at:at] = [".. code-block:: python", ""]
