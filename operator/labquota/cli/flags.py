"""Which cluster a command asks, and as whom: kubectl's own flags."""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click
import msgspec

_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")

F = TypeVar("F", bound=Callable[..., Any])


class Target(msgspec.Struct, frozen=True):
    """Which cluster, as whom, and for how long to wait."""

    kubeconfig: str | None = None
    context: str | None = None
    user: str | None = None
    groups: tuple[str, ...] = ()
    seconds: float | None = 30.0
    """None waits for ever."""


class Seconds(click.ParamType[float | None]):
    """A duration as kubectl takes it: `10`, `10s`, `1m30s`, `500ms`; 0 waits for ever."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """Read it as seconds."""
        text = str(value)
        match = _DURATION.fullmatch(text if text.endswith(("h", "m", "s")) else f"{text}s")
        if not text or match is None:
            self.fail(f'"{text}" is not a duration such as 10s or 1m30s', param, ctx)
        hours, minutes, seconds, thousandths = (float(part or 0) for part in match.groups())
        return hours * 3600 + minutes * 60 + seconds + thousandths / 1000 or None


def options(command: F) -> F:
    """Add kubectl's own flags to a command; they reach it as `target`."""

    def with_target(**values: Any) -> Any:
        target = Target(
            kubeconfig=values.pop("kubeconfig"),
            context=values.pop("context"),
            user=values.pop("as_user"),
            groups=values.pop("as_group"),
            seconds=values.pop("request_timeout"),
        )
        return command(target=target, **values)

    with_target.__doc__ = command.__doc__
    with_target.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]  # click's own
    decorated: Any = with_target
    for option in (
        click.option("--request-timeout", type=Seconds(), default="30s", help="How long to wait for a call."),
        click.option("--as-group", multiple=True, metavar="GROUP", help="With --as: a group of that user."),
        click.option("--as", "as_user", metavar="USER", help="Ask as another user (impersonation)."),
        click.option(
            "--context", metavar="NAME", help="Context of the kubeconfig; default: the current one."
        ),
        click.option("--kubeconfig", metavar="FILE", help="Kubeconfig; default: KUBECONFIG, ~/.kube/config."),
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]  # click's decorators are untyped from here
