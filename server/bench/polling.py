"""Which descriptors are ready, by epoll or kqueue and without the bookkeeping of ``selectors``."""

import contextlib
import select
import sys
from collections.abc import Callable

from .calling import IN, OUT


class Poller:
    """Waits for connections, as the traffic wants it."""

    def __init__(self) -> None:
        if sys.platform == "linux":
            epoll = select.epoll()
            self.ready: Callable[[float], list[tuple[int, int]]] = epoll.poll
            """Return who is ready, with what, after so many seconds at most: whole milliseconds, rounded up."""
            self._modify: Callable[[int, int], object] = epoll.modify
            self.add: Callable[[int], object] = lambda fd: epoll.register(fd, IN)
            self.remove: Callable[[int], object] = epoll.unregister
            self._descriptor = epoll
        else:  # pragma: no cover - looked at on macOS
            kqueue = select.kqueue()

            def change(fd: int, kind: int, action: int) -> None:
                kqueue.control([select.kevent(fd, kind, action)], 0)

            def ready(seconds: float) -> list[tuple[int, int]]:
                found = kqueue.control(None, 1024, seconds)
                return [(event.ident, OUT if event.filter == select.KQ_FILTER_WRITE else IN) for event in found]

            def modify(fd: int, wanted: int) -> None:
                with contextlib.suppress(FileNotFoundError):
                    change(fd, select.KQ_FILTER_WRITE, select.KQ_EV_ADD if wanted & OUT else select.KQ_EV_DELETE)

            self.ready = ready
            self._modify = modify
            self.add = lambda fd: change(fd, select.KQ_FILTER_READ, select.KQ_EV_ADD)
            self.remove = lambda fd: change(fd, select.KQ_FILTER_READ, select.KQ_EV_DELETE)
            self._descriptor = kqueue

    def want_room(self, fd: int, wanted: bool) -> None:  # noqa: FBT001 - read aloud it is clear
        """Say whether this descriptor is also ready when it can be written to."""
        self._modify(fd, IN | OUT if wanted else IN)

    def wait(self, seconds: float) -> None:
        """Return when something is ready, or after this long. epoll itself knows only whole milliseconds."""
        select.select([self._descriptor], [], [], seconds)
