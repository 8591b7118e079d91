"""Explains acronyms where they stand: a tooltip with the first sentence of the glossary."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from tools.site.pages import Heading, Prose, parse


def definitions(text: str, glossary: Path) -> list[str]:
    """What the `abbr` extension needs at the end of a page: a line for each acronym of the
    glossary that the page has. [] if there is no glossary."""
    if not glossary.is_file():
        return []
    acronyms = _acronyms(glossary, glossary.stat().st_mtime_ns)
    return [
        f"*[{word}]: {sentence}"
        for word, sentence in acronyms.items()
        if re.search(rf"\b{word}\b", text)
    ]


@functools.lru_cache(maxsize=2)
def _acronyms(glossary: Path, changed: int) -> dict[str, str]:
    """Each heading in capitals, with the first sentence below it."""
    found: dict[str, str] = {}
    word = ""
    texts: dict[str, list[str]] = {}
    for block in parse(glossary.read_text("utf-8")):
        if isinstance(block, Heading):
            word = block.title
        elif isinstance(block, Prose):
            texts.setdefault(word, []).append(block.text)
    for word, lines in texts.items():
        if word.isupper():
            sentence = " ".join(" ".join(lines).split()).partition(". ")[0]
            found[word] = sentence.rstrip(".") + "."
    return found
