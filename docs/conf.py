"""Sphinx configuration: MyST pages, docstrings as they are, nothing fetched from outside.

Set `JAXOPT_DL_INTERSPHINX=1` to link names of jax and optax to their own pages, which needs a
network. Without it a build needs none, and a built page asks for none.
"""

import enum
import importlib
import inspect
import os
import pathlib
import re
import sys

from docutils import nodes
from sphinx.domains.python import PyXRefRole
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from jaxopt_dl import __version__

project = "jaxopt_dl"
author = "The jaxopt_dl authors"
copyright = "the jaxopt_dl authors"
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
default_role = "name-or-code"

if os.environ.get("JAXOPT_DL_INTERSPHINX"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "jax": ("https://docs.jax.dev/en/latest", None),
        "optax": ("https://optax.readthedocs.io/en/latest", None),
    }

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autosummary_generate = False
autodoc_member_order = "bysource"
# The docstrings say what every argument is; the signature stays readable without its types.
autodoc_typehints = "none"
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]
napoleon_use_rtype = False

html_theme = "furo"
html_title = "jaxopt_dl"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_show_sourcelink = False
html_copy_source = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"


class Names(SphinxDirective):
    """A table of a package's names with their first sentences, then each of them in full."""

    has_content = True
    required_arguments = 1

    def run(self):
        """Write the directives of autosummary and autodoc, and have them parsed."""
        package = self.arguments[0]
        names = list(self.content)
        table = [".. autosummary::", "   :nosignatures:", "", *(f"   {name}" for name in names)]
        entries = [line for name in names for line in _entry(package, name)]
        lines = [f".. currentmodule:: {package}", "", *table, "", *entries]
        return self.parse_text_to_nodes("\n".join(["```{eval-rst}", *lines, "```"]))


def _entry(package, name):
    member = getattr(importlib.import_module(package), name)
    if not inspect.isclass(member):
        return [f".. autofunction:: {name}", ""]
    values = ["   :undoc-members:"] if issubclass(member, enum.Enum) else []
    return [f".. autoclass:: {name}", "   :members:", *values, ""]


def _name_or_code(role, rawtext, text, *place):
    """Link what may be a name of the library; show everything else exactly as it is."""
    if re.fullmatch(r"[A-Za-z_][\w.]*", text):
        return PyXRefRole()("py:obj", rawtext, text, *place)
    return [nodes.literal(rawtext, text)], []


def _formulas_as_code(app, what, name, obj, options, lines):
    """Turn the indented lines before the first section of a docstring into a code block."""
    del app, what, name, obj, options
    result, inside = [], False
    for index, line in enumerate(lines):
        if line.endswith(":") and line[:-1] in {"Args", "Attributes", "Returns", "Examples"}:
            result += lines[index:]
            break
        indented = line.startswith("    ")
        if indented and not inside and not (result and result[-1].strip()):
            result += [".. code-block:: text", ""]
        inside = indented or (inside and not line)
        result.append(line)
    lines[:] = result


def _skip_fields(app, what, name, obj, skip, options):
    """Leave out the fields of named tuples, which their class describes."""
    del app, what, name, options
    return True if type(obj).__name__ == "_tuplegetter" else skip or None


def setup(app):
    """Register what is above; formulas are marked before napoleon reads the docstring."""
    app.add_directive("names", Names)
    app.add_role("name-or-code", _name_or_code)
    app.connect("autodoc-process-docstring", _formulas_as_code, priority=400)
    app.connect("autodoc-skip-member", _skip_fields)
