"""Settings of the bootstrap. The help of a command shows them, so this file imports nothing."""

CONFIDENCE = 0.95
"""Share of the draws in an interval."""

DRAWS = 10_000
"""Default number of draws. An end of an interval then has a standard error below 1 % of the interval's width, or about
2 % with two seeds."""

FEWEST = 0.5
"""Smallest share of draws in which the metric must be defined."""
