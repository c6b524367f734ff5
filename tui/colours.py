"""Which colours there are: all, the sixteen of the terminal, or none."""

from typing import Any

from textual.app import App

#: A theme made of the terminal's own colours: on its background, in its shades, whatever the user has made of them.
OF_THE_TERMINAL = "ansi-dark"


def fit_colours(app: App[Any]) -> None:
    """Use the terminal's own colours where it has no more than sixteen, or none are wanted (NO_COLOR)."""
    if app.native_ansi_color or app.console.color_system in {None, "standard"}:
        app.theme = OF_THE_TERMINAL
