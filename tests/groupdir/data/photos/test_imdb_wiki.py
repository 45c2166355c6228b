"""IMDB-WIKI-DIR: ages that cannot be."""

from pathlib import Path

import numpy as np

from groupdir.config.datasets import IMDBWikiConfig
from groupdir.data.base import SplitName
from groupdir.data.photos.imdb_wiki import IMDBWiki
from groupdir.labels import LabelGroups, sample_weights

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")


def test_imdb_wiki_clamps_ages_that_cannot_be(tmp_path: Path) -> None:
    lines = ["age,path,split"]
    for k, age in enumerate([5, 99, 100, 119, 120, 150, 186]):
        lines += [f"{age},{('imdb', 'wiki')[k % 2]}_crop/0{k}/{k}_{split}.jpg,{split}" for split in SPLITS]
    (tmp_path / "imdb_wiki.csv").write_text("\n".join(lines), encoding="utf-8")
    data = IMDBWiki(IMDBWikiConfig(name="imdb_wiki", root=str(tmp_path)))
    assert data.rows("val").files[1] == tmp_path / "wiki_crop/01/1_val.jpg"
    y, targets = data.labels("train"), data.targets
    assert y.max() == 186
    assert LabelGroups.equal_width(targets.low, targets.high, 20).assign(y).tolist() == [1, 19, 19, 19, 19, 19, 19]
    weights = sample_weights(y, bin_width=1, mode="inverse", high=targets.weights_high)
    np.testing.assert_allclose(weights / weights[0], [1, 1, 1, 1, 1 / 3, 1 / 3, 1 / 3], rtol=1e-6)
