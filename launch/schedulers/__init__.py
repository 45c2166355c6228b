"""Schedulers by name. A study asks their `decide`; `launch.on_ray.scheduler` is what Ray talks to then."""

from launch.schedulers.asha import ASHA
from launch.schedulers.base import Decision, Scheduler
from launch.schedulers.none import NoStopping
from launch.schedulers.pareto_asha import ParetoASHA

SCHEDULERS: dict[str, type[Scheduler]] = {"pareto_asha": ParetoASHA, "asha": ASHA, "none": NoStopping}

__all__ = ["ASHA", "SCHEDULERS", "Decision", "NoStopping", "ParetoASHA", "Scheduler"]
