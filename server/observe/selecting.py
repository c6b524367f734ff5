"""The selector that an observed loop of asyncio's waits with, where nobody gives it another.

It does just what `selectors.EpollSelector` does, for descriptors that are given by their numbers, in fewer calls. A
task that waits for a socket registers and unregisters it for every message, and asks before whether it is registered
already, which it is not; through the layers of the standard library, made for every kind of object, that takes longer
than everything that is noted of the task. What is saved here pays for watching.
"""

import select
import selectors
import sys
from selectors import EVENT_READ, EVENT_WRITE, SelectorKey
from typing import TYPE_CHECKING, Any

from .places import MACHINERY

_new_key = tuple.__new__


def events_of(found: int) -> int:
    """Return what epoll has found, as `selectors` says it: whatever is wrong can be read and written."""
    return (found & ~_IN and EVENT_WRITE) | (found & ~_OUT and EVENT_READ)


if sys.platform == "linux" or TYPE_CHECKING:
    _IN, _OUT = select.EPOLLIN, select.EPOLLOUT
    _MASKS = {EVENT_READ: _IN, EVENT_WRITE: _OUT, EVENT_READ | EVENT_WRITE: _IN | _OUT}

    class EpollSelector(selectors.EpollSelector):
        """epoll, in fewer calls. What is not asked for by the number of a descriptor goes the usual way."""

        _fd_to_key: dict[int, SelectorKey]
        _selector: Any

        def get_key(self, fileobj: Any) -> SelectorKey:
            """Return the key of what is registered.

            Raises:
                KeyError: if it is not registered.
                RuntimeError: if the selector is closed.
            """
            key = self._fd_to_key.get(fileobj) if type(fileobj) is int else None
            if key is not None:
                return key
            if type(fileobj) is int and fileobj >= 0 and self.get_map() is not None:
                raise KeyError(fileobj)
            return super().get_key(fileobj)

        def register(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
            """Watch a descriptor for events.

            Raises:
                KeyError: if it is registered already.
                ValueError: if there are no such events, or it is no descriptor.
                OSError: if the system cannot watch it.
            """
            mask = _MASKS.get(events)
            if mask is None or type(fileobj) is not int or fileobj < 0 or fileobj in self._fd_to_key:
                return super().register(fileobj, events, data)
            self._selector.register(fileobj, mask)
            key = self._fd_to_key[fileobj] = _new_key(SelectorKey, (fileobj, fileobj, events, data))
            return key

        def unregister(self, fileobj: Any) -> SelectorKey:
            """Watch a descriptor no more.

            Raises:
                KeyError: if it is not registered.
            """
            key = self._fd_to_key.pop(fileobj, None) if type(fileobj) is int else None
            if key is None:
                return super().unregister(fileobj)
            try:  # noqa: SIM105 - this runs for every message
                self._selector.unregister(fileobj)
            except OSError:
                pass  # it was closed meanwhile, which is as good
            return key

        def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
            """Wait until something is ready, for at most so many seconds; for ever if that is None."""
            if timeout is not None and timeout < 0:
                timeout = 0
            keys = self._fd_to_key
            ready: list[tuple[SelectorKey, int]] = []
            try:
                found = self._selector.poll(timeout, len(keys) or 1)
            except InterruptedError:
                return ready
            for fd, event in found:
                key = keys.get(fd)
                if key is not None:
                    ready.append((key, events_of(event) & key.events))
            return ready

else:
    EpollSelector: Any = None


def new_selector() -> selectors.BaseSelector:
    """Return the platform's best selector."""
    if selectors.DefaultSelector.__name__ == "EpollSelector":
        return EpollSelector()
    return selectors.DefaultSelector()


MACHINERY.add(id(globals()))
