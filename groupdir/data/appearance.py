"""Pictures as a viewer shows them: upright by their EXIF orientation, and transparent parts on a background.

A camera that is held on its side notes so in the file and does not turn the pixels. The shape of an icon may be in its
transparency alone, while all of its pixels have the same colour.
"""

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


def transparent(picture: Image.Image) -> bool:
    """Return whether a loaded picture has a pixel that is not opaque."""
    if picture.mode not in ("LA", "PA", "RGBA") and "transparency" not in picture.info:
        return False
    lowest = picture.convert("RGBA").getchannel("A").getextrema()[0]
    return isinstance(lowest, int | float) and lowest < 255


def on_background(picture: Image.Image, colour: str) -> Image.Image:
    """Return a picture whose transparent parts show a background of a colour; an opaque picture is returned itself."""
    if not transparent(picture):
        return picture
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, colour), layer).convert("RGB")
