"""The Markdown extension: what it makes of each directive, and what it refuses."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import subprocess
import zlib
from pathlib import Path

import pytest

import course
from checks.items import items_of
from course import contract, source
from course.files import copy_tree, files_of
from tools.site import compare, differences, listings, regions
from tools.site.backend import NotReadable
from tools.site.differences import Change, applied, unshown
from tools.site.directives import DirectiveError, expand
from tools.site.glossary import definitions
from tools.site.pages import Directive, Fence, Heading, PageError, parse, words_of
from workshop import cli

STEPS = course.steps()
ASGI = "@code step=05-asgi path=backend/numeneon/asgi.py"
ROUTING = "@code step=05-asgi path=backend/notifications/routing.py"
# In a fresh clone Django is asked for what it has, which takes seconds: by one worker only.
DJANGO_IS_ASKED = pytest.mark.xdist_group("django-is-asked")


def made(*lines: str) -> str:
    """What a page becomes."""
    return expand("\n".join(lines) + "\n")


def captions(text: str) -> list[str]:
    """The captions of a page's blocks, as they read."""
    found = re.findall(r'<p class="place">(.*?)</p>', text)
    return [html.unescape(re.sub(r"<[^>]*>", "", caption)) for caption in found]


def fence_of(text: str) -> tuple[str, str]:
    """The info string and the content of the first fence."""
    fence = next(block for block in parse(text) if isinstance(block, Fence))
    return fence.info, "\n".join(fence.lines) + "\n"


# Reading a page


def test_page_is_read_block_by_block() -> None:
    """Headings with their anchors, directives with their values, fences with their lines."""
    text = '# Title { #top }\n\n@run server reason="two words"\n\n```console\n$ ls\n```\n'
    heading, _, run, _, fence = parse(text)

    assert heading == Heading(1, "Title", "top", 1)
    assert isinstance(run, Directive)
    assert (run.name, run.words, run.values) == (
        "run",
        ("server",),
        {"reason": "two words"},
    )
    assert isinstance(fence, Fence)
    assert (fence.language, fence.lines, fence.line, fence.above) == (
        "console",
        ("$ ls",),
        5,
        (run,),
    )


def test_directive_in_a_fence_is_text() -> None:
    """Pages about the directives can show them, however long the fence's marks."""
    text = "````markdown\n```\n@code nothing\n```\n````\n"

    assert made(text.rstrip()) == text.rstrip()


@pytest.mark.parametrize("text", ["```\nno end", '@code step="05'])
def test_broken_page_is_refused(text: str) -> None:
    """An open fence or quote would swallow the rest of the page."""
    with pytest.raises(PageError, match="line 1"):
        parse(text)


def test_words_are_those_one_reads() -> None:
    """Code, addresses and directives are not counted."""
    assert words_of("# A b\n\n@run stop\n\nc [d](e.md) `f`\n\n```\ng\n```\n") == list(
        "Abcdf"
    )


# Code


def test_whole_file_is_shown() -> None:
    """The block holds the file, and the lines that are new in it are marked."""
    info, content = fence_of(made(ROUTING))

    assert content == (
        course.step("asgi").folder / "backend/notifications/routing.py"
    ).read_text("utf-8")
    assert 'hl_lines="3 11 12"' in info


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.slug)
def test_symbols_are_those_of_the_checks(step: course.Step) -> None:
    """A page shows exactly what a hint shows under the same name."""
    for path in files_of(step.folder):
        if path.endswith(".py") and "/tests/" not in path:
            text = (step.folder / path).read_text("utf-8")
            lines = text.splitlines(keepends=True)
            for name in source.symbols(step.folder / path):
                first, last = regions.symbol(text, name)
                assert "".join(lines[first:last]) == source.extract(
                    step.folder / path, name
                )


def test_new_symbol_carries_a_bar_and_no_marks() -> None:
    """Where everything is new, marking each line says nothing."""
    middleware = "step=03-notifications-app path=backend/notifications/middleware.py"
    info, _ = fence_of(made(f"@code {middleware} symbol=user_of"))

    assert ".added" in info
    assert "hl_lines" not in info


def test_first_step_marks_nothing() -> None:
    """Its page is a tour of what is there."""
    text = made("@code step=00-rest-api path=backend/posts/services.py symbol=create_post")

    assert "hl_lines" not in text and ".added" not in text
    assert captions(text) == ["backend/posts/services.py create_post()"]


def test_plain_code_is_as_it_is() -> None:
    """Pages that explain do not ask for edits."""
    text = made(ROUTING + " plain")

    assert "hl_lines" not in text
    assert captions(text) == ["backend/notifications/routing.py"]


@pytest.mark.parametrize(
    ("line", "caption"),
    [
        ("05-asgi path=backend/numeneon/asgi.py", "replace 2 lines with 16"),
        (
            "05-asgi path=backend/notifications/routing.py symbol=websocket_urlpatterns",
            "in websocket_urlpatterns, add 2 lines",
        ),
        (
            "05-asgi path=backend/notifications/routing.py symbol=<imports>",
            "at the top, add 1 line",
        ),
        (
            "04-emit-events path=backend/posts/services.py symbol=create_post",
            "in create_post(), replace 2 lines with 4",
        ),
        (
            "06-render-deployment path=backend/notifications/services.py symbol=can_send",
            "add after send_notification()",
        ),
        (
            "02-settings path=backend/numeneon/settings.py region='# Real-time'",
            "add at the end",
        ),
        (
            "11-limits path=backend/notifications/consumers.py"
            " symbol=NotificationConsumer.leave",
            "in place of NotificationConsumer.disconnect()",
        ),
        (
            "13-broadcast-and-presence path=backend/notifications/consumers.py"
            " symbol=NotificationConsumer.notify",
            "replace NotificationConsumer.notify()",
        ),
        ("06-render-deployment path=build.sh", "create new file"),
        ("03-notifications-app path=requirements.txt", "add 1 line"),
    ],
)
def test_caption_says_where_and_what(line: str, caption: str) -> None:
    """Made by comparing with the step before."""
    path = line.split("path=")[1].split()[0]

    assert captions(made(f"@code step={line}")) == [f"{path} {caption}"]


def test_captions_follow_the_page() -> None:
    """A landmark is something the reader has by then, and a file is created once."""
    consumer = (
        "@code step=03-notifications-app path=backend/notifications/consumers.py symbol="
    )
    text = made(
        consumer + "NotificationConsumer.receive",
        consumer + "<imports>",
        consumer + "NotificationConsumer.<head>",
        consumer + "NotificationConsumer.notify",
    )

    assert [caption.partition(" ")[2] for caption in captions(text)] == [
        "create new file",
        "add at the top",
        "add after the imports",
        "add at the end",
    ]


def test_class_without_methods_is_a_landmark() -> None:
    """Under its own name: it is all head."""
    code = "@code step=12-orders path=backend/orders/services.py symbol="
    text = made(
        *(code + name for name in ("place_order", "<imports>", "NotPossible", "Outdated"))
    )

    assert captions(text)[-1].endswith(" add after NotPossible")


def test_replaced_lines_are_shown_once() -> None:
    """Two blocks share a change: the old lines belong to the first of them."""
    text = made(ASGI + " symbol=<imports>", ASGI + " symbol=application")

    assert text.count("??? before") == 1
    assert "    application = get_asgi_application()" in text


def test_wrong_code_says_so_and_is_replaced() -> None:
    """The box has a title, and the right code takes its place."""
    text = made(
        "@wrong path=backend/numeneon/asgi.py",
        "```python",
        "import this",
        "```",
        ASGI,
    )

    assert '!!! failure "Wrong on purpose"' in text
    assert "    import this" in text
    assert "hl_lines" in text
    assert [caption.partition(" ")[2] for caption in captions(text)] == [
        "for now, replace the whole file",
        "replace the whole file",
    ]


def test_draft_is_replaced_as_a_whole() -> None:
    """A first version has a place and no box; what comes there first takes all of it away."""
    consumer = "step=03-notifications-app path=backend/notifications/consumers.py"
    text = made(
        f"@code {consumer} symbol=<imports>",
        "@draft path=backend/notifications/consumers.py symbol=NotificationConsumer.connect",
        "```python",
        "    pass",
        "```",
        f'@code {consumer} region="async def connect..return"',
        f'@code {consumer} region="await self.accept..)"',
    )

    assert "Wrong on purpose" not in text
    assert [caption.partition(" ")[2] for caption in captions(text)] == [
        "create new file",
        "for now, add at the end",
        "replace NotificationConsumer.connect()",
        "add at the end",
    ]


def test_function_is_named_as_one_reads_it() -> None:
    """In JavaScript too: neither its first line nor its brace says what is meant."""
    module = "path=backend/client/static/client/notifications.js"
    code = f"@code step=07-browser-client {module}"
    opens = 'region="function open(connection, protocols) {.."'
    text = made(
        f'{code} region="/** Return the URL..}}"',
        f'{code} region="/** Return a random delay..}}"',
        f"@draft {module} {opens}",
        "```javascript",
        "function open() {}",
        "```",
        f"{code} {opens}",
        f'{code} region="// Times are..const LONGEST_DELAY"',
        f'{code} region="function send(connection, message) {{.."',
    )

    assert [caption.partition(" ")[2] for caption in captions(text)] == [
        "create new file",
        "add at the end",
        "for now, add at the end",
        "replace open()",
        "add at the top",
        "add at the end",
    ]


def test_part_of_a_file_is_not_called_the_whole_file() -> None:
    """A reader who obeyed would lose the rest. The line that is named is one that they have."""
    text = made(
        "@code step=08-stored-notifications path=backend/notifications/events.py "
        "symbol=notifications_read",
        "@draft path=backend/notifications/events.py "
        'region="from notifications.models..from notifications.services"',
        "```python",
        "import this",
        "```",
    )

    assert captions(text)[-1].endswith(
        "replace the lines that begin with from notifications.services import send_notification"
    )


def test_tree_shows_the_files_of_a_folder() -> None:
    """Those that are named, folders behind files; a name that is not there ends the build."""
    tree = "@tree step=03-notifications-app path=backend/notifications"

    assert fence_of(made(f'{tree} files="tests/sockets.py apps.py"')) == (
        "{ .text }",
        "backend/notifications/\n    apps.py\n    tests/\n        sockets.py\n",
    )
    with pytest.raises(
        DirectiveError, match=r"no views\.py in .*; there are: __init__\.py"
    ):
        made(f"{tree} files=views.py")


def test_tree_draws_each_folder_where_it_is() -> None:
    """Two folders of one name and depth are two."""
    tree = "@tree step=07-browser-client path=backend/client"

    assert fence_of(
        made(f'{tree} files="static/client/api.js templates/client/app.html"')
    ) == (
        "{ .text }",
        "backend/client/\n    static/\n        client/\n            api.js\n"
        "    templates/\n        client/\n            app.html\n",
    )


def test_throwaway_file_says_so() -> None:
    """It is in no step, and no caption may send a learner to look for it."""
    text = made("@throwaway path=backend/try.py", "```python", "import this", "```")

    assert captions(text) == ["backend/try.py a throwaway file, the whole of it"]


def test_directive_in_a_list_keeps_its_place() -> None:
    """What takes its place is as deep as it was."""
    text = made("- item", "", "    " + ROUTING + " symbol=<imports>")

    assert '\n    <p class="place">' in text
    assert "\n    from django.urls import re_path\n" in text


def test_fences_within_code_stay_within() -> None:
    """A block is fenced by more marks than it holds."""
    text = made("@code step=01-installation path=README.md")

    assert "````{ .markdown" in text


# Regions

YAML = """\
# top
services:
  # the first
  - type: web
    name: one
    envVars:
      - key: A
        value: 1

  - type: store
    name: two
databases: []
"""
INI = "# about\n[tool]\na = 1\n# b\nb =\n  2\n\n[other]\nc = 3\n"
PYTHON = """\
# Paths

HERE = 1

# Apps

if HERE:
    A = 2
else:
    A = 3
B = [
    4,
]
"""


@pytest.mark.parametrize(
    ("text", "path", "name", "first", "last"),
    [
        (YAML, "x.yaml", "services", 1, 11),
        (YAML, "x.yaml", "services.web", 3, 8),
        (YAML, "x.yaml", "services.one", 3, 8),
        (YAML, "x.yaml", "services.1", 10, 11),
        (YAML, "x.yaml", "services.0.envVars.A", 7, 8),
        (YAML, "x.yaml", "databases", 12, 12),
        (INI, "x.toml", "tool", 1, 6),
        (INI, "x.ini", "tool.b", 4, 6),
        (INI, "x.ini", "other.c", 9, 9),
        (PYTHON, "x.py", "# Paths", 1, 3),
        (PYTHON, "x.py", "# Apps", 5, 13),
        (PYTHON, "x.py", "if HERE:..", 7, 10),
        (PYTHON, "x.py", "HERE = 1..# Apps", 3, 5),
        (PYTHON, "x.py", "B = [..", 11, 13),
        (INI, "x.txt", "b..", 5, 6),
        ("a\nb\nbc\n", "x.txt", "b..bc", 2, 3),
        ("a\nb\na\nc\nd\na\n", "x.txt", "a..d", 3, 5),
        ("f() {\n  a\n}\n\ng()\n", "x.html", "f() {..", 1, 3),
    ],
)
def test_region_is_found(text: str, path: str, name: str, first: int, last: int) -> None:
    """By keys, by sections, by the lines that it begins and ends with."""
    assert regions.region(text, path, name) == (first - 1, last)


@pytest.mark.parametrize(
    ("path", "name", "said"),
    [
        ("x.yaml", "services.web.name.x", "no 'x' in services.web.name"),
        ("x.yaml", "service", "there are: services, databases"),
        ("x.txt", "services", "START..END"),
        ("x.txt", "- type..", "several lines begin with '- type': 4, 10"),
        ("x.txt", "nothing..", "no line begins with 'nothing'; there are: '# top'"),
        ("x.txt", "services..nothing", "no line begins with 'nothing' after line 2"),
        ("x.toml", "a", "there are: none"),
        ("x.py", "# Top", "there are: none"),
    ],
)
def test_region_that_is_not_there_is_refused(path: str, name: str, said: str) -> None:
    """And the message says what there is."""
    with pytest.raises(regions.NotFound, match=re.escape(said)):
        regions.region(YAML, path, name)


# What is refused


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("@cod step=05-asgi", "there is no directive @cod; there are: code, diff"),
        ("@code step=05-asgi", "it needs path"),
        ("@code", "it needs path, step"),
        (ASGI + " lines=3", "it does not take lines"),
        (ASGI + " whole", "it does not take whole"),
        (ASGI + " symbol=a region=b..", "a symbol or a region, not both"),
        ("@code step=5 path=x.py", "no step '5'; there are: 00-rest-api, 01-"),
        ("@code step=05-asgi path=backend/numeneon/x.py", "backend/numeneon/asgi.py"),
        (ASGI + " symbol=app", "no symbol 'app'; there are: <imports>, django_application"),
        (ASGI + " symbol=application.<head>", "'application' is not a class"),
        (
            "@code step=05-asgi path=requirements.txt symbol=x",
            "requirements.txt in step 05-asgi",
        ),
        ("@code step=05-asgi path=backend/posts/__init__.py", "is empty"),
        ("@diff step=00-rest-api", "nothing to compare with"),
        ("@diff step=05-asgi path=build.sh", "what changes is: backend/messaging/"),
        ("@tests step=01-installation", "changes no tests"),
        ("@given step=01-installation", "gives no files"),
        ("@checklist", "it needs step"),
        ("@compare a=05-asgi", "it does not take a"),
    ],
)
def test_reference_to_nothing_is_refused(line: str, said: str) -> None:
    """The message has the line as it stands in the page, and what there is."""
    with pytest.raises(DirectiveError) as caught:
        made("text", "", line)

    assert said in str(caught.value)
    assert f"line 3: {line}: " in str(caught.value)


def test_error_names_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An extension is not told where a text comes from; it looks for the line."""
    monkeypatch.setattr("tools.site.directives.ROOT", tmp_path)
    page = tmp_path / "docs" / "steps" / "a.md"
    page.parent.mkdir(parents=True)
    page.write_text("---\ntitle: x\n---\n\n@diff step=9\n", "utf-8")

    with pytest.raises(DirectiveError, match=r"^docs/steps/a\.md:5: @diff step=9: "):
        made("@diff step=9")


# Differences

OLD = "a\nb\nc\nd\n"
NEW = "a\nB\nc\n\nx\ny\n\nd\ne\n"


def test_shown_edits_are_applied() -> None:
    """Whoever makes all of them has the new text, blank lines included."""
    change = Change("f", OLD, NEW)

    assert applied(change, []) == OLD
    assert applied(change, [(1, 2)]) == "a\nB\nc\nd\n"
    assert applied(change, [(1, 2), (4, 6), (8, 9)]) == NEW
    assert applied(Change("f", None, NEW), [(0, 3), (4, 9)]) == NEW


def test_added_functions_are_below_the_one_that_grew() -> None:
    """Each `}` of JavaScript ends its own function: the new function is new as a whole."""
    change = Change("f.js", "f() {\n a\n}\n", "f() {\n b\n}\n\ng() {\n c\n}\n")

    assert applied(change, [(0, 3)]) == "f() {\n b\n}\n\n"
    assert applied(change, [(4, 7)]) == "f() {\n a\n}\n\ng() {\n c\n}\n"
    assert applied(change, [(0, 3), (4, 7)]) == change.after


def test_unshown_lines_are_named() -> None:
    """Added lines, and lines that go without anything in their place."""
    change = Change("f", OLD, NEW)

    assert unshown(change, []) == ["+B", "+x", "+y", "+e"]
    assert unshown(change, [(1, 6)]) == ["+e"]
    gone = Change("f", OLD, "a\nd\n")
    assert unshown(gone, [(0, 1)]) == ["-b", "-c"]
    assert unshown(gone, [(0, 2)]) == []


def test_diff_shows_the_lesson() -> None:
    """All changed files but README and tests; one file if it is named."""
    whole = made("@diff step=05-asgi")
    one = made("@diff step=05-asgi path=backend/numeneon/tests/test_asgi.py")

    assert "3 files, +55" in whole
    assert "test_asgi" not in whole and "README" not in whole
    assert 'title="backend/numeneon/tests/test_asgi.py, new"' in one


def test_tests_of_a_step_are_shown_whole() -> None:
    """New ones whole, changed ones with their changes marked."""
    text = made("@tests step=06-render-deployment")

    assert "test_health.py</code>: new, 48 lines" in text
    assert 'test_settings.py</code>: +10 \N{MINUS SIGN}9"' in text
    one = made("@tests step=05-asgi path=backend/numeneon/tests/test_asgi.py")
    assert "def test_http_goes_to_django" in one


def test_given_files_are_listed_with_their_command() -> None:
    """Each folded, below what puts them into the project."""
    step = course.step("asgi")
    text = made(f"@given step={step.slug}")
    given = [c.path for c in differences.changes_of(step) if step.gives(c.path)]

    assert f"$ python3 tutorial.py give {step.number}" in text
    assert re.findall(r'tests "<code>([^<]+)</code>', text) == given


# Checklists


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.slug)
def test_checklist_is_that_of_the_checks(step: course.Step) -> None:
    """Sentence, id and hints of each item, in their order."""
    text = made(f"@checklist step={step.slug}")

    assert f'<ol class="checklist" data-step="{step.number}">' in text
    assert re.findall(r'data-item="([^"]+)"', text) == [i.id for i in items_of(step.number)]
    plain = html.unescape(re.sub(r"<[^>]+>", "", text))
    for item in items_of(step.number):
        assert item.title.replace("`", "") in plain
        assert item.hints.think.replace("`", "") in plain
    assert "\n\n" not in text.strip()


def test_hint_promises_an_explanation_only_where_there_is_one() -> None:
    """An item of the whole page leads to no section: the checklist explains no code."""
    text = made("@checklist step=00-rest-api")

    assert 'href="#run">explained here' in text
    assert 'href="#check"' not in text


# Reference


def test_events_are_those_of_the_contract() -> None:
    """Their data with the parts of objects, whom they reach, what proves them, since when."""
    text = made("@events")

    user = "{id, username, first_name, last_name}"
    assert (
        f"| `friend_request` | `request_id`, `from_user{user}`, `created_at` | To " in text
    )
    assert "| `new_post` | `id`, `author{id, username}`, `content`, `created_at` |" in text
    assert (
        "| `connection_established` | `message`, `user_id`, `epoch`, `last_seq`, "
        "`last_announcement`, `expires_in` |" in text
    )
    last = course.step("emit-events")
    assert f"| [`events.new-post`](checks.md#{last.slug}) | step {last.number} |" in text
    assert text.count(f"| step {last.number} |") == 4
    assert text.count(f"| step {course.step('notifications-app').number} |") == 2


def test_close_codes_are_those_of_the_contract() -> None:
    """With the sentences of the checks that prove them."""
    text = made("@close-codes")

    for code, meaning in contract.CLOSE_CODES.items():
        assert f"| `{code}` | {meaning} |" in text
    for step in STEPS:
        for item in items_of(step.number):
            assert (item.title in text) == bool(item.close_codes or item.handshake)


def test_step_that_django_cannot_read_ends_the_build(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error names the directive, and has the last words of Django."""

    def broken() -> None:
        raise NotReadable("06-x: ModuleNotFoundError: no orders")

    monkeypatch.setattr("tools.site.tables.last_backend", broken)

    with pytest.raises(DirectiveError, match="@endpoints: 06-x: ModuleNotFoundError"):
        made("@endpoints")


@pytest.mark.parametrize(
    "row",
    [
        "GET | `/` | Returns 200 with addresses of the API, or 302 to /app/ for a browser. "
        "| none | no |",
        "GET | `/healthz/` | Say which parts of the server work. Returns 200, or 503 without the "
        "database or during a shutdown. | none | no |",
        "GET | `/demo/` | Show the page messaging/demo.html. | none | no |",
        "POST | `/api/auth/signup/` | Create an account. | `username`, `email`, `password`, "
        "`display_name` | no |",
        "POST | `/api/auth/login/` | Sign in: exchange email and password for an access and a "
        "refresh token. | `email`, `password` | no |",
        "POST | `/api/auth/token/refresh/` | Exchange a refresh token for a new access token. "
        "| `refresh` | no |",
        "DELETE | `/api/posts/<id>/` | Delete one post. | none | yes |",
        "POST | `/api/posts/<id>/replies/` | Reply to a post. | `content` | yes |",
        "POST | `/api/posts/<id>/like/` | Like a post, or take the like back. | none | yes |",
        "POST | `/api/messages/` | List the user's messages (GET), or send one (POST). "
        "| `receiver_id`, `content` | yes |",
        "GET | `/api/messages/conversation/<user_id>/` | List the messages with one other "
        "user, newest first. | none | yes |",
    ],
)
@DJANGO_IS_ASKED
def test_endpoints_are_those_of_the_last_step(row: str) -> None:
    """Methods, addresses, bodies and tokens, as Django has them."""
    assert f"| {row}" in made("@endpoints")


@DJANGO_IS_ASKED
def test_settings_are_those_of_the_last_step() -> None:
    """Each variable with its default, what production demands, and what Render gives."""
    text = made("@settings")

    assert "| `DEBUG` | `true` | set it to `false` | `false` | step 0 |" in text
    since = f"step {course.step('operations').number}"
    assert f"| `METRICS_TOKEN` | none | optional | generated | {since} |" in text
    assert "| `REDIS_URL` | none | Needed. With DEBUG off, set it to the URL of" in text
    assert "| from `numeneon-database` | step 0 |" in text
    assert "| generated |" in text


def test_commands_are_those_of_the_command_line() -> None:
    """Every command and every option."""
    text = made("@commands")

    assert [f"## `{name}`" in text for name in cli.COMMANDS] == [True] * len(cli.COMMANDS)
    assert "`--json FILE`" in text and "`[PATH...]`" in text and "`STEP`" in text


def test_all_checks_are_listed() -> None:
    """Every item, with the section that explains it."""
    text = made("@checks")

    for step in STEPS:
        for item in items_of(step.number):
            page, _, anchor = item.docs.partition("/#")
            assert f"| `{item.id}` | " in text
            assert f"(../{page}.md#{anchor})" in text


def test_acronyms_are_explained(tmp_path: Path) -> None:
    """Only those that the page has, by the first sentence of the glossary."""
    file = tmp_path / "glossary.md"
    file.write_text(
        "# Glossary\n\n## ASGI { #a }\n\nOne. Two.\n\n## Group\n\nThree.\n", "utf-8"
    )

    assert definitions("about ASGI and a group", file) == ["*[ASGI]: One."]
    assert definitions("about WASGIX", file) == []
    assert definitions("about ASGI", tmp_path / "none.md") == []


# Comparing two steps


@pytest.fixture(scope="module")
def compared() -> str:
    """The page of all differences."""
    return made("@compare")


@pytest.mark.xdist_group("compared")
@pytest.mark.parametrize("number", range(1, len(STEPS)))
def test_neighbours_can_be_patched(number: int, compared: str, tmp_path: Path) -> None:
    """What the page has of two neighbours turns the one step into the other."""
    a, b = STEPS[number - 1], STEPS[number]
    pair = compared.partition(f'<details id="{compare.anchor(a, b)}"')[2].partition(
        "</details>"
    )
    blocks = re.findall(r"<pre><code>(.*?)</code></pre>", pair[0], re.DOTALL)
    patch = "".join(html.unescape(re.sub(r"</?span[^>]*>", "", block)) for block in blocks)
    tests = compare.beginnings((a, b))["tests"][compare.anchor(a, b)]
    patch += "".join(f"{diff}\n" for diff in tests)
    copy_tree(a.folder, tmp_path / "project")

    subprocess.run(
        ["git", "apply", "--unidiff-zero", "-"],
        input=patch.encode(),
        cwd=tmp_path / "project",
        check=True,
        env=os.environ | {"GIT_CEILING_DIRECTORIES": str(tmp_path)},
    )

    for path in files_of(b.folder):
        wanted = (b.folder / path).read_bytes()
        if not differences.is_readme(path) and wanted:
            assert (tmp_path / "project" / path).read_bytes() == wanted, path


def test_diffs_begin_with_the_first_step() -> None:
    """Every file that changes later, as it is after step 0; no other file is there."""
    data = compare.beginnings(STEPS)
    first = {path: lines for path, _, lines in data["files"]}
    paths = {path for step in STEPS for path in files_of(step.folder)} - {"README.md"}
    changing = {
        path for path in paths if len({differences.text_of(s, path) for s in STEPS}) > 1
    }

    assert set(first) == changing
    for path, lines in first.items():
        text = differences.text_of(STEPS[0], path)
        assert lines == (None if text is None else text.splitlines()), path


@pytest.mark.xdist_group("compared")
def test_tests_are_compared_last(compared: str) -> None:
    """What the script unpacks has all that it needs, and can end no script element."""
    data = re.search(r'<script type="application/octet-stream">([^<]*)</script>', compared)
    assert data is not None
    unpacked = json.loads(zlib.decompress(base64.b64decode(data[1])))
    tests = [is_test for _, is_test, _ in unpacked["files"]]

    assert tests == sorted(tests)
    assert unpacked == compare.beginnings(STEPS)
    assert "\n\n" not in compared.strip()


def test_listing_knows_its_change() -> None:
    """For whoever plays a page: the lines, what is new in them, what they replace."""
    shown = listings.listing(
        {
            "step": "04-emit-events",
            "path": "backend/posts/services.py",
            "symbol": "create_post",
        }
    )

    assert len(shown.new_lines) == 4
    assert len(shown.old_lines) == 2
    assert shown.lines[0] == "def create_post(*, author, content):"
