"""Implementations of the verbs for one configuration: train again, evaluate, predict, describe, list."""
