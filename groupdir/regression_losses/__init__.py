"""Regression losses with their options and parameters. `groupdir.registry` lists their names."""
