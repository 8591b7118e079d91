"""Drawings that several pages continue."""

from __future__ import annotations

import pytest

from tools.site.pictures import NoPicture, picture


def test_drawing_is_shown_with_its_place() -> None:
    """The class that a page gives an image chooses what `here` means in the drawing."""
    drawing = picture("how-far", "The server refuses it.", "server")

    assert drawing.get("class") == "picture server"
    assert drawing.get("aria-label") == "The server refuses it."


def test_place_that_is_not_in_the_drawing_ends_the_build() -> None:
    """A page that names another place says so, rather than showing none."""
    with pytest.raises(NoPicture, match=r"how-far\.svg: nothing has the class 'sever'"):
        picture("how-far", "The server refuses it.", "sever")
