"""What commands print: tables for people, JSON and YAML for programs, and notes beside them on standard error.

Colour only on a terminal, and never with NO_COLOR; lines are as long as they need to be where nobody looks.
"""

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

FORMATS: Final = ("table", "json", "yaml")
_WIDE: Final = 10_000


def option(command: F) -> F:
    """Add `-o table|json|yaml`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(FORMATS),
        default="table",
        help="table for people; json or yaml for programs, in a stable shape (docs/cli.md).",
    )(command)


def data(form: str, value: Any) -> None:
    """Print a value for programs."""
    if form == "json":
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        import yaml  # noqa: PLC0415  tables need none

        click.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=_WIDE), nl=False)


def note(text: str) -> None:
    """Tell something beside the answer: what could not be read, what was left out."""
    click.echo(f"note: {text}", err=True)


def console() -> Any:
    """Rich's console on standard output."""
    from rich.console import Console  # noqa: PLC0415  programs' output needs none

    width = None if sys.stdout.isatty() else _WIDE
    return Console(width=width, highlight=False, markup=False, emoji=False)


def show(*parts: Any) -> None:
    """Print tables and lines; where nobody looks, without the blanks that fill up a table's last column."""
    found = console()
    with found.capture() as captured:
        found.print(*parts, sep="\n")
    text = captured.get()
    if not found.is_terminal:
        text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    click.echo(text, nl=False, color=found.is_terminal)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: Sequence[str] = ()) -> Any:
    """A table in kubectl's plain style; columns without any value are left out.

    Args:
        columns: The headings.
        rows: Cells: text, or rich's Text.
        numbers: The columns that stand to the right.
    """
    from rich.table import Table  # noqa: PLC0415  as above

    shown = [index for index in range(len(columns)) if any(str(row[index]) for row in rows)]
    grid = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for index in shown:
        name = columns[index]
        right = name in numbers
        grid.add_column(name.upper(), justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        grid.add_row(*(row[index] for index in shown))
    return grid
