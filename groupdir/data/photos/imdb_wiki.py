"""IMDB-WIKI-DIR: predict the age of the person in a photograph, from labels with errors."""

from __future__ import annotations

from groupdir.config.datasets import IMDBWikiConfig
from groupdir.data.photos.ages import AgePhotos


class IMDBWiki(AgePhotos):
    """IMDB-WIKI-DIR data set (Yang et al. 2021): photographs of people aged 0..200 from films and from Wikipedia.

    You must have the pictures. It has 191,509 training, 11,022 validation and 11,022 test pictures. They are listed in
    `imdb_wiki.csv`, and their files are in imdb_crop/ and wiki_crop/. Ages above 100 are mostly label errors. They are
    clamped to 100 for groups, and those of 120 and more share one bin for sample weights. Errors are computed on the
    ages as listed.
    """

    Config = IMDBWikiConfig
    config: IMDBWikiConfig
    manifest_name = "imdb_wiki.csv"
    folder_name = "imdb-wiki-dir"

    @classmethod
    def person(cls, file: str) -> str | None:
        """Return the number of the person in a file name, which IMDb or Wikipedia gave.

        >>> IMDBWiki.person("imdb_crop/01/nm0000001_rm124825600_1899-5-10_1968.jpg")
        'imdb_crop nm0000001'
        """
        collection, _, name = file.partition("/")
        number, underscore, _ = name.rpartition("/")[2].partition("_")
        return f"{collection} {number}" if underscore else None
