"""The question how, and where, to save what is on the screen; and the answer, written on a thread."""

import asyncio
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from .dialog import Dialog
from .shots import Shot, save
from .text import clean

_CHOICES = {"txt": ("plain text", "{}.txt"), "svg": ("a picture", "{}.svg"), "txt svg": ("both", "")}


class SaveForm(Dialog[list[Path] | None]):
    """Saves a shot. Answers with the files; None if none was to be written."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Save nothing")]

    #: Where the last one was saved; until then where the program was started.
    folder: ClassVar[str | None] = None

    def __init__(self, shot: Shot) -> None:
        super().__init__()
        self._shot = shot
        self._saving = False

    def compose(self) -> ComposeResult:
        """Ask."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Save what is on the screen"
            dialog.border_subtitle = "enter saves, tab changes the folder, esc leaves"
            with Horizontal():
                yield Label("folder ")
                yield Input(self.folder or _here(), id="folder", compact=True)
            yield OptionList(
                *(
                    Option(Content(f"{what:<12}{file.format(self._shot.name)}"), id=kinds)
                    for kinds, (what, file) in _CHOICES.items()
                )
            )
            yield Static(id="save-wrong", markup=False)

    def first(self) -> Widget:
        """Begin with what it is saved as."""
        return self.query_one(OptionList)

    @on(Input.Submitted, "#folder")
    def go_on(self) -> None:
        """Ask what to save it as."""
        self.set_focus(self.query_one(OptionList))

    @on(OptionList.OptionSelected)
    def write(self, chosen: OptionList.OptionSelected) -> None:
        """Write it."""
        if not self._saving:
            self._saving = True
            self.run_worker(self._write(str(chosen.option.id).split()), name="save")

    async def _write(self, kinds: list[str]) -> None:
        """Write it on a thread; where that fails, say why, and ask again."""
        folder = self.query_one("#folder", Input).value
        try:
            written = await asyncio.to_thread(save, self._shot, folder, *kinds)
        except (OSError, ValueError) as error:
            self._saving = False
            what = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else str(error)
            why = f"not saved: {what}"
            self.query_one("#save-wrong", Static).update(Content(clean(why)))
            return
        SaveForm.folder = folder
        self.dismiss(written)


def _here() -> str:
    """Return where the program was started, as it can be typed; the folder itself may be gone, or be called oddly."""
    try:
        here = str(Path.cwd())
    except OSError:
        return "~"
    return here if clean(here) == here else "."
