"""Methods of one's own with stages `warmup` and `fit`, named in a YAML as `tests.toy.staged:Warmed` and others."""

from typing import Any

import numpy as np
from pydantic import Field
from torch import Tensor, nn

from groupdir.config.stage import Stage
from groupdir.config.trial import MethodConfig, TrialConfig
from groupdir.data.base import Targets
from groupdir.methods.base import Batch, Method, Prediction
from groupdir.models.base import Encoder


class PlainConfig(MethodConfig):
    """Options of `SaysItself`: one stage, for all that they say."""

    warmup: int = Field(3, description="Epochs of the first stage.")
    slope: float = Field(1.0, gt=0)


class WarmedConfig(PlainConfig):
    """Options of `Warmed`, which say its stages."""

    def stages(self, trial: TrialConfig) -> tuple[Stage, ...]:
        return warmed_up(self.warmup, trial)


def warmed_up(epochs: int, trial: TrialConfig) -> tuple[Stage, ...]:
    return Stage("warmup", epochs, predicts=False), Stage("fit", trial.train.epochs, trial.optim)


class Warmed(Method):
    """A linear regressor; its first stage pulls the mean of the features to 0."""

    Config = WarmedConfig

    def __init__(self, config: PlainConfig, encoder: Encoder, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config, encoder, targets, train_y)
        self.config = config
        self.head = nn.Linear(encoder.dim, 1)

    def losses(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        z = self.encoder(*batch.inputs)
        if stage == "warmup":
            return {"loss": z.mean().square()}
        error = self.head(z).squeeze(-1) - self.scaled(batch.y)
        return {"loss": self.config.slope * error.square().mean()}

    def predict(self, *inputs: Tensor) -> Prediction:
        return Prediction(self.unscaled(self.head(self.encoder(*inputs)).squeeze(-1)))


class SaysItself(Warmed):
    """The same, but the class says its stages, from `section`."""

    Config = PlainConfig
    section: PlainConfig

    def stages(self, trial: TrialConfig) -> tuple[Stage, ...]:
        return warmed_up(self.section.warmup, trial)


class AsksItsHead(Warmed):
    """Says stages that depend on what only a built method has."""

    Config = PlainConfig

    def stages(self, trial: TrialConfig) -> tuple[Stage, ...]:
        return warmed_up(self.head.in_features, trial)


class Named(Warmed):
    """Stages of one's own choice, for what is refused: `never` predicts nothing, `twins` have one name."""

    class Config(PlainConfig):
        kind: str = "never"

        def stages(self, trial: TrialConfig) -> tuple[Stage, ...]:
            fit = Stage("fit", trial.train.epochs, trial.optim)
            never = (Stage("warmup", 1, trial.optim, predicts=False),)
            return {"never": never, "twins": (fit, fit), "none": (), "empty": (Stage("a", 0, trial.optim), fit)}[
                self.kind
            ]


class Wrong(Warmed):
    """A method whose class returns something else than a tuple of stages, or raises."""

    class Config(PlainConfig):
        kind: str = "raises"

    section: Config

    def stages(self, trial: TrialConfig) -> Any:
        fit = Stage("fit", trial.train.epochs, trial.optim)
        wrong = {
            "nothing": None,
            "one": fit,
            "texts": ("warmup", "fit"),
            "generator": (stage for stage in (fit,)),
            "half": (Stage("fit", 2.5, trial.optim),),  # type: ignore[arg-type]
            "lines": (Stage("fit\n", 2, trial.optim),),
            "number": (Stage(1, 2, trial.optim),),  # type: ignore[arg-type]
        }
        return wrong[self.section.kind]
