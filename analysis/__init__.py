"""Analysis of a finished search: its front, the choice of a configuration, a report and figures.

This package imports neither torch nor Ray.
"""
