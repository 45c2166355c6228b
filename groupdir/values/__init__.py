"""Estimates of the true values of a study's configurations from noisy trainings, and choices by these estimates."""
