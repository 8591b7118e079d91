"""Puts the drawings into the pages themselves, where they follow the theme.

An SVG file that is loaded as an image knows nothing of the page around it, and its colours
are those of a light page for ever. So `![...](../assets/pictures/handshake.svg)` becomes the
drawing itself: the file holds shapes and the classes that assets/site.css has colours for.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from xml.etree import ElementTree as ET

from markdown.treeprocessors import Treeprocessor

from course import ROOT

# Behind `abbr` (7), which would put HTML into the texts of a drawing, before the generator
# makes links of what is left (0).
PRIORITY = 5
_PICTURE = re.compile(r"(?:^|/)assets/pictures/([\w-]+)\.svg$")
_WITHOUT_SIZE = {"xmlns", "width", "height", "aria-labelledby"}


class NoPicture(Exception):
    """A page names a drawing, or a place in one, that is not there, or that is no SVG."""


class PictureProcessor(Treeprocessor):
    """Replaces the images of a page that are drawings of ours."""

    def run(self, root: ET.Element) -> None:
        """Called by Markdown with the elements of a page. Raises NoPicture."""
        for parent in root.iter():
            for place, image in enumerate(parent):
                found = (
                    _PICTURE.search(image.get("src", "")) if image.tag == "img" else None
                )
                if found:
                    drawing = picture(
                        found[1], image.get("alt", ""), image.get("class", "")
                    )
                    drawing.tail = image.tail
                    parent[place] = drawing


def picture(name: str, says: str, place: str = "") -> ET.Element:
    """A drawing as an element of a page; `says` is read to those who do not see it.

    `place` is a class that the page gives it: what the file marks with `here` and that class
    is shown, so that several pages can continue one drawing.

    Raises NoPicture.
    """
    file = ROOT / "docs" / "assets" / "pictures" / f"{name}.svg"
    try:
        drawing = ET.fromstring(_text(file, file.stat().st_mtime_ns))
    except (OSError, ET.ParseError) as error:
        raise NoPicture(f"docs/assets/pictures/{name}.svg: {error}") from None
    if place and not any(place in e.get("class", "").split() for e in drawing.iter()):
        raise NoPicture(f"docs/assets/pictures/{name}.svg: nothing has the class {place!r}")
    for element in drawing.iter():
        element.tag = element.tag.rpartition("}")[2]
        _own_names(element, name)
        _pointed(element, name)
    for attribute in _WITHOUT_SIZE & set(drawing.attrib):
        del drawing.attrib[attribute]
    drawing.set("class", f"picture {place}".strip())
    drawing.set("role", "img")
    drawing.set("aria-label", says)
    drawing.set("data-search-exclude", "")
    # As wide as it was drawn, and narrower where the screen is.
    drawing.set("style", f"max-width: {drawing.get('viewBox', '0 0 520').split()[2]}px")
    drawing.insert(0, _heads(name))
    return drawing


@functools.lru_cache(maxsize=64)
def _text(file: Path, changed: int) -> str:
    return file.read_text("utf-8")


def _own_names(element: ET.Element, name: str) -> None:
    """Two drawings of a page may use the same ids in their files."""
    for attribute, value in element.attrib.items():
        if attribute == "id":
            element.set(attribute, f"{name}-{value}")
        else:
            element.set(attribute, value.replace("url(#", f"url(#{name}-"))


def _pointed(element: ET.Element, name: str) -> None:
    """A line of class `arrow` gets its head, in its colour."""
    classes = element.get("class", "").split()
    if "arrow" in classes:
        head = next((kind for kind in ("good", "bad") if kind in classes), "arrow")
        element.set("marker-end", f"url(#{name}-{head})")


def _heads(name: str) -> ET.Element:
    """The heads of arrows, one for each colour."""
    heads = ET.Element("defs")
    for kind in ("arrow", "good", "bad"):
        size = {"markerWidth": "7", "markerHeight": "7", "refX": "9", "refY": "5"}
        box = {"viewBox": "0 0 10 10", "orient": "auto"}
        marker = ET.SubElement(heads, "marker", {"id": f"{name}-{kind}", **box, **size})
        ET.SubElement(marker, "path", {"class": f"head {kind}", "d": "M0 0L10 5L0 10z"})
    return heads
