"""Settings of the documentation: `make docs`."""

import os
import sys
from pathlib import Path

import leaf_sklearn

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
# estimators that the examples show link to these pages
os.environ["LEAF_SKLEARN_DOCS"] = ".."

project = "leaf-sklearn"
author = "the leaf-sklearn developers"
copyright = author
version = release = leaf_sklearn.__version__

extensions = [
    "mathml",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples"]
templates_path = ["_templates"]

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("leaf_sklearn",),
    "abort_on_example_error": True,
    "capture_repr": ("_repr_html_",),
    "min_reported_time": 10,
    "show_memory": False,
    "show_signature": False,
    "plot_gallery": True,
    "write_computation_times": False,
}

# pages without sub-pages have nothing to show at the left
html_sidebars = {
    name: [] for name in ("why", "quick_start", "add_a_filterbank", "benchmarks", "parity", "reliability", "changelog")
}
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_theme = "pydata_sphinx_theme"
html_math_renderer = "mathml"
html_title = f"leaf-sklearn {release}"
html_show_copyright = False
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "header_links_before_dropdown": 4,
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
}
