"""The Python shells of the pages, as they are shown."""

import pytest

from tools.site.prompts import with_ends


@pytest.mark.parametrize(
    "shown",
    [
        [">>> with a:", "...     b()", "...", ">>> c()"],
        [">>> for n in (1, 2): b(n)", "...", ">>> c()"],
        [">>> @decorated", "... async def b():", "...     return 1", "...", ">>> c()"],
        ["    >>> if a:", "    ...     b()", "    ...", "    >>> c()"],
        [">>> if a:", "...     b()", "...", ">>> while c:", "...     d()"],
    ],
)
def test_block_before_a_statement_has_an_end(shown):
    """A shell would take the next statement for a part of it."""
    written = [line for line in shown if line.strip() != "..."]

    assert list(with_ends(written)) == shown
    assert list(with_ends(shown)) == shown


@pytest.mark.parametrize(
    "written",
    [
        [">>> a = [", "...     1,", "... ]", ">>> b()"],
        [">>> for n in a:", "...     n", "1", ">>> b()"],
        [">>> a = 1; b = 2", ">>> b", "2"],
        [">>> a = = 1", "SyntaxError: invalid syntax", ">>> b()"],
        [">>> def a(:", ">>> b()"],
        [">>> if a:", "...     b()"],
        ["nothing typed", ">>> a"],
    ],
)
def test_other_lines_stay(written):
    """Nothing is added where the statement has ended, or where its output follows."""
    assert list(with_ends(written)) == written
