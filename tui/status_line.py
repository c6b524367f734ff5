"""A line on the terminal that says how far something is, in the place of the last one."""

import sys


class StatusLine:
    """Shows how far something is on stderr; nothing where that is no terminal."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Show a text in the place of the last one."""
        self._write(text)

    def say(self, text: str) -> None:
        """Say something that stays, above the line."""
        self._write(f"{text}\n")

    def wipe(self) -> None:
        """Leave the line as it was."""
        self._write("")

    def _write(self, text: str) -> None:
        if not self._shows:
            return
        try:
            print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
        except OSError:
            self._shows = False  # the terminal is closed, which is no reason to fail
