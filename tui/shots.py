"""What is on the screen, kept in files: as a picture (SVG), and as plain text.

A shot is taken at once, so that it is what one saw when the key was pressed; the work, and the disk, wait for a thread.
Text on the screen was cleaned before it was drawn, and stays as it is.
"""

import contextlib
import io
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from textual.app import App

#: How many files with the same name and time are told apart by a number.
MOST_OF_A_NAME = 100


class Shot:
    """What was on the screen at one moment.

    Args:
        app: whose screen, with everything on it.
        name: what it is called, a word that can be part of a file's name.
    """

    def __init__(self, app: App[Any], name: str) -> None:
        self.name = f"echotui-{name.lower()}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
        """How its files are called, without what they end in."""
        width, height = app.size
        self._console = Console(
            width=width,
            height=height,
            file=io.StringIO(),
            force_terminal=True,
            color_system="truecolor",
            record=True,
            legacy_windows=False,
            safe_box=False,
        )
        # As `App.export_screenshot` does, but what it makes of this takes long, and makes no plain text.
        self._console.print(app.screen._compositor.render_update(full=True))  # noqa: SLF001 - see above

    def text(self) -> str:
        """Return it as lines of plain text."""
        lines = self._console.export_text(clear=False).splitlines()
        return "".join(f"{line.rstrip()}\n" for line in lines)

    def picture(self) -> str:
        """Return it as SVG."""
        return self._console.export_svg(title=self.name, clear=False)

    @property
    def kinds(self) -> dict[str, Callable[[], str]]:
        """What it can be saved as, by what the file's name ends in."""
        return {"txt": self.text, "svg": self.picture}


def save(shot: Shot, folder: str, *kinds: str) -> list[Path]:
    """Write a shot into a folder in these kinds, ``txt`` or ``svg``; return the files.

    No file is ever overwritten: where there is one of that name, the new one has a number. What could be written only
    in part is removed again. It blocks: call it on a thread. A ``~`` in front of the folder is one's home.

    Raises:
        OSError: if a file cannot be written, with the file's name in it.
    """
    return [_write(_expanded(folder), shot.name, kind, shot.kinds[kind]()) for kind in kinds]


def _expanded(folder: str) -> Path:
    try:
        return Path(folder).expanduser()
    except RuntimeError:
        raise FileNotFoundError(2, "there is no such home", folder) from None


def _write(folder: Path, name: str, kind: str, text: str) -> Path:
    for number in range(1, MOST_OF_A_NAME + 1):
        path = folder / f"{name}{'' if number == 1 else f'-{number}'}.{kind}"
        try:
            file = path.open("x", encoding="utf-8")
        except FileExistsError:
            continue
        try:
            with file:
                file.write(text)
        except OSError as error:
            with contextlib.suppress(OSError):
                path.unlink()
            raise OSError(error.errno, error.strerror, str(path)) from None
        return path
    raise FileExistsError(17, "there are too many files of this name already", str(folder / f"{name}.{kind}"))
