"""The statistics under both of their names. tests/analysis/test_compare.py checks the numbers."""

import numpy as np
import pytest

from analysis import compare
from groupdir import bootstrap
from groupdir.metrics import METRICS


def test_the_contract_s_name_is_the_same_function() -> None:
    assert compare.paired_bootstrap is bootstrap.paired_bootstrap
    assert compare.Difference is bootstrap.Difference


def test_a_metric_without_a_value_has_an_error_of_its_own() -> None:
    same = np.ones((2, 5))
    with pytest.raises(bootstrap.UndefinedMetricError, match="must be defined on the samples"):
        bootstrap.paired_bootstrap(np.arange(5.0), same, same, METRICS["pearson"].of, draws=10)
