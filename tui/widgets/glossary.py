"""Words and what they mean, below each other: each meaning beside its word, however wide it is."""

import re
from collections.abc import Iterator

from .lines import Piece

#: A word, two spaces or more, and what it means.
_ENTRY = re.compile(r"(\S.*?) {2,}(\S.*)")

#: How wide the words are, with the space behind them.
WORD = 13


def glossary(notes: str) -> list[list[Piece]]:
    """Return notes as lines of a word and its meaning, however long, with an empty one before a paragraph.

    Args:
        notes: lines of clean text. A word with two spaces behind it is explained by what follows, and by the indented
            lines below; other lines are paragraphs, which end with an empty line.
    """
    lines: list[list[Piece]] = []
    for word, text in entries(notes):
        if not word and lines:
            lines.append([("", "")])
        lines.append([(f"{word:<{WORD}}", "dim"), (text, "")] if word else [(text, "")])
    return lines


def entries(notes: str) -> Iterator[tuple[str, str]]:
    """Yield each word with what it means, and each paragraph without a word."""
    word, text = "", ""
    for line in [*notes.split("\n"), ""]:
        entry = None if line.startswith(" ") else _ENTRY.fullmatch(line)
        if text and (entry is not None or not line.strip() or (word and not line.startswith(" "))):
            yield word, text
            word, text = "", ""
        if entry is not None:
            word, text = entry.groups()
        else:
            text = f"{text} {line.strip()}".strip()
