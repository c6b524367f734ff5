"""The palette: Textual's own, with our patience for a slow terminal and for fast fingers."""

from textual.await_complete import AwaitComplete
from textual.command import CommandList, CommandPalette
from textual.theme import ThemeProvider

from .frames import Patience


class PatientPalette(CommandPalette, Patience):
    """Every action by name."""

    _left = False

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Leave, and let go of what is still searched for or counted down to: Textual would look for its list then."""
        self._left = True
        self._cancel_gather_commands()
        self._stop_no_matches_countdown()
        self._stop_busy_countdown()
        return super().dismiss(result)

    def _start_no_matches_countdown(self, search_value: str) -> None:
        # A search that has found nothing just before it was let go of counts no more.
        if not self._left:
            super()._start_no_matches_countdown(search_value)

    def _watch__list_visible(self) -> None:
        # A search that has found something just before it was let go of comes to nothing, too.
        if self.query(CommandList):
            super()._watch__list_visible()


def themes() -> PatientPalette:
    """Return a palette of the themes."""
    return PatientPalette(providers=[ThemeProvider], placeholder="Search for themes…")
