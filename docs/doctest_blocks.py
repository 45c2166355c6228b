"""Griffe extension that shows the examples of docstrings as code."""

from __future__ import annotations

from typing import Any

import griffe

from docs.site_pages import fenced


class DoctestBlocks(griffe.Extension):
    """Extension that fences the examples of every docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Change the docstring of one module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
