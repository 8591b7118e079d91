"""Finds a named piece of a file: a symbol of Python code, or a region of any text.

A region is one of

- a dotted path of keys in YAML, TOML and INI files: `services.web.envVars`, where an item of
  a list goes by its number or by its `name`, `key` or `type`;
- `# Title`, a section of a file that is divided by such comments;
- `START..END`, from the one line that begins with START to the next that begins with END; if
  several lines begin with START, from the one that has an END before the next of them;
- `START..`, that line with all that belongs to it, up to the bracket that closes it.

Ranges are pairs of line indexes, counted from 0, the second one behind the last line.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

import yaml

from course import source

IMPORTS = "<imports>"
HEAD = ".<head>"
_NAMES = ("name", "key", "type")
_SECTION = re.compile(r"^# [A-Z]")
_TABLE = re.compile(r"^\[+([^\]]+)\]+\s*$")
_CLOSING = ("}", ")", "]")  # the line that ends a block of JavaScript belongs to it

Range = tuple[int, int]


class NotFound(LookupError):
    """Nothing of that name, or more than one; the text says what there is."""


# Symbols of Python


@functools.lru_cache(maxsize=8192)
def symbol(text: str, name: str) -> Range:
    """The lines of a symbol: a function, class, method or assigned name with the comments
    right above it; `<imports>`, all down to the last import at the top level; `X.<head>`,
    a class down to its first method. Raises NotFound, SyntaxError."""
    tree = source.parse(text)
    lines = text.splitlines(keepends=True)
    if name == IMPORTS:
        return _imports(tree)
    # The names and ranges are those of checks.source, which the hints use as well.
    found = dict(source.definitions(tree))
    plain = name.removesuffix(HEAD)
    if plain not in found:
        raise NotFound(f"no symbol {name!r}; there are: {', '.join(symbols(text))}")
    first, last = source.lines_of(found[plain], lines)
    node = found[plain]
    if plain == name:
        return first, last
    if not isinstance(node, ast.ClassDef):
        raise NotFound(f"{plain!r} is not a class, so it has no {HEAD[1:]}")
    return first, _behind_head(node, lines, last)


def symbols(text: str) -> list[str]:
    """The names that symbol() knows in a Python text, in its order."""
    tree = source.parse(text)
    names: list[str] = []
    if any(isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body):
        names.append(IMPORTS)
    for name, node in dict(source.definitions(tree)).items():
        names.append(name)
        if isinstance(node, ast.ClassDef):
            names.append(name + HEAD)
    return names


@functools.lru_cache(maxsize=8192)
def around(text: str, number: int) -> str:
    """The innermost symbol of a Python text that a line is in, "" for none."""
    inside = [
        (last - first, name)
        for name in symbols(text)
        if name != IMPORTS and not name.endswith(HEAD)
        for first, last in [symbol(text, name)]
        if first <= number < last
    ]
    return min(inside)[1] if inside else ""


def _imports(tree: ast.Module) -> Range:
    ends = [
        node.end_lineno or node.lineno
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    if not ends:
        raise NotFound("there are no imports")
    return 0, max(ends)


def _behind_head(node: ast.ClassDef, lines: Sequence[str], last: int) -> int:
    """The index behind a class's docstring and attributes, where its methods begin."""
    inner = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    for part in node.body:
        if isinstance(part, inner):
            return _without_blank_end(lines, source.lines_of(part, list(lines))[0])
    return last


# Regions of any text


def region(text: str, path: str, name: str) -> Range:
    """The lines of a region; how it is found depends on the name and the kind of file.

    Raises NotFound, which lists what there is.
    """
    lines = text.splitlines()
    if ".." in name:
        return _between(text, lines, path, name)
    if _SECTION.match(name):
        return _section(lines, name)
    kind = PurePosixPath(path).suffix
    finders: dict[str, Callable[[str, str], Range]] = {
        ".yaml": _yaml,
        ".yml": _yaml,
        ".toml": _table,
        ".ini": _table,
        ".cfg": _table,
    }
    if kind not in finders:
        wanted = "START..END, START.. or '# Title'"
        raise NotFound(f"no region {name!r}: in a {kind or 'plain'} file it is {wanted}")
    return finders[kind](text, name)


def _between(text: str, lines: list[str], path: str, name: str) -> Range:
    start, _, end = name.partition("..")
    if not end.strip():
        first = _one_line(lines, start.strip(), _beginning(lines, start.strip()))
        return first, _end_of_block(text, lines, path, first)
    ends = [n for n, line in enumerate(lines) if line.strip().startswith(end.strip())]
    first = _one_line(lines, start.strip(), _closed(_beginning(lines, start.strip()), ends))
    for number in ends:
        if number >= first:
            return first, number + 1
    raise NotFound(f"no line begins with {end.strip()!r} after line {first + 1}")


def _beginning(lines: Sequence[str], start: str) -> list[int]:
    """The indexes of the lines that equal `start`, or else of those that begin with it."""
    texts = [line.strip() for line in lines]
    same = [number for number, line in enumerate(texts) if line == start]
    found = same or [n for n, line in enumerate(texts) if line.startswith(start)]
    return found if start else []


def _closed(starts: list[int], ends: Sequence[int]) -> list[int]:
    """Of several starts those with an end before the next start, if there are any."""
    limits = [*starts[1:], max(ends, default=0) + 1]
    closed = [
        start
        for start, limit in zip(starts, limits, strict=False)
        if any(start <= end < limit for end in ends)
    ]
    return closed or starts


def _one_line(lines: Sequence[str], start: str, found: Sequence[int]) -> int:
    """The only one of the lines that were found for `start`. Raises NotFound."""
    if len(found) == 1:
        return found[0]
    if found:
        places = ", ".join(str(number + 1) for number in found)
        raise NotFound(f"several lines begin with {start!r}: {places}")
    known = ", ".join(repr(line.strip()) for line in lines if line.strip())
    raise NotFound(f"no line begins with {start!r}; there are: {known}")


def _end_of_block(text: str, lines: Sequence[str], path: str, first: int) -> int:
    """The index behind all that belongs to a line: its statement, or what is indented."""
    if path.endswith(".py"):
        statements = (
            node for node in ast.walk(source.parse(text)) if isinstance(node, ast.stmt)
        )
        for node in statements:
            if node.lineno == first + 1:
                return node.end_lineno or node.lineno
    depth = _depth(lines[first])
    number = first + 1
    while number < len(lines) and (
        not lines[number].strip() or _depth(lines[number]) > depth
    ):
        number += 1
    if number < len(lines) and lines[number].strip()[:1] in _CLOSING:
        return number + 1
    return _without_blank_end(lines, number)


def _section(lines: Sequence[str], name: str) -> Range:
    """From a comment that stands alone to the next of its kind."""
    titles = list(_titles(lines))
    starts = [number for number in titles if lines[number].strip() == name]
    if len(starts) != 1:
        known = ", ".join(repr(lines[number]) for number in titles) or "none"
        raise NotFound(f"no section {name!r}, or several; there are: {known}")
    later = [number for number in titles if number > starts[0]]
    return starts[0], _without_blank_end(lines, later[0] if later else len(lines))


def _titles(lines: Sequence[str]) -> Iterator[int]:
    for number, line in enumerate(lines):
        around = [*lines[max(number - 1, 0) : number], *lines[number + 1 : number + 2]]
        if _SECTION.match(line) and not any(other.strip() for other in around):
            yield number


def _yaml(text: str, name: str) -> Range:
    """The lines of a key and its value, found by a dotted path."""
    node: yaml.Node | None = yaml.compose(text)
    start = node
    seen: list[str] = []
    for part in name.split("."):
        known = dict(_children(node)) if node else {}
        if part not in known:
            place = ".".join(seen) or "the file"
            raise NotFound(
                f"no {part!r} in {place}; there are: {', '.join(known) or 'none'}"
            )
        start, node = known[part]
        seen.append(part)
    if start is None or node is None:
        raise NotFound(f"no {name!r}")
    lines = text.splitlines()
    first, mark = start.start_mark.line, node.end_mark
    # The end of a block is where the next one begins; that of a value is on its own line.
    is_block = isinstance(node, yaml.CollectionNode) and not node.flow_style
    last = mark.line + (1 if mark.column and not is_block else 0)
    return _with_comments(lines, first), _without_blank_end(lines, max(last, first + 1))


def _children(node: yaml.Node) -> Iterator[tuple[str, tuple[yaml.Node, yaml.Node]]]:
    """Name, (where it begins, its value) of what a YAML node holds."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), (key, value)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in reversed(list(enumerate(node.value))):
            yield str(number), (item, item)
            for key, value in reversed(item.value if isinstance(item.value, list) else []):
                if isinstance(key, yaml.Node) and key.value in _NAMES:
                    yield str(value.value), (item, item)


def _table(text: str, name: str) -> Range:
    """The lines of `table` or of `table.key` in TOML and INI."""
    lines = text.splitlines()
    heads = {m[1].strip(): n for n, line in enumerate(lines) if (m := _TABLE.match(line))}
    table, _, key = (name, "", "") if name in heads else name.rpartition(".")
    if table not in heads:
        raise NotFound(f"no table {name!r}; there are: {', '.join(heads) or 'none'}")
    first = heads[table]
    last = min((n for n in heads.values() if n > first), default=len(lines))
    last = _without_blank_end(lines, last)
    if not key:
        return _with_comments(lines, first), last
    keys = {
        m[1]: n
        for n in range(first + 1, last)
        if (m := re.match(r"^([\w-]+)\s*=", lines[n]))
    }
    if key not in keys:
        raise NotFound(
            f"no key {key!r} in {table!r}; there are: {', '.join(keys) or 'none'}"
        )
    behind = min((n for n in keys.values() if n > keys[key]), default=last)
    return _with_comments(lines, keys[key]), _without_blank_end(lines, behind)


def _with_comments(lines: Sequence[str], first: int) -> int:
    """The index of the first of the comment lines right above a line."""
    depth = _depth(lines[first])
    while (
        first > 0
        and lines[first - 1].lstrip().startswith("#")
        and _depth(lines[first - 1]) == depth
    ):
        first -= 1
    return first


def _without_blank_end(lines: Sequence[str], last: int) -> int:
    """The index behind the last line before `last` that is neither blank nor a comment of
    what follows."""
    while last > 0 and not lines[last - 1].strip():
        last -= 1
    return last


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
