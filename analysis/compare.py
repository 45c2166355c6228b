"""Comparison of two configurations by their predictions on one test set.

The statistics stand in `groupdir.bootstrap`, because `groupdir train` prints differences too.
"""

from __future__ import annotations

from groupdir.bootstrap import Difference, Metric, paired_bootstrap

__all__ = ["Difference", "Metric", "paired_bootstrap"]
