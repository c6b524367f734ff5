"""The palette: Textual's own, with our patience for a slow terminal and for fast fingers."""

from textual.command import CommandList, CommandPalette
from textual.theme import ThemeProvider

from .frames import Patience


class PatientPalette(CommandPalette, Patience):
    """Every action by name."""

    def _watch__list_visible(self) -> None:
        # What was still being searched for when the palette was left comes to nothing; Textual looks for its list.
        if self.query(CommandList):
            super()._watch__list_visible()


def themes() -> PatientPalette:
    """Return a palette of the themes."""
    return PatientPalette(providers=[ThemeProvider], placeholder="Search for themes…")
