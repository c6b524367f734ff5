"""A file that is kept open for long, in a process whose program may close what it has not opened."""

import contextlib
import os

from .places import MACHINERY

#: In place of a descriptor.
NO_FILE = -1


class OwnFile:
    """One file at a time, open for reading. It is closed only if it is still ours."""

    def __init__(self) -> None:
        self.descriptor = NO_FILE
        self._is: tuple[int, int] | None = None

    def open(self, path: str) -> None:
        """Open a file.

        Raises:
            OSError: if that cannot be. There is no file then.
        """
        self.close()
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._is = _identity(self.descriptor)

    def close(self) -> None:
        """Give it back, unless somebody else has: its number may be that of a program's own file by now."""
        descriptor, self.descriptor = self.descriptor, NO_FILE
        with contextlib.suppress(OSError):
            if descriptor != NO_FILE and _identity(descriptor) == self._is:
                os.close(descriptor)


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


MACHINERY.add(id(globals()))
