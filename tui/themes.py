"""The themes there are. They are Textual's own, so this is the door to it for who only asks for their names."""

from difflib import get_close_matches

from textual.theme import BUILTIN_THEMES

from .text import REPEATED, quoted

#: Their names.
THEMES = tuple(sorted(BUILTIN_THEMES))


def why_not(name: str) -> str | None:
    """Return why there is no theme of this name, and which there are; None where there is one."""
    if name in THEMES:
        return None
    near = get_close_matches(name[:REPEATED], THEMES, 1)
    hint = f"do you mean {near[0]!r}?" if near else f"choose from {', '.join(THEMES)}"
    return f"there is no theme {quoted(name)}: {hint}"
