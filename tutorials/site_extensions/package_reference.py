"""The directive ``package``: the reference of a package, with all that autodoc knows of its modules.

.. package:: minicnn.kernels
   :recursive:                  with its sub-packages
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from site_extensions.docstrings import escaped


def modules(package: str, *, recursive: bool) -> list[str]:
    """The names of the public modules below a package, sub-packages after the modules."""
    path = importlib.import_module(package).__path__
    found: list[str] = []
    for info in sorted(pkgutil.iter_modules(path), key=lambda info: (info.ispkg, info.name)):
        name = f"{package}.{info.name}"
        if info.ispkg and recursive:
            found += [name, *modules(name, recursive=True)]
        elif not info.ispkg and not info.name.startswith("_"):
            found.append(name)
    return found


def first_line(module: str) -> str:
    """The first paragraph of a module's docstring, on one line."""
    text = inspect.getdoc(importlib.import_module(module)) or ""
    return " ".join(text.partition("\n\n")[0].split())


class Package(SphinxDirective):
    """The package's docstring, a list of its modules, and a section for each."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"recursive": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Parse what the modules' names become in reStructuredText."""
        package = self.arguments[0]
        names = modules(package, recursive="recursive" in self.options)
        lines = [f".. automodule:: {package}", "   :no-members:", ""]
        for name in names:
            lines.append(f"* :py:mod:`{name}`: {escaped(first_line(name))}")
        for name in names:
            lines += ["", name, "-" * len(name), "", f".. automodule:: {name}", "   :members:"]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive."""
    app.add_directive("package", Package)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
