"""The views by their keys, each read and made when it is first asked for: the app starts with one of them."""

from collections.abc import Callable, Iterator, Mapping

from ..picture import Picture
from .view import VIEWS, View


def _loop(picture: Picture) -> View:
    from .loop import LoopView

    return LoopView(picture)


def _tasks(picture: Picture) -> View:
    from .tasks import TasksView

    return TasksView(picture)


def _faults(picture: Picture) -> View:
    from .faults import FaultsView

    return FaultsView(picture)


def _shutdown(picture: Picture) -> View:
    from .shutdown import ShutdownView

    return ShutdownView(picture)


def _problems(picture: Picture) -> View:
    from .problems import ProblemsView

    return ProblemsView(picture)


_MAKERS: dict[str, Callable[[Picture], View]] = {
    "Loop": _loop,
    "Tasks": _tasks,
    "Faults": _faults,
    "Shutdown": _shutdown,
    "Problems": _problems,
}


class Shelf(Mapping[str, View]):
    """All views. Whoever goes through their values makes those that are not made yet.

    Args:
        first: the one that is there from the beginning.
        picture: what the others draw.
    """

    def __init__(self, first: View, picture: Picture) -> None:
        self._picture = picture
        self.made: dict[str, View] = {key: first for key, name in VIEWS.items() if name == first.name_}
        """Those that are made."""

    def __getitem__(self, key: str) -> View:
        if key not in self.made:
            self.made[key] = _MAKERS[VIEWS[key]](self._picture)
        return self.made[key]

    def __iter__(self) -> Iterator[str]:
        return iter(VIEWS)

    def __len__(self) -> int:
        return len(VIEWS)
