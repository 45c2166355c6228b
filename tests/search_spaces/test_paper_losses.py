"""Every preset for ages has the gradients of its published loss in years, but for one factor: that of the unit."""

from pathlib import Path

import pytest
import torch

from tests.search_spaces import published
from tests.search_spaces.presets import AGES, SPREAD, TRAIN_AGES, agedb_trainer
from tests.search_spaces.steps import Run, agrees, batch_of, check, in_years, run, train_smoothing

ALL = tuple(range(len(TRAIN_AGES)))
RANKED = tuple(TRAIN_AGES.index(age) for age in SPREAD)


ONE, EXPERTS = slice(0, 1), slice(25, 50)
CASES: dict[str, tuple[published.Loss, float, slice, tuple[int, ...]]] = {
    "ages_vanilla": (published.l1, 0.1, ONE, ALL),
    "ages_inv": (published.l1, 0.1, ONE, ALL),
    "ages_sqinv": (published.l1, 0.1, ONE, ALL),
    "ages_sqinv_lds": (published.l1, 0.1, ONE, ALL),
    "ages_rrt_lds": (published.l1, 0.1, ONE, ALL),
    "ages_rank_n_contrast": (published.l1, 0.1, ONE, ALL),
    "ages_focal_r": (published.focal, 0.1, ONE, ALL),
    "ages_der": (published.der, 1.0, ONE, ALL),
    "ages_ranksim": (published.ranksim(published.l1, 100, 2), 0.1, ONE, RANKED),
    "ages_conr": (published.conr, 0.1, ONE, tuple(range(24))),
    "ages_group_dir": (published.group_dir(0.5, 1, True), 1 / 128, EXPERTS, tuple(k % len(ALL) for k in range(128))),
    "ages_group_dir_authors": (
        published.group_dir(1, 1, False),
        1 / 256,
        EXPERTS,
        tuple(k % len(ALL) for k in range(256)),
    ),
}


@pytest.mark.parametrize("stem", CASES)
def test_the_last_stage_has_the_published_gradients(stem: str, agedb: Path) -> None:
    loss, factor, years, rows = CASES[stem]
    trainer = agedb_trainer(stem, agedb)
    assert trainer.config.train.batch_size == len(rows) or "group_dir" not in stem
    check(trainer, run(trainer, rows), loss, factor, years)


def test_bmc_has_the_published_gradients_also_of_sigma(agedb: Path) -> None:
    trainer = agedb_trainer("ages_bmc", agedb)
    real, sigma = run(trainer, ALL), torch.tensor(10.0, dtype=torch.float64, requires_grad=True)
    check(trainer, real, published.bmc(sigma.detach()), 0.01, ONE)
    outputs = in_years(real.outputs.double(), ONE)
    (0.01 * published.bmc(sigma)(outputs, real.z, real.batch.y.double(), real.batch.weight)).backward()  # type: ignore[no-untyped-call]
    assert trainer.method.loss.sigma.grad == pytest.approx(10 * float(sigma.grad), rel=1e-6)  # type: ignore[union-attr, arg-type]


def test_gai_has_the_published_gradients_also_of_sigma(agedb: Path) -> None:
    """The mixture is that of scikit-learn on ages in years, with the least variance (1e-6) in units of 10 years."""
    from sklearn.mixture import GaussianMixture

    trainer = agedb_trainer("ages_gai", agedb)
    loss, ages = trainer.method.loss, torch.tensor(TRAIN_AGES).double()[:, None].numpy()
    mixture = GaussianMixture(8, random_state=0, reg_covar=1e-4).fit(ages)
    means = 50 + 10 * loss.means.double()  # type: ignore[union-attr, operator]
    variances, shares = 100 * loss.variances.double(), loss.weights.double()  # type: ignore[union-attr, operator]
    assert torch.allclose(means, torch.from_numpy(mixture.means_.ravel()), rtol=1e-4)
    assert torch.allclose(variances, torch.from_numpy(mixture.covariances_.ravel()), rtol=1e-3)
    assert torch.allclose(shares, torch.from_numpy(mixture.weights_), rtol=1e-4)
    real, sigma = run(trainer, ALL), torch.tensor(10.0, dtype=torch.float64, requires_grad=True)
    check(trainer, real, published.gai(sigma.detach(), means, variances, shares), 0.01, ONE)
    reference = published.gai(sigma, means, variances, shares)
    outputs = in_years(real.outputs.double(), ONE)
    (0.01 * reference(outputs, real.z, real.batch.y.double(), real.batch.weight)).backward()  # type: ignore[no-untyped-call]
    assert loss.sigma.grad == pytest.approx(10 * float(sigma.grad), rel=1e-6)  # type: ignore[union-attr, arg-type]


def test_vir_has_the_published_gradients_and_reconstruction(agedb: Path) -> None:
    trainer = agedb_trainer("ages_vir", agedb)
    real = run(trainer, ALL)
    y, w, outputs = real.batch.y.double(), real.batch.weight.double(), real.outputs.double().requires_grad_()
    published.vir(in_years(outputs, ONE), real.z, y, w).backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    agrees(real.by_outputs, outputs.grad)
    terms = real.terms
    assert torch.allclose(terms["loss"], terms["evidence"] + 0.7 * terms["reconstruction"])
    smoothing = trainer.method.smoothing.statistics  # type: ignore[union-attr]
    settings = (smoothing.buckets, smoothing.start, smoothing.momentum, smoothing.clip, smoothing.start_smooth)  # type: ignore[union-attr]
    assert settings == (100, 3, 0.9, (0.1, 10.0), 1)
    assert smoothing.as_published  # type: ignore[union-attr]


@pytest.mark.parametrize("stem", ["ages_lds_fds", "ages_lds_fds_der"])
def test_fds_has_the_published_gradients_after_two_epochs(stem: str, agedb: Path) -> None:
    """Ages of 100 and more are smoothed with age 99 in their batch, and alone otherwise; so are those below 3."""
    trainer = agedb_trainer(stem, agedb)
    reference = published.FDS(trainer.method.encoder.dim)
    train_smoothing(trainer, reference, lambda y: y)
    loss, factor = (published.der, 1.0) if "der" in stem else (published.l1, 0.1)
    oldest = tuple(index for index, age in enumerate(TRAIN_AGES) if age >= 100)
    with_ends, without = ALL, (*oldest, 0, 1, 5, 6, 18, 19, 20)
    for rows in (with_ends, without):
        real = run(trainer, rows)
        check(trainer, real, loss, factor, ONE, reference.smooth)
        moved = (reference.smooth(real.z.double(), real.batch.y) - real.z.double()).abs().amax(1)
        beyond = (real.batch.y < 3) | (real.batch.y >= 100)
        assert bool(((moved > 0) == (rows == with_ends))[beyond].all())


@pytest.mark.parametrize("stem", ["ages_rrt_lds", "ages_bmc", "ages_gai"])
def test_the_first_stage_is_vanilla(stem: str, agedb: Path) -> None:
    trainer = agedb_trainer(stem, agedb)
    real = run(trainer, ALL, stage=0)
    plain = Run(
        real.z, real.outputs, real.by_z, real.by_outputs, batch_of(agedb_trainer("ages_vanilla", agedb), ALL), {}
    )
    check(trainer, plain, published.l1, 0.1, ONE)
    assert not trainer.stages[-1].frozen_norms


@pytest.mark.parametrize(
    ("stem", "temperature", "width"),
    [("ages_rank_n_contrast", 2.0, 1), ("ages_group_dir_authors", 2.0, 1), ("ages_group_dir", 2.5, 4)],
)
def test_the_contrastive_stage_has_the_published_gradients(
    stem: str, temperature: float, width: int, agedb: Path
) -> None:
    """Of raw ages, or of 25 groups of 4 years, on two views of 8 samples."""
    trainer = agedb_trainer(stem, agedb)
    real = run(trainer, (0, 1, 3, 14, 15, 20, 33, 35), stage=0)
    z = real.z.double().requires_grad_()
    label = [min(int(age) // width, 100 // width - (width > 1)) if width > 1 else int(age) for age in real.batch.y] * 2
    published.contrastive(z, label, temperature).backward()  # type: ignore[no-untyped-call]
    assert z.grad is not None
    agrees(real.by_z, z.grad)


@pytest.mark.parametrize(
    ("stem", "inverse", "lds"),
    [
        ("ages_inv", True, False),
        ("ages_sqinv", False, False),
        *((f"ages_{name}", False, True) for name in ("sqinv_lds", "lds_fds", "lds_fds_der", "rrt_lds", "vir")),
    ],
)
def test_sample_weights_are_the_published_ones(stem: str, inverse: bool, lds: bool, agedb: Path) -> None:
    expected = published.weights(TRAIN_AGES, inverse=inverse, lds=lds)
    assert agedb_trainer(stem, agedb).training.weight.tolist() == pytest.approx(expected, rel=1e-6)


def test_no_other_preset_has_weights(agedb: Path) -> None:
    weighted = {"inv", "sqinv", "sqinv_lds", "lds_fds", "lds_fds_der", "rrt_lds", "vir"}
    for stem in AGES:
        if stem.removeprefix("ages_") not in weighted:
            assert agedb_trainer(stem, agedb).training.weight.tolist() == [1.0] * len(ALL)
