"""What ``pyproject.toml`` cannot say: which modules are compiled where there is a C compiler (``server/compiled.py``).

All of them or none: they know each other's insides. Cython looks for the ``.pxd`` of a module by the name of its
package, which our folders have not; so they are given it.
"""

import runpy
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from Cython.Build import cythonize
from Cython.Compiler.Errors import CompileError as NotTranslated
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

_known = runpy.run_path("server/compiled.py")
MODULES: tuple[str, ...] = _known["MODULES"]
METHODS: frozenset[str] = _known["METHODS"]


class CompileIfPossible(build_ext):
    """Compiles everything, or leaves everything as it is."""

    def build_extensions(self) -> None:
        """Compile; without a compiler, say so and go on."""
        try:
            super().build_extensions()
        except (BaseError, CCompilerError, OSError) as error:
            warn(error)
            for extension in self.extensions:
                Path(self.get_ext_fullpath(extension.name)).unlink(missing_ok=True)
            self.extensions = []


def source(module: str) -> str:
    """Return the file that is compiled: the module itself, or the one beside it that stands in for it."""
    stands_in = Path("server", *module.split(".")).with_suffix(".pyx")
    return str(stands_in if stands_in.exists() else stands_in.with_suffix(".py"))


def translated() -> list[Extension]:
    """Return the modules, in C."""
    with TemporaryDirectory() as names:
        package = Path(names, "echotui")
        package.mkdir()
        (package / "server").symlink_to(Path("server").resolve(), target_is_directory=True)
        try:
            return [extension for bound in (False, True) for extension in in_c(names, bound=bound)]
        except NotTranslated as error:
            warn(error)
            return []


def in_c(names: str, *, bound: bool) -> list[Extension]:
    """Return the modules whose functions are, or are not, bound when they are attributes of a class in Python."""
    extensions: list[Extension] = cythonize(
        [Extension(f"echotui.server.{name}", [source(name)]) for name in MODULES if (name in METHODS) is bound],
        include_path=[names],
        build_dir=f"build/{'bound' if bound else 'unbound'}",  # it sees by itself only which files have changed
        compiler_directives={"language_level": 3, "annotation_typing": False, "binding": bound},
    )
    return extensions


def warn(error: Exception) -> None:
    """Say that it will be slower."""
    warnings.warn(f"nothing is compiled, and watching costs twice as much: {error}", stacklevel=2)


setup(ext_modules=translated(), cmdclass={"build_ext": CompileIfPossible})
