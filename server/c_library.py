"""The C library, for system calls that take less time than giving the interpreter's lock up and getting it back."""

import ctypes
from functools import cache
from typing import Any


@cache
def c_library() -> Any:
    """Return it, loaded so that a call keeps the interpreter's lock."""
    library = ctypes.PyDLL(None, use_errno=True)
    library.pread.argtypes = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64
    return library
