"""The names of the rules that choose one configuration from a front."""

from __future__ import annotations

from groupdir.shots import ALL, SHOTS

KNEE = "knee"
"""The point of the front that is nearest to the ideal one."""

RULES = (*SHOTS, ALL, KNEE)
"""The rules: the best value of one shot, the best value of all samples, or the knee."""
