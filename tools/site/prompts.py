"""Python shells as they look: the empty line that ends a block has a prompt as well.

Without it, a reader who copies a session gets a SyntaxError: the shell takes the next statement
for a part of the block.
"""

from __future__ import annotations

import codeop
from collections.abc import Iterator, Sequence

FIRST, NEXT = ">>> ", "... "


def with_ends(lines: Sequence[str]) -> Iterator[str]:
    """The lines of a `pycon` fence, with `...` where a statement follows an open block."""
    statement: list[str] = []
    for line in lines:
        text = line.lstrip()
        if text.startswith(FIRST) and _is_open(statement):
            yield f"{line[: len(line) - len(text)]}..."
        yield line
        if text.startswith(FIRST):
            statement = [text.removeprefix(FIRST)]
        elif text.startswith(NEXT) and statement:
            statement.append(text.removeprefix(NEXT))
        else:  # an output, or the end of a block that the page has itself
            statement = []


def _is_open(statement: Sequence[str]) -> bool:
    """Whether the shell waits for more lines of it, or for an empty one."""
    try:
        return bool(statement) and codeop.compile_command("\n".join(statement)) is None
    except (SyntaxError, ValueError, OverflowError):  # wrong on purpose: it has ended
        return False
