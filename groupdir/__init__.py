"""Deep imbalanced regression: train one trial of group classification with descending soft labels, or of a baseline.

This package is what a worker imports. It holds the labels, losses, methods, data sets, encoders and the trainer; it
knows nothing of the search (`launch`) or of the figures (`analysis`). Importing it loads no torch: import the module
that you need.
"""

__version__ = "0.1.0"
