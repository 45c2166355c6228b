"""Data sets of photographs, which are decoded once per node, including the published age data sets."""
