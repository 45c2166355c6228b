"""EXIF orientation of pictures: a camera that is held on its side says so in the file and does not turn the pixels."""

from __future__ import annotations

from PIL import ExifTags, Image

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> operation that makes the picture upright. 1 is upright, and other numbers have no meaning."""


def needed_turn(picture: Image.Image) -> Image.Transpose | None:
    """Return the operation that makes a picture upright, or None if its file asks for none.

    PIL applies the orientation of a TIFF file itself while it loads the pixels, so load them first.
    """
    try:
        return _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - PIL raises errors of many kinds on a broken block, which viewers ignore
        return None


def upright(picture: Image.Image) -> Image.Image:
    """Return a picture turned and mirrored as its EXIF orientation says; without an orientation, the picture itself."""
    turn = needed_turn(picture)
    return picture if turn is None else picture.transpose(turn)
