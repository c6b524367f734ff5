"""The border: everything from outside that becomes visible text passes here, once.

A peer may send anything, and a terminal obeys what it is sent: ESC and OSC sequences, C1 controls, bidi overrides.
So whatever is not printable is shown escaped, and so is what one terminal gives more room than another: what is beside
it would be drawn elsewhere than we think, and be left over. The result is plain text: it is never parsed as markup.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from unicodedata import category

#: How much of a text is repeated in an error, in characters.
REPEATED = 40

#: A path with a line number, as places of a program are written.
_PLACE = re.compile(r"(?:/[^/\s]+)*/([^/\s]+/[^/\s]+:\d+)")


#: What is shown as it is if it is printable, with no further look: Latin, Greek, Cyrillic, punctuation, symbols, kana,
#: Chinese and Korean.
_SURE = re.compile(
    "[ -~\u00a1-\u02ff\u0370-\u0482\u048a-\u052f\u2010-\u2027\u2030-\u205e\u2070-\u20cf\u2100-\u262f\u2638-\u2689"
    "\u2690-\u2bff\u3001-\u3029\u3041-\u3096\u30a0-\u30ff\u4e00-\u9fff\uac00-\ud7a3]*"
)

#: What terminals do not give the same room, beside the marks that take some (Mc), measured as Rich counts cells, and
#: glibc's ``wcwidth`` does: the trigrams and others that have become wide in Unicode 16, Hangul's fillers, variation
#: selectors, and what makes one emoji of two.
_UNSURE = re.compile(
    "[\u2630-\u2637\u268a-\u268f\u3164\u3248-\u324f\ufe00-\ufe0f\uffa0\U0001d300-\U0001d376\U0001f1e6-\U0001f1ff"
    "\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]"
)


def clean(text: str) -> str:
    """Return text with everything escaped that is not printable, or of no sure width, as in ``\\x1b`` or ``\\ufe0f``.

    Printable is what `str.isprintable` says; a space is. The result holds no control character, no line break, no
    bidi control and no surrogate, and is the same again if it is cleaned twice.
    """
    if text.isprintable() and (text.isascii() or _SURE.fullmatch(text)):
        return text
    return "".join(map(_shown, text))


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


@lru_cache(maxsize=4096)
def _shown(character: str) -> str:
    """Return a character, escaped if it has to be."""
    if character.isprintable() and category(character) != "Mc" and not _UNSURE.match(character):
        return character
    return character.encode("unicode_escape").decode("ascii")
