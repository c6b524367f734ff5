"""For terminals that know only ASCII: every other character becomes one that they know, and is as wide as before.

It happens once, where everything that is drawn leaves for the terminal (`terminal.AsciiDriver`), and nowhere else knows
of it. What has no likeness in ASCII becomes ``?``, one for each cell it takes.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from rich.cells import cell_len

_LIKENESS = str.maketrans(
    {
        **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋╔╗╚╝╠╣╦╩╬", "+"),
        **dict.fromkeys("─╌┄╴╶–—‐‑−▔▀·•", "-"),
        **dict.fromkeys("━═", "="),
        **dict.fromkeys("│┃║╎▏▎▍▌▐▕‖", "|"),
        **dict.fromkeys("▋▊▉█", "#"),
        **dict(zip("▁▂▃▄▅▆▇", "_.:-=+*", strict=True)),
        **dict.fromkeys("▸▶→›", ">"),
        **dict.fromkeys("◂◀←‹", "<"),
        **dict.fromkeys("▾▼↓", "v"),
        **dict.fromkeys("▴▲↑", "^"),
        **dict(zip("●○◐✗✓×µμ␣…≤≥", "*o@xvxuu_~<>", strict=True)),
        **dict.fromkeys("“”„", '"'),
        **dict.fromkeys("‘’‚", "'"),
        "\u00a0": " ",
        "🔎": "> ",
    }
)

#: What is not ASCII, and the character it may be joined with.
_FOREIGN = re.compile(r"([ -~]?)([^\x00-\x7e]+)")


def to_ascii(text: str) -> str:
    """Return text in which every character is in ASCII, and that takes as many cells as before."""
    return text if text.isascii() else _FOREIGN.sub(_likeness, text)


def _likeness(found: re.Match[str]) -> str:
    return _replaced(found[1], found[2])


@lru_cache(4096)
def _replaced(before: str, foreign: str) -> str:
    width = cell_len(before + foreign) - len(before)
    like = "".join(
        character if character.isascii() else "?" * cell_len(character) for character in foreign.translate(_LIKENESS)
    )
    return before + like[:width].ljust(width, "?")


def is_needed(environment: Mapping[str, str], encoding: str) -> bool:
    """Return whether a terminal is not said to know UTF-8.

    What decides is the first of LC_ALL, LC_CTYPE and LANG in the environment that says something, as everywhere in
    POSIX; but where none does, as in most containers, UTF-8 is expected. In the C locale Python sets LC_CTYPE itself,
    to UTF-8: so that is no word of the user's. Where the encoding in which Python writes to the terminal is another
    one, no character of UTF-8 can arrive there anyway.
    """
    if _normal(encoding) != "utf8":
        return True
    names = ["LC_ALL", "LC_CTYPE", "LANG"]
    said = {name: environment[name] for name in names if environment.get(name)}
    if said.get("LC_CTYPE") in {"C.UTF-8", "C.utf8", "UTF-8"}:
        del said["LC_CTYPE"]
    locale = next(iter(said.values()), "")
    charset = locale.partition("@")[0].partition(".")[2]
    return locale in {"C", "POSIX"} or (bool(charset) and _normal(charset) != "utf8")


def _normal(encoding: str) -> str:
    return encoding.lower().replace("-", "").replace("_", "")
