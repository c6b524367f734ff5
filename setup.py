"""What ``pyproject.toml`` cannot say: which modules are compiled where there is a C compiler (``server/compiled.py``).

Cython looks for the ``.pxd`` of a module by the name of its package, which our folders have not; so they are given it.
"""

import runpy
import warnings
from pathlib import Path

from Cython.Build import cythonize
from Cython.Compiler.Errors import CompileError
from setuptools import Extension, setup

MODULES: tuple[str, ...] = runpy.run_path("server/compiled.py")["MODULES"]


def extensions() -> list[Extension]:
    """Return what to compile. What cannot be compiled here is left out."""
    named = Path("build", "by-name", "echotui")
    named.mkdir(parents=True, exist_ok=True)
    server = named / "server"
    if not server.is_symlink():
        server.symlink_to(Path("server").resolve(), target_is_directory=True)
    try:
        return [*map(_optional, _translated(named.parent))]
    except CompileError as error:
        warnings.warn(f"nothing is compiled, and it will be slower: {error}", stacklevel=1)
        return []


def _translated(names: Path) -> list[Extension]:
    translated: list[Extension] = cythonize(
        [Extension(f"echotui.server.{name}", [f"server/{name.replace('.', '/')}.py"]) for name in MODULES],
        include_path=[str(names)],
        build_dir="build",
        compiler_directives={"language_level": 3, "annotation_typing": False},
    )
    return translated


def _optional(module: Extension) -> Extension:
    module.optional = True
    return module


setup(ext_modules=extensions())
