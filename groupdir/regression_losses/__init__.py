"""Regression losses with their options and what they learn: one idea per file, found by name in `groupdir.registry`."""
