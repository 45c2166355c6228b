"""Configurations from YAML: one trial, a search space, a benchmark of methods. Nothing here loads torch."""

from groupdir.config.space import StudyConfig, load_space
from groupdir.config.trial import TrialConfig

__all__ = ["StudyConfig", "TrialConfig", "load_space"]
