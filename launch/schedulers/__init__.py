"""Schedulers by name. None of them knows Ray: `launch.schedulers.recording` is what Ray talks to."""

from launch.schedulers.asha import ASHA
from launch.schedulers.base import Decision, Scheduler
from launch.schedulers.none import NoStopping

SCHEDULERS: dict[str, type[Scheduler]] = {"asha": ASHA, "none": NoStopping}

__all__ = ["ASHA", "SCHEDULERS", "Decision", "NoStopping", "Scheduler"]
