"""Samplers that suggest new trials: quasi-random designs, Optuna, and our own model of the front."""
