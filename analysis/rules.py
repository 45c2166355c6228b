"""Names of the rules that choose one configuration from a front."""

from __future__ import annotations

from groupdir.shots import ALL, SHOTS

KNEE = "knee"
"""Rule that chooses the point of the front nearest to the ideal point."""

RULES = (*SHOTS, ALL, KNEE)
"""All rules: the best value of one shot, the best value over all samples, and the knee."""
