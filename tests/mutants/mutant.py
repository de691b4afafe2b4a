"""A deliberate fault: source text of one module of labquota, replaced as the module is imported."""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

SOURCES: Final = Path(__file__).parents[2] / "operator" / "labquota"


class Moved(AssertionError):  # noqa: N818  what happened to the code
    """The code that a fault replaces is not there any more, or more than once: the table has to follow it."""


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes:
        name: what it does, in a few words.
        file: the module under `operator/labquota`.
        edits: source text and what takes its place; each text stands in the file exactly once.
        why: why that is wrong.
        breaks: the invariants one of which is found not to hold.
        caught_by: the test that finds it.
    """

    name: str
    file: str
    edits: tuple[tuple[str, str], ...]
    why: str
    breaks: tuple[str, ...]
    caught_by: str

    @property
    def module(self) -> str:
        """The module's name."""
        return "labquota." + self.file.removesuffix(".py").replace("/", ".")

    def source(self) -> str:
        """The module's text with the fault in it.

        Raises:
            Moved: A text is not in the file exactly once.
        """
        text = (SOURCES / self.file).read_text()
        for before, after in self.edits:
            if (count := text.count(before)) != 1:
                raise Moved(
                    f"{self.file} holds {count} times, not once, what is replaced for '{self.name}': {before}"
                )
            text = text.replace(before, after)
        return text

    def apply(self) -> None:
        """Let this process import the module with the fault; it must not have imported it yet."""
        if self.module in sys.modules:
            raise AssertionError(f"{self.module} is imported already, without the fault")
        sys.meta_path.insert(0, _Finder(self.module, SOURCES / self.file, self.source()))


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, module: str, path: Path, text: str) -> None:
        self._module, self._path, self._text = module, path, text

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if fullname != self._module:
            return None
        loader = _Loader(fullname, str(self._path), self._text)
        return importlib.util.spec_from_file_location(fullname, self._path, loader=loader)


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, text: str) -> None:
        super().__init__(fullname, path)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:  # compiled anew each time: nothing of it is kept in a file
        del fullname
        return compile(self._text, self.path, "exec", dont_inherit=True)
