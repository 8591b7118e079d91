"""Where texts are in the source of settings."""

import ast

from checks.harness.settings_files import _segment


def test_segment_is_the_one_that_python_finds():
    """In a line with letters of several bytes, and over several lines."""
    source = 'A = ["größe", "b"]\nB = (\n    "ü" "c"\n    "d",\n)\nC = """e\n  ñ"""\n'
    texts = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]

    assert len(texts) == 4
    for node in texts:
        assert _segment(source.split("\n"), node) == ast.get_source_segment(source, node)
