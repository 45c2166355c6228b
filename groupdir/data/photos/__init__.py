"""Photographs in files, decoded once per node, and the published age data sets."""
