"""Tells each cell of a table the head of its column, which narrow screens show above it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from markdown.treeprocessors import Treeprocessor

# Once the inline texts are elements (20).
PRIORITY = 6


class CellProcessor(Treeprocessor):
    """Labels the cells of a page's tables."""

    def run(self, root: ET.Element) -> None:
        """Called by Markdown with the elements of a page."""
        for table in root.iter("table"):
            heads = ["".join(head.itertext()).strip() for head in table.iter("th")]
            for row in table.iterfind("tbody/tr"):
                for head, cell in zip(heads, row.iterfind("td"), strict=False):
                    cell.set("data-head", head)
