"""The C library, for system calls that take less time than giving the interpreter's lock up and getting it back."""

import ctypes
from functools import cache
from typing import Any

from .places import MACHINERY


@cache
def c_library() -> Any:
    """Return it, loaded so that a call keeps the interpreter's lock."""
    return ctypes.PyDLL(None, use_errno=True)


MACHINERY.add(id(globals()))
