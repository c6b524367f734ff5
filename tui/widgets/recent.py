"""What was made of late, to be used again."""

from collections.abc import Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Recent(Generic[Made]):
    """Two generations: what is used is in the younger one, and once that is full the older one is forgotten.

    Args:
        kept: how many there are in a generation.
    """

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self._young: dict[Hashable, Made] = {}
        self._old: dict[Hashable, Made] = {}

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def get(self, key: Hashable) -> Made | None:
        """Return what was made of this, if it is still there."""
        made = self._young.get(key)
        if made is None and (made := self._old.get(key)) is not None:
            self.put(key, made)
        return made

    def put(self, key: Hashable, made: Made) -> None:
        """Keep what was made of this."""
        if len(self._young) >= self.kept:
            self._old, self._young = self._young, {}
        self._young[key] = made
