"""What has the keys, as plain text for the clipboard."""

from typing import Protocol, runtime_checkable

from .numbers import counted

#: How much of what was copied is repeated on the screen, in characters.
REPEATED = 60


@runtime_checkable
class Copyable(Protocol):
    """A widget that can say what it shows as plain text."""

    def plain(self) -> str: ...


def text_under(widget: object) -> str:
    """Return what a widget has to copy as clean plain text; nothing if it has none."""
    return widget.plain() if isinstance(widget, Copyable) else ""


def told(text: str) -> str:
    """Return what to say of a text that was copied. Whether it arrives is up to the terminal, and it never tells."""
    first, *more = text.split("\n")
    first = first.replace("\t", "  ")
    cut = first if len(first) <= REPEATED else f"{first[: REPEATED - 1]}…"
    lines = f" and {counted(len(more), 'more line')}" if more else ""
    return f"copied: {cut}{lines}\n(if your terminal lets programs copy, with OSC 52)"
