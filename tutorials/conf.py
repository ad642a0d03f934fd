"""The site: the course, how-to pages, results and the reference of both packages.

    pip install -e ".[site]"
    python -m sphinx -W tutorials site          # then open site/index.html

Needs no network. Notebooks are shown with the outputs that are stored in them.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
os.environ["NUMBA_DISABLE_JIT"] = "1"  # kernels are then plain functions, which autodoc reads

from minicnn.version import __version__  # noqa: E402

project = "minicnn and poster_genre"
project_copyright = "the authors, BSD 3-Clause"
release = version = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "site_extensions.mathml",
    "site_extensions.docstrings",
    "site_extensions.package_reference",
    "site_extensions.repository_links",
]
exclude_patterns = ["chapters", "README.md", "**.ipynb_checkpoints", "_static"]

# The course
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}  # no scripts from other hosts
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_dmath_double_inline = True
myst_heading_anchors = 3
html_math_renderer = "mathml"

# Pages that include a file of the repository: links to the file become links to the page.
included_pages = {
    "benchmarks/README.md": "results/benchmarks",
    "benchmarks/experiments/README.md": "results/experiments",
    "benchmarks/web/README.md": "results/web_app_under_load",
    "poster_genre/model/MODEL_CARD.md": "results/model_card",
    "poster_genre/web/deployment/README.md": "how_to/serve_behind_a_proxy",
}

# The reference
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
python_maximum_signature_line_length = 90
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"
viewcode_line_numbers = True
viewcode_follow_imported_members = False

# The theme
html_theme = "furo"
html_title = "minicnn and poster_genre"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
pygments_style = "default"
pygments_dark_style = "monokai"
copybutton_exclude = ".linenos, .gp, .go"
