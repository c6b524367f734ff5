"""The themes there are. They are Textual's own, so this is the door to it for who only asks for their names."""

from textual.theme import BUILTIN_THEMES

from .text import meant, quoted

#: Their names.
THEMES = tuple(sorted(BUILTIN_THEMES))


def why_not(name: str) -> str | None:
    """Return why there is no theme of this name, and which there are; None where there is one."""
    if name in THEMES:
        return None
    hint = meant(name, THEMES, f"choose from {', '.join(THEMES)}")
    return f"there is no theme {quoted(name)}: {hint}"
