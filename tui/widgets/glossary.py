"""Words and what they mean, below each other: each meaning beside its word, however wide it is.

It is one widget for all of them: a widget for each would make the help slow to open.
"""

import re
from collections.abc import Iterator

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from .lines import Piece
from .wrapping import wrapped

#: A word, two spaces or more, and what it means.
_ENTRY = re.compile(r"(\S.*?) {2,}(\S.*)")

#: How wide the words are, with the space behind them.
WORD = 13


class Glossary(Widget):
    """Draws notes.

    Args:
        notes: lines of clean text. A word with two spaces behind it is explained by what follows, and by the indented
            lines below; other lines are paragraphs, which end with an empty line.
    """

    DEFAULT_CSS = """
    Glossary { height: auto; }
    """

    def __init__(self, notes: str) -> None:
        super().__init__(classes="notes")
        self._entries = [*entries(notes)]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's
        """Return how many lines it takes in so many cells."""
        return len(self.lines(width))

    def render(self) -> Content:
        """Return all of it, for the width it has."""
        return Content("\n").join(
            Content.assemble(*((text, "$foreground 60%" if name == "dim" else "") for text, name in line))
            for line in self.lines(self.content_size.width)
        )

    def lines(self, width: int) -> list[list[Piece]]:
        """Return its lines in so many cells, with an empty one before a paragraph."""
        lines: list[list[Piece]] = []
        for word, text in self._entries:
            if not word and lines:
                lines.append([("", "")])
            pieces = [(f"{word:<{WORD}}", "dim"), (text, "")] if word else [(text, "")]
            lines += [[*line] for line in wrapped(pieces, max(width, WORD + 1), 0)]
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
