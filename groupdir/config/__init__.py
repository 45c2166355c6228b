"""Configurations read from YAML: of a trial, a study or a benchmark of methods. No module here loads torch."""

from groupdir.config.space import StudyConfig, load_space
from groupdir.config.trial import TrialConfig

__all__ = ["StudyConfig", "TrialConfig", "load_space"]
