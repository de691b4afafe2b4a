"""What `labquota webhook`, `operator` and `agent` share: a flag for each setting, an event loop, clear last words."""

import asyncio
import dataclasses
import importlib
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final

import click

from labquota import logs, settings
from labquota.cli.failures import BadInput, line
from labquota.gpusettings import GPUSettingsError
from labquota.kube.errors import KubeError
from labquota.kube.rights import MissingRights
from labquota.ownership import OwnershipError
from labquota.settings import PREFIX, SettingError, Settings

_CLEAR: Final = (
    SettingError,
    OwnershipError,
    GPUSettingsError,
    MissingRights,
    KubeError,
    OSError,
    ssl.SSLError,
)
"""Errors whose own words tell an administrator what to do; any other is a fault of ours and keeps its traceback."""


def command(name: str, module: str, text: str) -> click.Command:
    """A command that runs one of labquota's processes.

    Args:
        name: The command's name.
        module: Where its coroutine function `run(settings)` is; imported only when the process starts.
        text: The command's help.
    """

    def start(**flags: Any) -> None:
        if code := serve(module, flags):
            raise SystemExit(code)

    return click.Command(name, callback=start, params=list(_options()), help=text)


def serve(module: str, flags: dict[str, Any]) -> int:
    """Run a process until a signal ends it; returns its exit code.

    Args:
        module: Where its `run(settings)` is.
        flags: Settings from the command line; None means not set.

    Raises:
        BadInput: It cannot start or go on; one line, exit code 2.
    """
    try:
        found = settings.load(**flags)
        logs.setup(found.log_level, "text" if found.log_format == "text" else "json")
        import uvloop  # noqa: PLC0415  only these commands need it

        run: Callable[[Settings], Any] = importlib.import_module(module).run
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code: int = runner.run(run(found)) or 0
            return code
    except (*_CLEAR, BaseExceptionGroup) as error:
        leaves = list(_leaves(error))
        if not all(isinstance(leaf, _CLEAR) for leaf in leaves):
            raise
        raise BadInput(line(leaves[0])) from error


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _options() -> Iterator[click.Option]:
    for field in dataclasses.fields(Settings):
        flag = field.name.replace("_", "-")
        is_switch = isinstance(field.default, bool)
        default = str(field.default).lower() if is_switch else f"{field.default}".removesuffix(".0")
        yield click.Option(
            [f"--{flag}/--no-{flag}" if is_switch else f"--{flag}"],
            type=bool if is_switch else type(field.default),
            default=None,
            metavar=None if is_switch else {int: "N", float: "NUMBER"}.get(type(field.default), "TEXT"),
            help=f"{field.metadata['about']} [{PREFIX}{field.name.upper()}; default: {default or 'empty'}]",
        )
