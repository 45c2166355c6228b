"""A plug-in of one's own of every kind that is trained, named in a YAML as `tests.toy.plugins:Cubic`."""

import os
from typing import Any

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from groupdir.config.group_losses import GroupLossConfig
from groupdir.config.methods import RegressorConfig
from groupdir.config.optimizers import OptimConfig
from groupdir.config.regression_losses import LossConfig
from groupdir.config.regularizers import RegularizerConfig
from groupdir.config.resampling import ResamplingConfig
from groupdir.config.schedules import ScheduleConfig
from groupdir.config.trial import EncoderConfig
from groupdir.config.weights import WeightsConfig
from groupdir.data.base import Dataset, InputSpec, Split, Targets
from groupdir.group_losses.base import GroupLoss
from groupdir.methods.base import Batch, Prediction
from groupdir.methods.regressor import Regressor
from groupdir.models.base import Encoder
from groupdir.regression_losses.base import RegressionLoss
from groupdir.regularizers.base import FeatureRegularizer
from groupdir.training.optim import Schedule
from groupdir.training.resampled import Resampler
from groupdir.weights.base import LabelCounts, SampleWeights


class Median(Regressor):
    """A method: a linear regressor on the absolute error."""

    class Config(RegressorConfig):
        scale: float = Field(1.0, gt=0)

    def __init__(self, config: Config, encoder: Encoder, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config, encoder, targets, train_y)
        self.scale = config.scale
        self.head = nn.Linear(encoder.dim, 1)

    def fit_losses(self, z: Tensor, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        value = self.head(z).squeeze(-1)
        target, weight = self.repeated(batch)
        return {"loss": self.scale * (weight * (value - target).abs()).mean()}, self.unscaled(value)

    def predict(self, *inputs: Tensor) -> Prediction:
        return Prediction(self.unscaled(self.head(self.encoder(*inputs)).squeeze(-1)))


class Killed(Median):
    """The method whose process ends at once, as the kernel ends one when the memory is full."""

    def __init__(self, *arguments: Any) -> None:
        os._exit(1)


class Fails(Median):
    """The method with a mistake that its first step shows."""

    def fit_losses(self, z: Tensor, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        return {"loss": z.sum() * (1 // (len(z) - len(batch.y) * batch.views))}, z


class Careless(Median):
    """The method with an option whose check raises KeyError."""

    class Config(RegressorConfig):
        scale: float = 1.0
        table: str = "a"

        @field_validator("table")
        @classmethod
        def _known(cls, value: str) -> str:
            return {"a": "a"}[value]


class Cubic(RegressionLoss):
    """A regression loss: the cube of the absolute error."""

    class Config(LossConfig):
        factor: float = Field(1.0, gt=0)

    def __init__(self, config: Config, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config, targets, train_y)
        self.factor = config.factor

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        return self.factor * (weight * (prediction - target).abs() ** 3).mean()


class Hinge(GroupLoss):
    """A group loss: the true group's logit must win by a margin."""

    class Config(GroupLossConfig):
        margin: float = Field(1.0, gt=0)

    def __init__(self, config: Config, head: Any) -> None:
        super().__init__(config, head)
        self.margin = config.margin

    def loss(self, z: Tensor, logits: Tensor, group: Tensor, inputs: tuple[Tensor, ...] = ()) -> Tensor:
        return nn.functional.multi_margin_loss(logits.float(), group, margin=self.margin)


class Short(FeatureRegularizer):
    """A regularizer: features should be short."""

    class Config(RegularizerConfig):
        power: int = Field(2, ge=1)

    def __init__(self, config: Config, targets: Targets) -> None:
        super().__init__(config, targets)
        self.power = config.power

    def forward(self, z: Tensor, y: Tensor, prediction: Tensor, weight: Tensor) -> Tensor:
        return z.abs().pow(self.power).mean()


class Above(SampleWeights):
    """A sample-weight mode: labels above a value weigh more."""

    class Config(WeightsConfig):
        value: float = 5.0

    config: Config

    def weigh(self, labels: LabelCounts) -> np.ndarray:
        return np.where(labels.y > self.config.value, 3.0, 1.0)


class Twice(Resampler):
    """A resampler: samples above a value stand there twice."""

    class Config(ResamplingConfig):
        value: float = 5.0

    config: Config

    def resample(self, split: Split, dataset: Dataset, rng: np.random.Generator) -> Split:
        rows = np.concatenate([np.arange(len(split.y)), np.flatnonzero(split.y > self.config.value)])
        return Split(tuple(array[rows] for array in split.inputs), split.y[rows])


class Sign(torch.optim.Optimizer):
    """An optimizer: a step of one length against the gradient's sign."""

    class Config(OptimConfig):
        shrink: float = Field(1.0, gt=0)

    def __init__(self, config: Config, groups: list[dict[str, Any]], fused: bool | None) -> None:
        super().__init__(groups, {"lr": config.lr})
        self.shrink = config.shrink

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter -= group["lr"] * self.shrink * parameter.grad.sign()


class Linear(Schedule):
    """A schedule: the rate falls by the same amount at every step."""

    class Config(ScheduleConfig):
        last: float = Field(0.0, ge=0, le=1)

    config: Config

    def factor(self, step: int, steps: int) -> float:
        return 1 - (1 - self.config.last) * step / steps


class Projection(Encoder):
    """An encoder: one linear layer."""

    class Config(EncoderConfig):
        width: int = Field(4, ge=1)

    kinds = ("vector",)

    def __init__(self, config: Config, inputs: InputSpec) -> None:
        super().__init__(config, inputs)
        self.dim = config.width
        self.layer = nn.Linear(inputs.shape[0], config.width)

    def forward(self, *inputs: Tensor) -> Tensor:
        z: Tensor = self.layer(inputs[0])
        return z
