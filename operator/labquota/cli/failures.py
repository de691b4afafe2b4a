"""How a command ends when it cannot do what it was asked: one line on standard error, and an exit code.

The codes are documented in docs/cli.md, and every command's --help says what they mean there.
"""

from typing import Final

import click

NO: Final = 1
"""The answer is no: the pod would be refused, the owner is over a limit."""
BAD_INPUT: Final = 2
"""An argument, a file or a setting cannot be used."""
NO_ANSWER: Final = 3
"""The cluster does not answer, does not permit it, or has no labquota."""


class BadInput(click.ClickException):
    """What was typed, or what a file holds, cannot be used."""

    exit_code = BAD_INPUT


class NoAnswer(click.ClickException):
    """The cluster gives no answer."""

    exit_code = NO_ANSWER


class Forbidden(NoAnswer):
    """The API server says that we may not ask."""


def line(error: BaseException) -> str:
    """An error's own words on one line."""
    return " ".join(str(error).split()) or type(error).__name__
