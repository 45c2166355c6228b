"""Comparison of measured configurations by their predictions: bootstrap, signed ranks, average ranks over data sets."""
