"""Keys that come faster than Textual gets round to them. Any of these ended the app; found by pressing random ones.

Whoever types fast, or at a loop that has much to do, presses a key at what is on the screen: a question that has been
answered already, a list that is not laid out yet.
"""

from typing import Any

from textual.await_complete import AwaitComplete
from textual.screen import Screen
from textual.widgets import OptionList


class AnsweredOnce(Screen[Any]):
    """A screen that can be dismissed once: enter twice is one answer.

    Textual 8.2.8 calls back again for a second answer, and takes whatever is on top from the stack then.
    """

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Leave with this result; do nothing if it has been left."""
        return super().dismiss(result) if self.is_active else AwaitComplete()


def _page_if_laid_out(options: OptionList, direction: Any) -> None:
    """Move by a page, if it is known how long a page is: a list that was never seen raises KeyError otherwise."""
    if options.scrollable_content_region:
        _move_page(options, direction)


# In the class itself: the lists of palettes and selects are made by Textual.
_move_page = OptionList._move_page  # noqa: SLF001
OptionList._move_page = _page_if_laid_out  # type: ignore[assignment, method-assign]  # noqa: SLF001
