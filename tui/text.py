"""The border: everything from outside that becomes visible text passes here, once.

A peer may send anything, and a terminal obeys what it is sent: ESC and OSC sequences, C1 controls, bidi overrides.
So whatever is not printable is shown escaped. The result is plain text: it is never parsed as markup.
"""

import re
from collections.abc import Iterable

#: How much of a text is repeated in an error, in characters.
REPEATED = 40

#: A path with a line number, as places of a program are written.
_PLACE = re.compile(r"(?:/[^/\s]+)*/([^/\s]+/[^/\s]+:\d+)")


def clean(text: str) -> str:
    """Return text with everything that is not printable escaped, as in ``\\x1b`` or ``\\u202e``.

    Printable is what `str.isprintable` says; a space is. The result holds no control character, no line break, no
    bidi control and no surrogate, and is the same again if it is cleaned twice.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def clean_bytes(data: bytes) -> str:
    """Return bytes as clean text: what is valid UTF-8 and printable as it is, all else escaped."""
    return clean(data.decode("utf-8", "backslashreplace"))


def shortened(text: str) -> str:
    """Return text in which every path with a line number is cut to its last two parts: ``servers/sockets.py:48``."""
    return _PLACE.sub(r"\1", text) if "/" in text else text


def quoted(text: str) -> str:
    """Return text in quotes, as an error repeats it: of what is longer than `REPEATED` only the beginning."""
    return repr(text if len(text) <= REPEATED else f"{text[: REPEATED - 1]}…")


def meant(text: str, known: Iterable[str], otherwise: str) -> str:
    """Return the hint of an error about a name that is not known: the nearest one, or `otherwise` if none is near."""
    from difflib import get_close_matches  # for errors only: it takes longer than what is right is read in

    near = get_close_matches(text[:REPEATED], list(known), 1)
    return f"do you mean {near[0]!r}?" if near else otherwise


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
