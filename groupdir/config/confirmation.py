"""Options of the confirmation: the section `search.confirm` of a study."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from groupdir.config.base import Strict
from groupdir.rules import RULES, known_rule

Rule = Annotated[str, AfterValidator(known_rule), Field(json_schema_extra={"enum": list(RULES)})]


class ConfirmationConfig(Strict):
    """Options of the confirmation, which trains the contenders for each choice again on fresh seeds."""

    share: float = Field(
        0.25, gt=0, le=10, description="Epochs of the confirmation, as a share of the epochs of the search."
    )
    rules: tuple[Rule, ...] | None = Field(
        None,
        min_length=1,
        description="Rules whose choice is confirmed; null: those of the shots of the objectives.",
    )
    stop: float = Field(
        0.9,
        gt=0.5,
        lt=1,
        description="Probability of being the best from which a choice needs no further training.",
    )
    most_seeds: int = Field(
        8, ge=2, description="Most trainings of one configuration, its trial of the search included."
    )

    @field_validator("rules")
    @classmethod
    def _once(cls, value: tuple[Rule, ...] | None) -> tuple[Rule, ...] | None:
        """Refuse a rule that is named twice."""
        if value is not None and len(set(value)) < len(value):
            raise ValueError(f"must name each rule once, got {', '.join(value)}")
        return value
