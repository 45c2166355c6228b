"""Where new trials come from: quasi-random designs, Optuna, and our own model of the front."""
