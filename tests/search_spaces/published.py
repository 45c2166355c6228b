"""Slow references of the published losses and smoothing, in the units of their sources: years, and published numbers.

Nothing here is taken from the package, so that a preset is compared with its source and not with itself. All tensors
are float64.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""Loss of outputs `(B, K)` in years, features `(B, D)`, ages `(B,)` and sample weights `(B,)`."""


def window(size: int = 5, sigma: float = 2.0) -> list[float]:
    """Return the Gaussian kernel of LDS and FDS before it is normalised: a filtered unit impulse."""
    impulse = np.zeros(size)
    impulse[size // 2] = 1
    return list(map(float, gaussian_filter1d(impulse, sigma=sigma)))


def weights(ages: Sequence[int], *, inverse: bool = False, lds: bool = False) -> list[float]:
    """Return INV or SQINV weights of training samples, with mean 1. Ages of 120 and more are counted together."""
    counts = [0.0] * 121
    for age in ages:
        counts[min(age, 120)] += 1
    values = [min(max(count, 5), 1000) if inverse else math.sqrt(count) for count in counts]
    if lds:
        kernel = [weight / max(window()) for weight in window()]
        reach = range(-(len(kernel) // 2), len(kernel) // 2 + 1)
        values = [
            sum(kernel[len(kernel) // 2 + step] * values[age + step] for step in reach if 0 <= age + step <= 120)
            for age in range(121)
        ]
    raw = [1 / values[min(age, 120)] for age in ages]
    return [weight * len(raw) / sum(raw) for weight in raw]


def l1(outputs: Tensor, z: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """Weighted mean absolute error in years."""
    return (w * (outputs[:, 0] - y).abs()).mean()


def focal(outputs: Tensor, z: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """FOCAL-R on L1 with beta 0.2 per year and gamma 1."""
    error = (outputs[:, 0] - y).abs()
    return (w * error * (2 * torch.sigmoid(0.2 * error) - 1)).mean()


def bmc(sigma: Tensor) -> Loss:
    """Balanced MSE over the batch, with a noise of `sigma` years. Only the sample itself is right."""

    def loss(outputs: Tensor, z: Tensor, y: Tensor, w: Tensor) -> Tensor:
        variance = sigma**2
        logits = -((outputs[:, :1] - y[None, :]) ** 2) / (2 * variance)
        return F.cross_entropy(logits, torch.arange(len(y))) * (2 * variance).detach()

    return loss


def gai(sigma: Tensor, means: Tensor, variances: Tensor, shares: Tensor) -> Loss:
    """Balanced MSE over a Gaussian mixture of ages in years, with a noise of `sigma` years."""

    def loss(outputs: Tensor, z: Tensor, y: Tensor, w: Tensor) -> Tensor:
        p, noise = outputs[:, 0], sigma**2
        total = variances + noise
        parts = shares.log() - total.log() / 2 - (p[:, None] - means) ** 2 / (2 * total)
        one = (p - y) ** 2 / (2 * noise) + noise.log() / 2 + parts.logsumexp(1)
        return (one * (2 * noise).detach()).mean()

    return loss


def _evidential(gamma: Tensor, nu: Tensor, alpha: Tensor, beta: Tensor, y: Tensor) -> Tensor:
    """Negative log likelihood in years, plus 0.01 times the penalty on evidence."""
    omega = 2 * beta * (1 + nu)
    likelihood = (
        0.5 * torch.log(math.pi / nu)
        - alpha * torch.log(omega)
        + (alpha + 0.5) * torch.log(nu * (y - gamma) ** 2 + omega)
        + torch.lgamma(alpha)
        - torch.lgamma(alpha + 0.5)
    )
    return likelihood + 0.01 * (y - gamma).abs() * (2 * nu + alpha)


def der(outputs: Tensor, z: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """Deep evidential regression, softplus with sharpness 0.01."""
    gamma, nu, alpha, beta = outputs.unbind(1)
    nu, alpha, beta = (torch.log1p(torch.exp(0.01 * value)) / 0.01 for value in (nu, alpha, beta))
    return (w * _evidential(gamma, nu, alpha + 1, beta, y)).mean()


def vir(outputs: Tensor, z: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """Evidence of VIR, softplus with sharpness 0.1; the weight of a sample multiplies its evidence."""
    x, n, beta = outputs.unbind(1)
    n, beta = (torch.log1p(torch.exp(0.1 * value)) / 0.1 for value in (n, beta))
    n = (n + 2) * w
    return _evidential(x, n, 0.3 + n / 2, beta, y).mean()


def ranksim(outputs: Tensor, z: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """L1 in years plus 100 times RankSim with interpolation 2. Its gradient is right, its value is not.

    Ranks have no gradient. The published one is put in place as the gradient of the similarities, row by row.
    """
    number, unit = len(y), F.normalize(z, dim=1)
    similarity = unit @ unit.T
    slope = torch.zeros_like(similarity)
    for i in range(number):
        by_label = _ranks([-abs(float(y[i]) - float(other)) for other in y])
        row = similarity[i].tolist()
        by_feature = _ranks(row)
        incoming = [100 * 2 * (f - k) / number for f, k in zip(by_feature, by_label, strict=True)]
        moved = _ranks([value + 2 * step for value, step in zip(row, incoming, strict=True)])
        slope[i] = torch.tensor([(m - f) / 2 for m, f in zip(moved, by_feature, strict=True)])
    return l1(outputs, z, y, w) + (similarity * slope).sum()


def _ranks(values: Sequence[float]) -> list[float]:
    """Return descending ranks from 1, over the number of values. Values must differ."""
    assert len(set(values)) == len(values), "a rank is tied"
    return [(1 + sum(other > value for other in values)) / len(values) for value in values]


def conr(outputs: Tensor, z: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """L1 in years plus 4 times ConR with window 1 year, eta 0.01 and temperature 0.07."""
    unit, p = F.normalize(z, dim=1), outputs[:, 0].detach()
    number, terms, pushed = len(y), [], 0
    for i in range(number):
        near = [j for j in range(number) if j != i and abs(y[i] - y[j]) <= 1]
        push = [j for j in range(number) if abs(y[i] - y[j]) > 1 and abs(p[i] - p[j]) <= 1]
        if not push:
            continue
        pushed += 1
        s = unit @ unit[i] / 0.07
        total = sum(torch.exp(s[j]) for j in near) + (number - len(near))
        total = total + sum(w[i] * torch.exp(0.01 * abs(y[i] - y[j]) + s[j]) for j in push)
        terms.append(w[i] * sum(torch.log(total) - s[j] for j in near) / len(near))
    assert pushed, "no sample is pushed away"
    return l1(outputs, z, y, w) + 4 * sum(terms) / number


def group_dir(squared: float, soft: float, summed_squares: bool) -> Loss:
    """Loss of 25 groups: squared errors in years of the right experts, and the summed soft-label loss with beta 1.

    Args:
        squared: Weight of the squared errors.
        soft: Weight of the soft-label loss.
        summed_squares: Whether squared errors are summed over the batch, as printed, or their mean is taken.
    """

    def loss(outputs: Tensor, z: Tensor, y: Tensor, w: Tensor) -> Tensor:
        logits, experts = outputs[:, :25], outputs[:, 25:]
        squares, entropies = [], []
        for i, age in enumerate(y.tolist()):
            group = min(int(age // 4), 24)
            label = torch.softmax(torch.tensor([25.0 - abs(group - k) for k in range(25)], dtype=torch.float64), 0)
            squares.append((experts[i, group] - age) ** 2)
            entropies.append(-(label * torch.log_softmax(logits[i], 0)).sum())
        error = torch.stack(squares).sum() / (1 if summed_squares else len(y))
        return squared * error + soft * torch.stack(entropies).sum()

    return loss


def contrastive(z: Tensor, label: Sequence[int], temperature: float) -> Tensor:
    """Rank-N-Contrast over labels, with the negative distance of features as the similarity."""
    number, terms = len(label), []
    for i in range(number):
        others = [k for k in range(number) if k != i]
        s = {k: -(z[i] - z[k]).norm() / temperature for k in others}
        for j in others:
            rest = [s[k] for k in others if abs(label[i] - label[k]) >= abs(label[i] - label[j])]
            terms.append(torch.stack(rest).logsumexp(0) - s[j])
    return torch.stack(terms).sum() / (number * (number - 1))


class FDS:
    """FDS of the published code for ages, with its aliased and in-place buffers: buckets of one year, from 3 to 99."""

    def __init__(self, dim: int) -> None:
        self.mean = {age: torch.zeros(dim, dtype=torch.float64) for age in range(3, 100)}
        self.variance = {age: torch.ones(dim, dtype=torch.float64) for age in range(3, 100)}
        self.smooth_mean, self.smooth_variance = dict(self.mean), dict(self.variance)
        self.updates = 0

    def _members(self, y: Tensor) -> dict[int, Tensor]:
        """Return the samples of each bucket. Those beyond an end belong to it only if its own age is among `y`."""
        ages = {int(age) for age in y if 3 <= age <= 99}
        return {age: (y <= 3 if age == 3 else y >= 99 if age == 99 else y == age) for age in ages}

    def smooth(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the calibrated features of a batch: the features themselves before the second update."""
        result = z.clone()
        if self.updates < 2:
            return result
        for age, rows in self._members(y).items():
            own, usable = self.variance[age], self.variance[age] != 0
            if own.sum() < 1e-10:
                continue
            ratio = (self.smooth_variance[age] / torch.where(usable, own, 1)).clamp(0.1, 10).sqrt()
            moved = (z[rows] - self.mean[age]) * ratio + self.smooth_mean[age]
            result[rows] = torch.where(usable, moved, z[rows])
        return result

    def update(self, z: Tensor, y: Tensor) -> None:
        """Take the (smoothed) features of the whole training set into the statistics."""
        if self.updates:
            self.smooth_mean, self.smooth_variance = self._over_ages(self.mean), self._over_ages(self.variance)
        keep = 0.9 if self.updates else 0.0
        for age, rows in self._members(y).items():
            part = z[rows]
            spread = part.var(0, unbiased=len(part) > 1)
            self.mean[age] = (1 - keep) * part.mean(0) + keep * self.mean[age]
            self.variance[age] = (1 - keep) * spread + keep * self.variance[age]
        self.updates += 1

    def _over_ages(self, table: dict[int, Tensor]) -> dict[int, Tensor]:
        """Return the table smoothed over ages, which are reflected at both ends."""
        kernel = [weight / sum(window()) for weight in window()]
        mirror = {-1: 4, -2: 5, 1: 98, 2: 97}
        result = {}
        for age, own in table.items():
            total = torch.zeros_like(own)
            for step, weight in zip(range(-2, 3), kernel, strict=True):
                other = age + step
                if other < 3:
                    other = mirror[other - 3]
                elif other > 99:
                    other = mirror[other - 99]
                total += weight * table[other]
            result[age] = total
        return result
