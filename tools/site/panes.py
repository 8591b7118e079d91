"""Says of a block in which window it belongs: a terminal, somebody's browser, or what is seen.

The `@run` lines above the blocks of a page say nearly all of it already, and the player acts
on them in the same way: a server keeps its terminal, so what comes after it needs another
one; what is pasted into bob's window is answered there. An author who wants other words
gives the block a title: ```console title="Terminal 3".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tools.site.pages import Block, Directive, Fence

_INFO = re.compile(r"^(console|form|js|text)((?: +\w+=\"[^\"]*\")*)$")
TUTORIAL = "In the tutorial's folder"
SERVER = "Terminal 1, the server's log"


class Panes:
    """The windows that a page has opened so far, in the order of its blocks."""

    def __init__(self, page: Sequence[Block]) -> None:
        fences = [block for block in page if isinstance(block, Fence)]
        self._numbered = any("server" in _words(fence) for fence in fences)
        self._servers = 0
        self._window: str | None = None  # the one that the last block was pasted into
        self._commands = (
            False  # whether there was a command that can have printed something
        )

    def follow(self, directive: Directive) -> None:
        """Note what a directive does to the windows."""
        if directive.name == "run" and "stop" in directive.words:
            self._servers = max(0, self._servers - 1)

    def labelled(self, fence: Fence, opening: str) -> str:
        """The first line of a block, with the kind of window and its name."""
        found = _INFO.match(fence.info)
        if not found:
            return opening
        kind, title = self._seen(found[1], fence)
        if not kind:
            return opening
        given = found[2] or (f' title="{title}"' if title else "")
        marks = opening[: opening.index(fence.info)]
        return f"{marks}{{ .{found[1]} .{kind}{given} }}"

    def _seen(self, language: str, fence: Fence) -> tuple[str, str]:
        """The kind of a block and its title; the kind is '' if nothing is known of it."""
        pasted, self._window = self._window, None
        named = next(
            (d.values["window"] for d in fence.above if "window" in d.values), None
        )
        if language == "console":
            self._commands = True
            return "terminal", self._terminal(_words(fence))
        if language == "form":
            return "window", _owner(named)
        if language == "js" and "browser" in _words(fence):
            self._window = named or ""
            return "window", f"{_owner(named)}, console"
        if language == "text" and "server" in _words(fence):
            return "seen", SERVER
        if language == "text" and (named or pasted) is not None:
            return "seen", f"{_owner(named or pasted)} shows"
        if language == "text" and self._servers:
            return "seen", SERVER
        return ("seen", "") if language == "text" and self._commands else ("", "")

    def _terminal(self, words: set[str]) -> str:
        # Terminal 1 is the project's, and terminal 2 stays in the tutorial's folder: start.md.
        number = max(self._servers + 1, 2 if "root" in words else 1)
        if "server" in words:
            self._servers += 1
            return f"Terminal {number}, keeps running"
        where = TUTORIAL if "root" in words else ""
        if not self._numbered:
            return where
        return f"Terminal {number}" + (f", {where[0].lower()}{where[1:]}" if where else "")


def _owner(window: str | None) -> str:
    return f"{window}'s window" if window else "Your browser"


def _words(fence: Fence) -> set[str]:
    return {word for above in fence.above if above.name == "run" for word in above.words}
