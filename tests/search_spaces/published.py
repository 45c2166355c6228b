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


def score_weights(scores: Sequence[float], *, lds: bool) -> list[float]:
    """Return INV weights of scores of 0 to 5, with mean 1, from counts in 50 bins that are not clipped."""
    bins = [min(int(score * 10 + 1e-6), 49) for score in scores]
    values = [float(bins.count(number)) for number in range(50)]
    if lds:
        kernel = [weight / max(window()) for weight in window()]
        values = [
            sum(kernel[2 + step] * values[number + step] for step in range(-2, 3) if 0 <= number + step < 50)
            for number in range(50)
        ]
    raw = [1 / values[number] for number in bins]
    return [weight * len(raw) / sum(raw) for weight in raw]


def l1(outputs: Tensor, z: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """Weighted mean absolute error in years."""
    return (w * (outputs[:, 0] - y).abs()).mean()


def focal(outputs: Tensor, z: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """FOCAL-R on L1 with beta 0.2 per year and gamma 1."""
    error = (outputs[:, 0] - y).abs()
    return (w * error * (2 * torch.sigmoid(0.2 * error) - 1)).mean()


def mse(outputs: Tensor, z: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """Weighted mean squared error of scores over 5, for scores y of 0 to 5."""
    return (w * (outputs[:, 0] - y / 5) ** 2).mean()


def focal_mse(outputs: Tensor, z: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """FOCAL-R on the squared error of scores over 5, with beta 20 and gamma 1."""
    error = (outputs[:, 0] - y / 5).abs()
    return (w * error**2 * (2 * torch.sigmoid(20 * error) - 1)).mean()


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


def ranksim(base: Loss, factor: float, interpolation: float) -> Loss:
    """Add RankSim to a loss. The gradient of the sum is right, its value is not.

    Ranks have no gradient. The published one is put in place as the gradient of the similarities, row by row.
    """

    def loss(outputs: Tensor, z: Tensor, y: Tensor, w: Tensor) -> Tensor:
        number, unit = len(y), F.normalize(z, dim=1)
        similarity = unit @ unit.T
        slope = torch.zeros_like(similarity)
        for i in range(number):
            by_label = _ranks([-abs(float(y[i]) - float(other)) for other in y])
            row = similarity[i].tolist()
            by_feature = _ranks(row)
            incoming = [factor * 2 * (f - k) / number for f, k in zip(by_feature, by_label, strict=True)]
            moved = _ranks([value + interpolation * step for value, step in zip(row, incoming, strict=True)])
            slope[i] = torch.tensor([(m - f) / interpolation for m, f in zip(moved, by_feature, strict=True)])
        return base(outputs, z, y, w) + (similarity * slope).sum()

    return loss


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


def joint_group_dir(outputs: Tensor, z: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """Joint loss of 10 groups of scores: contrastive loss, means of squared errors over 5 and of soft-label losses."""
    group = [min(int(score / 0.5), 9) for score in y.tolist()]
    squares, entropies = [], []
    for i, score in enumerate(y.tolist()):
        label = torch.softmax(torch.tensor([10.0 - abs(group[i] - k) for k in range(10)], dtype=torch.float64), 0)
        squares.append((outputs[i, 10 + group[i]] - score / 5) ** 2)
        entropies.append(-(label * torch.log_softmax(outputs[i, :10], 0)).sum())
    return contrastive(z, group, 2.5) + 0.5 * torch.stack(squares).mean() + torch.stack(entropies).mean()


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
    """FDS of the published code, with its aliased and in-place buffers.

    Args:
        dim: Number of features.
        first: First bucket: 3 years, or 0 for scores.
        last: Last bucket: 99 years, or 49 tenths of a score.
        clip: Bounds of the ratio of variances.
    """

    def __init__(self, dim: int, first: int = 3, last: int = 99, clip: tuple[float, float] = (0.1, 10.0)) -> None:
        self.first, self.last, self.clip, self.updates = first, last, clip, 0
        self.mean = {bucket: torch.zeros(dim, dtype=torch.float64) for bucket in range(first, last + 1)}
        self.variance = {bucket: torch.ones(dim, dtype=torch.float64) for bucket in range(first, last + 1)}
        self.smooth_mean, self.smooth_variance = dict(self.mean), dict(self.variance)

    def _members(self, y: Tensor) -> dict[int, Tensor]:
        """Return the samples of each bucket. Those beyond an end belong to it only if its own number is among `y`."""
        numbers = {int(number) for number in y if self.first <= number <= self.last}
        ends = {self.first: y <= self.first, self.last: y >= self.last}
        return {number: ends.get(number, y == number) for number in numbers}

    def smooth(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the calibrated features of a batch: the features themselves before the second update."""
        result = z.clone()
        if self.updates < 2:
            return result
        for bucket, rows in self._members(y).items():
            own, usable = self.variance[bucket], self.variance[bucket] != 0
            if own.sum() < 1e-10:
                continue
            ratio = (self.smooth_variance[bucket] / torch.where(usable, own, 1)).clamp(*self.clip).sqrt()
            moved = (z[rows] - self.mean[bucket]) * ratio + self.smooth_mean[bucket]
            result[rows] = torch.where(usable, moved, z[rows])
        return result

    def update(self, z: Tensor, y: Tensor) -> None:
        """Take the (smoothed) features of the whole training set into the statistics."""
        if self.updates:
            self.smooth_mean, self.smooth_variance = self._over_buckets(self.mean), self._over_buckets(self.variance)
        keep = 0.9 if self.updates else 0.0
        for bucket, rows in self._members(y).items():
            part = z[rows]
            spread = part.var(0, unbiased=len(part) > 1)
            self.mean[bucket] = (1 - keep) * part.mean(0) + keep * self.mean[bucket]
            self.variance[bucket] = (1 - keep) * spread + keep * self.variance[bucket]
        self.updates += 1

    def _over_buckets(self, table: dict[int, Tensor]) -> dict[int, Tensor]:
        """Return the table smoothed over buckets, which are reflected at both ends."""
        kernel = [weight / sum(window()) for weight in window()]
        result = {}
        for bucket, own in table.items():
            total = torch.zeros_like(own)
            for step, weight in zip(range(-2, 3), kernel, strict=True):
                other = bucket + step
                other = 2 * self.first - other if other < self.first else other
                other = 2 * self.last - other if other > self.last else other
                total += weight * table[other]
            result[bucket] = total
        return result
