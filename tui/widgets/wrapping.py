"""Lines that are too long for a pane, over as many as it takes, the first piece of each standing alone as its label."""

import re
from collections.abc import Iterator, Sequence

from rich.cells import chop_cells

from .lines import Piece, cells

#: How far the second line of one without a label is indented.
INDENT = 2

_WORD = re.compile(r"\s*\S+|\s+$")


def wrapped(pieces: Sequence[Piece], width: int, indent: int = INDENT) -> list[Sequence[Piece]]:
    """Return a line as lines of at most `width` cells, broken between words, or within those that fit into none.

    What is too long for the first line goes on below where its label ends; without a label, indented by `indent`.
    """
    if cells("".join(text for text, _ in pieces).rstrip()) <= width:
        return [pieces]
    indent = min(_label(pieces) or indent, width // 2)
    lines: list[list[Piece]] = [[]]
    room = width
    for text, style in _words(pieces, max(width - indent, 1)):
        word = text
        if cells(word) > room and lines[-1]:
            lines.append([(" " * indent, "")])
            room = width - indent
            word = word.lstrip()
        lines[-1].append((word, style))
        room -= cells(word)
    return [*lines]


def _label(pieces: Sequence[Piece]) -> int:
    """Return how many cells its label has; 0 if it has none."""
    label = pieces[0][0]
    return cells(label) if len(pieces) > 1 and label[:1].isspace() | label[-1:].isspace() else 0


def _words(pieces: Sequence[Piece], most: int) -> Iterator[Piece]:
    """Yield the words, each with the space before it, and the first piece as it is: it may be a label."""
    for at, (text, style) in enumerate(pieces):
        for word in [text] if at == 0 and len(pieces) > 1 and cells(text) <= most else _WORD.findall(text):
            if cells(word) <= most:
                yield word, style
            else:
                yield from ((part, style) for part in chop_cells(word.lstrip(), most))
