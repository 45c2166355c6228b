"""Feature distribution smoothing: calibrate the features of each target by the statistics of neighbouring targets.

Targets are cut into buckets. Once per epoch, the features of the whole training set give the mean and variance of each
bucket. These are averaged over epochs and smoothed over neighbouring buckets. In training, the features of a bucket are
then shifted and scaled from the bucket's own statistics to the smoothed ones.
"""

from groupdir.smoothing.distributions import ProbabilisticSmoothing
from groupdir.smoothing.features import FeatureSmoothing

__all__ = ["FeatureSmoothing", "ProbabilisticSmoothing"]
