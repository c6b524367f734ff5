"""The modules that are compiled where there is a C compiler, and whether they are.

They are what runs for every message, step and task. Each is Python, and does the same where it is not compiled, only
slower; the ``.pxd`` beside it says which of its numbers and names are C's, and nothing else. ``setup.py`` has Cython
compile them when the package is built. Of two there are two: what ``native.py`` and ``observe/uv_steps.py`` have of
Python, the ``.pyx`` beside them has of C. What to mind in them:

* What is compiled has no frame: who counts frames, or takes lines off a stack, counts what is there. Only an exception
  that leaves it has lines of it in its traceback.
* A number is 64 bits wide, and an attribute of a compiled class is no entry of any dictionary.
"""

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

#: Their names, below `echotui.server`.
MODULES = (
    "bench.calling",
    "bench.histogram",
    "conversation",
    "counting",
    "exchange",
    "native",
    "observe.scheduling",
    "observe.selecting",
    "observe.ticking",
    "observe.timing",
    "observe.turning",
    "observe.uv_steps",
    "observe.uv_timers",
    "servers.answering",
    "servers.five_steps",
    "servers.hosting",
    "servers.talk",
)

#: Those of them whose functions are methods of classes that are not compiled, or stand in the loop's own lists, where
#: they are asked for their lines. All others are called for less, as those that Python has of C are: they are not bound
#: when they are asked of an object, and know no line. The method in ``uv_steps.pyx`` is one of C.
METHODS = frozenset(
    {"observe.scheduling", "observe.turning", "observe.uv_timers", "servers.answering", "servers.hosting"}
)


def how_built() -> str:
    """Return in a word whether the modules are compiled: ``compiled``, ``not compiled`` or, of some, ``partly``."""
    compiled = [_is_compiled(name) for name in MODULES]
    return "compiled" if all(compiled) else "partly compiled" if any(compiled) else "not compiled"


def _is_compiled(name: str) -> bool:
    # By the files, and not by importing what is on the way to them.
    beside = Path(__file__).parent.joinpath(*name.split("."))
    return any(beside.with_name(beside.name + suffix).exists() for suffix in EXTENSION_SUFFIXES)
