"""Sphinx: the site of docs/, read offline. Sources are assembled by ``web.build``."""

from typing import Any

import ci_theory
from web import mathjax
from web.docstrings import repaired

project = "ci_theory"
author = "The ci_theory authors"
copyright = author
version = release = ci_theory.__version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["_static"]

html_theme = "furo"
html_title = "ci_theory"
html_css_files = ["site.css"]
html_js_files = ["offline.js"]
html_use_index = False
html_domain_indices = False
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1f5f99", "color-brand-content": "#1f5f99"},
    "dark_css_variables": {"color-brand-primary": "#7fb8ea", "color-brand-content": "#7fb8ea"},
}
pygments_style = "default"
mathjax_path = mathjax.FILE
mathjax3_config = {"options": {"enableMenu": False}}

myst_enable_extensions = [
    "amsmath",
    "attrs_block",
    "attrs_inline",
    "colon_fence",
    "dollarmath",
    "fieldlist",
]
myst_heading_anchors = 3
myst_dmath_double_inline = True

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False  # jaxtyping: Float[Array, "*b 3"] is no type to read
default_role = "code"


def _repair(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = repaired(lines)


def _skip(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what the description of the class has said already."""
    doc = getattr(obj, "__doc__", None) or ""
    return True if doc.startswith("Alias for field number") else None


def _static(app: Any, config: Any) -> None:
    config.html_static_path = [str(app.srcdir / "_static")]


def _verdict(name: str, rawtext: str, text: str, *rest: Any) -> Any:
    """Role of a verdict: its word, in a colour of its own."""
    from docutils import nodes

    classes = ["verdict", "verdict-" + text.lower().replace(" ", "-")]
    return [nodes.inline(rawtext, text, classes=classes)], []


def setup(app: Any) -> dict[str, bool]:
    """Connect what is ours."""
    app.connect("config-inited", _static)
    app.connect("autodoc-process-docstring", _repair, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", _skip)
    app.add_role("verdict", _verdict)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
