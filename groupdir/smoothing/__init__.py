"""Feature distribution smoothing: each target's features get the statistics that its neighbours agree on.

Targets are cut into buckets. Once an epoch, the features of the whole training set give each bucket's mean and
variance, which are averaged over epochs and smoothed over neighbouring buckets; in training, features of a bucket are
then moved and scaled from the bucket's own statistics to the smoothed ones.
"""

from groupdir.smoothing.distributions import ProbabilisticSmoothing
from groupdir.smoothing.features import FeatureSmoothing

__all__ = ["FeatureSmoothing", "ProbabilisticSmoothing"]
