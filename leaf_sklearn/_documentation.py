"""Where an estimator's HTML repr links to: the page of the API reference, as far as there is one."""

import os
from pathlib import Path
from typing import ClassVar

VARIABLE = "LEAF_SKLEARN_DOCS"
BUILT = Path(__file__).resolve().parents[1] / "docs" / "_build" / "html"


class DocumentedMixin:
    """Link of scikit-learn's HTML repr to this package's pages.

    The environment variable LEAF_SKLEARN_DOCS says where they are, a URL or a relative path; without it they are those
    that ``make docs`` built beside the package. Where there are none, the repr has no link rather than a dead one.
    """

    _doc_link_module: ClassVar[str] = "leaf_sklearn"

    @property
    def _doc_link_template(self) -> str:
        place = os.environ.get(VARIABLE) or (BUILT.as_uri() if (BUILT / "api.html").is_file() else None)
        if place is None:
            return ""
        literal = place.rstrip("/").replace("{", "{{").replace("}", "}}")
        return literal + "/generated/{estimator_module}.{estimator_name}.html"
