"""True values of a study's configurations: estimates with uncertainty from trainings that are noisy, and choices."""
