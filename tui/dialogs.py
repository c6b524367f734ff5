"""Questions and help, on top of a view."""

import signal
from collections.abc import Collection, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.geometry import Size
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from echotui.server.records import ServerState

from .dialog import Dialog, closing
from .widgets.detail import Detail
from .widgets.glossary import glossary
from .widgets.lines import Piece
from .widgets.wrapping import wrapped

#: How wide the column of keys in the help is, in cells.
KEY = 11

#: What is said below the keys of every view.
NOTES = """\
lag        how long the loop let wait what was ready, at worst, in the last second: its longest turn; on uvloop, whose
           turns cannot be seen, how late a timer came, which is up to 50 ms less
painting   share of the last second that went into drawing this screen, and how often it was drawn: ten times a
           second while something happens, and at once after a key; while the loop is busy, and nobody presses a key,
           once in two seconds or so, a line at a time

A filter is words, field:value, field=value (the whole of it), !not, and "several words" in quotes.
A word is looked for in what the rows show; a field finds what is named, shown or not.
A field that does not exist is answered with those that do.
"""

_SIGNALS = {
    signal.SIGINT: "what ctrl+c sends in a shell",
    signal.SIGTERM: "what kill, systemd and docker stop send",
    signal.SIGHUP: "what a closing terminal window sends",
}


class AskSignal(Dialog[signal.Signals | None]):
    """Asks which signal to send. None: no signal.

    Args:
        drain: how long open connections may finish, in seconds.
        restart: the key that starts the servers again.
        states: what the servers do just now.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        closing("escape", "dismiss(None)"),
        closing("app.quit", "dismiss(None)"),
    ]

    def __init__(self, drain: float, restart: str, states: Collection[ServerState]) -> None:
        super().__init__()
        self._states = set(states)
        self._drain = drain
        self._restart = restart

    def compose(self) -> ComposeResult:
        """Ask."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Send a signal to this process"
            yield Static(
                f"It is really sent. {self._effect()} This screen stays; {self._restart} starts the servers again.",
                markup=False,
            )
            yield OptionList(
                Option("send nothing", id="none"),
                *(Option(f"{number.name}: {what}", id=number.name) for number, what in _SIGNALS.items()),
            )

    def _effect(self) -> str:
        if self._states <= {ServerState.STOPPED, ServerState.FAILED}:
            return "All servers are stopped already: it arrives, and ends nothing."
        if ServerState.DRAINING in self._states:
            return "The servers are stopping already: another signal ends at once what is still open."
        return f"The servers stop accepting, open connections have {self._drain:g} s to finish, the rest is ended."

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer."""
        self.dismiss(None if event.option.id == "none" else signal.Signals[str(event.option.id)])


class HelpText(Detail):
    """Keys and what each does, and notes below: one widget, however many there are.

    Two widgets a key are a hundred to be styled and laid out, several times each: that blocked the loop for a tenth of
    a second and more.
    """

    def __init__(self, keys: Sequence[tuple[str, str]], notes: str) -> None:
        super().__init__(id="help-text")
        self._keys = keys
        self._notes = notes
        self.add_class("dialog")

    def subject(self) -> str:
        """Return what it is about: always the same."""
        return self.title()

    def title(self) -> str:
        """Return what it is."""
        return "Help"

    def label(self, title: str, subtitle: str = "") -> None:
        """Say in the frame what goes back as well."""
        super().label(title, " · ".join(part for part in (subtitle, "esc goes back") if part))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's
        """Return how many lines there are."""
        return sum(len(wrapped(line, width)) for line in self.said(width))

    def said(self, width: int) -> list[list[Piece]]:  # noqa: ARG002 - what is too long is wrapped
        """Return the keys in a column beside what they do, and the notes."""
        keys: list[list[Piece]] = [[(f"{key:>{KEY}}  ", "accent"), (what, "")] for key, what in self._keys]
        return [*keys, [("", "")], *glossary(self._notes)]


class Help(Dialog[None]):
    """The keys of a view, and what its numbers mean, and those in the header of all views."""

    BINDINGS: ClassVar[list[BindingType]] = [
        closing("escape", "dismiss"),
        # The keys that leave, and that opened it, whatever they are: with their ids they follow the user's keymap.
        closing("app.quit", "dismiss"),
        closing("app.help", "dismiss"),
    ]

    def __init__(self, keys: list[tuple[str, str]], notes: str) -> None:
        super().__init__()
        self._text = HelpText(keys, f"{notes}\n{NOTES}")

    def compose(self) -> ComposeResult:
        """Show."""
        yield self._text
