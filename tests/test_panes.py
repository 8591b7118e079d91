"""In which window a block of a page belongs, and what its label says."""

from __future__ import annotations

import re

from tools.site.directives import expand


def fence(info: str, *above: str) -> str:
    """A block below some `@run` lines."""
    return "\n".join([*above, f"```{info}", "$ x", "```", "", ""])


def labels(page: str) -> list[str]:
    """The first line of each block as the site gets it, without the marks."""
    return [
        line.lstrip(" `") for line in expand(page).splitlines() if re.match(" *```.", line)
    ]


def test_commands_move_on_while_a_server_runs() -> None:
    """The server keeps its terminal until it is stopped."""
    page = (
        fence("console")
        + fence("console", "@run server")
        + fence("console", "@run root")
        + "@run stop\n\n"
        + fence("console")
    )

    assert labels(page) == [
        '{ .console .terminal title="Terminal 1" }',
        '{ .console .terminal title="Terminal 1, keeps running" }',
        '{ .console .terminal title="Terminal 2, in the tutorial\'s folder" }',
        '{ .console .terminal title="Terminal 1" }',
    ]


def test_only_terminal_has_no_number() -> None:
    """On a page that starts no server there is nothing to tell apart."""
    page = fence("console") + fence("console", "@run root")

    assert labels(page) == [
        "{ .console .terminal }",
        '{ .console .terminal title="In the tutorial\'s folder" }',
    ]


def test_windows_answer_where_they_were_asked() -> None:
    """What follows a block of JavaScript is what that window prints; so is what is named."""
    page = (
        fence("js", "@run browser window=bob")
        + fence("text")
        + fence("text", "@run browser window=alice")
        + fence("js", "@run browser")
        + fence("text")
    )

    assert labels(page) == [
        '{ .js .window title="bob\'s window, console" }',
        '{ .text .seen title="bob\'s window shows" }',
        '{ .text .seen title="alice\'s window shows" }',
        '{ .js .window title="Your browser, console" }',
        '{ .text .seen title="Your browser shows" }',
    ]


def test_log_is_the_servers() -> None:
    """A block of text after a server has started is what its terminal shows."""
    page = fence("console", "@run server") + fence("console") + fence("text")

    assert labels(page)[-1] == '{ .text .seen title="Terminal 1, the server\'s log" }'


def test_terminal_of_the_tutorial_is_the_second_from_the_start() -> None:
    """A page that starts a server names the terminals alike before it and after it."""
    page = fence("console", "@run root") + fence("console", "@run server")

    assert labels(page) == [
        '{ .console .terminal title="Terminal 2, in the tutorial\'s folder" }',
        '{ .console .terminal title="Terminal 1, keeps running" }',
    ]


def test_form_is_in_a_window_and_the_log_in_a_terminal() -> None:
    """What is filled in has its window's name; a log may follow it at once."""
    page = (
        fence("console", "@run server")
        + fence("form", "@run browser window=bob page=/demo/")
        + fence("js", "@run browser window=bob")
        + fence("text", "@run server")
    )

    assert labels(page)[1:] == [
        '{ .form .window title="bob\'s window" }',
        '{ .js .window title="bob\'s window, console" }',
        '{ .text .seen title="Terminal 1, the server\'s log" }',
    ]


def test_author_has_the_last_word() -> None:
    """A title is kept, and so is whatever else is not known."""
    page = fence('console title="Terminal 9"') + fence("js") + fence("text hl_lines=1")

    assert labels(page) == [
        '{ .console .terminal title="Terminal 9" }',
        "js",
        "text hl_lines=1",
    ]


def test_indented_block_stays_indented() -> None:
    """Also within a box or a tab."""
    page = '!!! question "Predict, then run"\n\n    ```console\n    $ x\n    ```\n'

    assert "    ```{ .console .terminal }" in expand(page).splitlines()
