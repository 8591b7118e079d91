"""Plain English in everything that people read: pages, READMEs, checklists, messages.

A page that reads as translated costs its reader more than a missing one. These are the habits
that made sentences hard to read, or impossible to find with a search; each rule says what to
write instead. Rules are only for what is certain: a sentence that no rule finds may be bad too.
"""

from __future__ import annotations

import ast
import functools
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from course import ROOT
from tools.site.pages import Fence, parse

# One worker reads a file that all steps have once.
pytestmark = pytest.mark.xdist_group("english")


@dataclass(frozen=True)
class Rule:
    """What is not written, what is instead, and a sentence that shows the difference."""

    pattern: str
    advice: str
    before: str
    after: str

    def found(self, text: str) -> Iterator[tuple[int, str]]:
        """The line, counted from 0, and the words of each match, also across line ends."""
        plain, lines = _in_one_line(text)
        for match in re.finditer(self.pattern, plain):
            yield lines[plain.count(" ", 0, match.start())], match[0].strip()


@functools.lru_cache(maxsize=1)
def _in_one_line(text: str) -> tuple[str, list[int]]:
    """The words of a text, and the line of each: every rule asks for them, one by one."""
    words = [(word, n) for n, line in enumerate(text.split("\n")) for word in line.split()]
    return " ".join(word for word, _ in words), [n for _, n in words]


RULES = (
    Rule(
        r"\b(that|which|who) (is|are) none\b",
        "write 'not a ...' or 'not valid'",
        "with a token that is none",
        "with something that is not a token",
    ),
    Rule(
        r"(?<![Tt]here )(?<![Hh]ere )\b(is|was|are) no (?!longer|more|one\b|way|\w+er\b|lon)\w+",
        "write 'is not a ...'",
        "https://x is no address of a deployment",
        "https://x is not the address of a deployment; there is no file",
    ),
    Rule(
        r"\b[Ss]tands?\b(?!-| for\b| out\b| alone\b)",
        "write 'is', 'comes' or 'goes'",
        "the last pattern stands first",
        "the last pattern comes first, and ... stands for the rest",
    ),
    Rule(
        r"\b(Whoever|Whatever)\b|(?<=[:;] )(whoever|whatever)\b",
        "write 'anyone who', 'anything that' or 'everything'",
        "Whatever no pattern takes is refused.",
        "Anything that matches no pattern is refused.",
    ),
    Rule(r"\b[Mm]end(s|ed|ing)?\b", "write 'fix'", "mend that line", "fix that line"),
    Rule(
        r"\b[Kk]nock(s|ed|ing)?\b",
        "write 'connect' or 'try to connect'",
        "In another terminal, knock again:",
        "In another terminal, try to connect again:",
    ),
    Rule(r"\banew\b", "write 'again' or 'recreate'", "it is made anew", "it is recreated"),
    Rule(
        r"\ball the same\b",
        "write 'anyway'",
        "the server started all the same",
        "the server started anyway",
    ),
    Rule(
        r"\bmoves? by itself\b",
        "say what appears where: 'the message appears in bob's window'",
        "bob's window moves by itself",
        "the message appears in bob's window by itself",
    ),
    Rule(
        r"\b(calls?|quer(y|ies)|connections?|files?|Mi?B|packages?|sockets?|lines?) an? "
        r"(friend|process|person|message|user|line|socket|token)\b",
        "write 'per'",
        "one call a friend, 16 MiB a message",
        "one call per friend, a thousand requests a second",
    ),
    Rule(
        r"\bas after step\b|\binto the state (after|before)\b",
        "write 'matches the end of step N'",
        "Your project is as after step 1",
        "Your project matches the end of step 1",
    ),
    Rule(
        r"\bgo(es|ing)? on from (there|here)\b",
        "write 'continue'",
        "the same command goes on from there",
        "the same command continues there",
    ),
    Rule(
        r"\b[Tt]he way of an? \w+|\bfrom its (top|beginning) to its end\b",
        "write 'how ... works' or 'from top to bottom'",
        "The way of a connection",
        "How a connection is made, from top to bottom",
    ),
    Rule(
        r"\bpatterns? takes?\b|\bno pattern takes\b",
        "a pattern matches an address",
        "an address that no pattern takes",
        "an address that matches no pattern",
    ),
    Rule(
        r"\b([Tt]ells?|[Tt]old|[Ss]ays?|[Hh]ears?|[Kk]nown) of\b",
        "write 'about'",
        "Nobody hears of what was rolled back",
        "Nobody hears about anything that was rolled back",
    ),
    Rule(
        r"\b([Tt]okens?|[Ll]ifetimes?|[Dd]atabases?)( that)? (ends|ended|has ended|have ended)\b",
        "tokens expire",
        "A token that ended an hour ago",
        "A token that expired an hour ago",
    ),
    Rule(
        r"\bends TLS\b|\bTLS (ends|ended)\b|\btakes the TLS off\b",
        "write 'terminates TLS'",
        "Render ends TLS in front of you",
        "Render terminates TLS in front of you",
    ),
    Rule(
        r"\b(Redis|layer|database|server|network)( (is|was))? away\b",
        "write 'down'",
        "While Redis is away the API works",
        "While Redis is down the API works",
    ),
    Rule(
        r"\bwithout a word\b",
        "write 'silently' or say that nothing is logged",
        "it fails there without a word",
        "it fails there silently",
    ),
    Rule(
        r"\bwhom\b",
        "write 'the person who' or leave it out",
        "the people whom it concerns",
        "the people it concerns",
    ),
    Rule(
        r"\b(is|are) (not|no) news\b",
        "write 'sends no event'",
        "A like is no news in this course",
        "In this course a like sends no event",
    ),
    Rule(
        r"\bknows? whose (it is|they are)\b",
        "say which user, and of what",
        "a socket knows whose it is",
        "each socket belongs to a known user",
    ),
    Rule(
        r"\b(switch|switched|switches) (the environment|it|that) on\b"
        r"|\benvironment( is)? switched on\b",
        "write 'activate the virtual environment'",
        "switch the environment on in it",
        "activate the virtual environment in it",
    ),
    Rule(
        r"\b[Tt]he data (are|hold|come|have)\b",
        "'data' is singular here",
        "The data come out of the serializers",
        "The data comes from the serializers",
    ),
    Rule(
        r"\bmay not\b",
        "'may not' has two meanings: write 'must not', 'cannot' or 'might not'",
        "a layer that is down may not fail a request",
        "a layer that is down must not fail a request",
    ),
    Rule(
        r"\bneed not\b",
        "write 'do not have to'",
        "files that you need not type",
        "files that you do not have to type",
    ),
    Rule(r"\bfor ever\b", "write 'forever'", "retries for ever", "retries forever"),
    Rule(
        r"\bover night\b",
        "write 'overnight'",
        "left open over night",
        "left open overnight",
    ),
    Rule(
        r"\bsay(s|ing)? goodbye\b",
        "say what is sent: 'closes its sockets'",
        "How long may it take to say goodbye?",
        "How long may it take to shut down?",
    ),
    Rule(
        r"(?:^|[.:;,] )Were (the|it|a)\b",
        "write 'if'",
        "Were the row saved in the view, nobody would notice.",
        "If the view saved the row, nobody would notice.",
    ),
    Rule(
        r"\bthe like of\b",
        "write 'something like' or 'an equivalent of'",
        "or the like of another installer",
        "or another installer's equivalent",
    ),
)

# Words in these places come from others, or are the rules themselves.
READ = (".md", ".py", ".toml", ".yaml", ".sh", ".txt")
LEFT_OUT = ("tests/", "benchmarks/", "docs/assets/", "workshop/authoring/templates/")


def findings(file: Path) -> list[str]:
    """What the rules find in a file, each with its line and what to write."""
    text = file.read_text("utf-8")
    shown = file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else file.name
    in_project = shown.startswith(("steps/", "final/"))
    return [
        f"{shown}:{place}" for place in _found(text, file.suffix, in_project=in_project)
    ]


@functools.cache
def _found(text: str, suffix: str, *, in_project: bool) -> list[str]:
    """The same without the file's name: the steps have most of their files in common."""
    return [
        f"{line + further}: '{words}': {rule.advice}"
        for line, part in _texts(text, suffix, in_project=in_project)
        for rule in RULES
        for further, words in rule.found(part)
    ]


def _texts(text: str, suffix: str, *, in_project: bool) -> Iterator[tuple[int, str]]:
    """What people read of a file, with the line that it begins in."""
    if suffix == ".md":
        yield 1, _without_code(text)
    elif suffix == ".py":
        yield from _texts_of_module(text, messages=not in_project)
    else:
        yield 1, text


def _without_code(text: str) -> str:
    """A page with its fences and its inline code emptied, line for line."""
    lines = text.splitlines()
    for block in parse(text):
        if isinstance(block, Fence):
            lines[block.line - 1 : block.last_line] = [""] * (
                block.last_line - block.line + 1
            )
    return re.sub(r"`[^`\n]*`", "`code`", "\n".join(lines))


def _texts_of_module(text: str, *, messages: bool) -> Iterator[tuple[int, str]]:
    """The strings of a module. In a project, which pages show, docstrings and comments too."""
    tree = ast.parse(text)
    hidden = {id(node) for node in _docstrings(tree)} if messages else set()
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(words)) if id(node) not in hidden:
                yield node.lineno, words
    if not messages:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def _docstrings(tree: ast.AST) -> Iterator[ast.expr]:
    """The docstrings that only maintainers see: not those of items, which are their titles."""
    titles = {
        id(node.body[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and any(map(_is_item, node.decorator_list))
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and id(node) not in titles:
            yield node.value


def _is_item(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and "item" in ast.unparse(decorator.func)


@functools.cache
def files() -> dict[str, list[str]]:
    """Everything in Git that people read, by the two upper folders that it is in."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = {}
    for path in sorted(set(done.stdout.split("\n"))):
        if path.startswith(LEFT_OUT) or path.endswith(
            ("requirements.txt", "pyproject.toml")
        ):
            continue
        if path.endswith(READ) and (ROOT / path).is_file():
            found.setdefault("/".join(path.split("/")[:2]), []).append(path)
    return found


@pytest.mark.parametrize("folder", files())
def test_text_is_plain_english(folder: str) -> None:
    """Nothing that a rule finds is left; the message has the line and what to write."""
    found = [place for path in files()[folder] for place in findings(ROOT / path)]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.before)
def test_rule_finds_what_it_is_for(rule: Rule) -> None:
    """The sentence that was there once is found, the one that replaced it is not."""
    assert list(rule.found(rule.before))
    assert not list(rule.found(rule.after))


def test_finding_says_where_and_what(tmp_path: Path) -> None:
    """Also across the end of a line, and never in code."""
    page = tmp_path / "page.md"
    page.write_text(
        "# Page\n\nA token that\nis none. `mend`\n\n```text\nmend\n```\n", "utf-8"
    )

    found = findings(page)

    assert found == ["page.md:3: 'that is none': write 'not a ...' or 'not valid'"]
