"""IMDB-WIKI-DIR: how old is the person in this photograph, by a list that holds errors?"""

from __future__ import annotations

from groupdir.config.datasets import IMDBWikiConfig
from groupdir.data.photos.ages import AgePhotos


class IMDBWiki(AgePhotos):
    """IMDB-WIKI-DIR (Yang et al. 2021): ages 0..200 of people in films and in Wikipedia, of pictures that you have.

    191,509 training, 11,022 validation and 11,022 test pictures: `imdb_wiki.csv`, and the pictures where it says, in
    imdb_crop/ and wiki_crop/. Ages above 100 are mostly errors of the labels. For groups they count as 100, and weights
    count those of 120 and more together; errors are measured on the ages as they are.
    """

    Config = IMDBWikiConfig
    config: IMDBWikiConfig
    manifest_name = "imdb_wiki.csv"
    folder_name = "imdb-wiki-dir"
