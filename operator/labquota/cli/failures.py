"""How a command ends when it cannot do what it was asked: one line on standard error, and an exit code.

0  done: the pod would pass, the owner is within the limits
1  the answer is no: the pod would be refused, the owner is over a limit
2  bad input: an argument, a file, a setting
3  the cluster does not answer, does not permit it, or has no labquota
"""

from typing import Final

import click

NO: Final = 1
BAD_INPUT: Final = 2
NO_ANSWER: Final = 3


class BadInput(click.ClickException):  # noqa: N818  names what is wrong
    """What was typed, or what a file holds, cannot be used."""

    exit_code = BAD_INPUT


class NoAnswer(click.ClickException):  # noqa: N818  names what is wrong
    """The cluster does not answer, or says that we may not ask."""

    exit_code = NO_ANSWER


def line(error: BaseException) -> str:
    """An error's own words on one line."""
    return " ".join(str(error).split()) or type(error).__name__
