"""The cluster as kubectl finds it: kubeconfig, context, namespace, somebody else's identity, and plain calls.

Calls go through the `kubernetes` package, one at a time: a command makes a handful.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import click
import msgspec

from labquota.cli.failures import BadInput, Forbidden, NoAnswer, line
from labquota.kube import errors

READER: Final = "labquota-reader"
"""The ClusterRole that lets people read limits and budgets."""
_OWN_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_URLLIB3: Final = re.compile(
    r"^HTTPS?Connection(?:Pool)?\([^)]*\): (?:Failed to establish a new connection: )?"
)
"""What urllib3 puts before the reason."""

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


class Cluster:
    """One API server, asked as one user.

    Raises:
        NoAnswer: There is no usable kubeconfig.
    """

    def __init__(self, target: Target) -> None:
        import kubernetes.client  # noqa: PLC0415  half a second, which --help and --config need not spend

        from labquota.kube import credentials  # noqa: PLC0415  as above

        self._target = target
        if target.groups and not target.user:
            raise BadInput("--as-group needs --as: say which user is in the group")
        try:
            settings = credentials.configuration(target.kubeconfig, target.context)
            self._api = kubernetes.client.ApiClient(settings)
        except (errors.CredentialsError, OSError, ValueError) as error:
            raise NoAnswer(line(error)) from error
        self._settings = settings

    @property
    def namespace(self) -> str:
        """The context's namespace, or a pod's own."""
        from kubernetes import config  # noqa: PLC0415  as in __init__

        from labquota.kube import credentials  # noqa: PLC0415  as in __init__

        if found := credentials.files(self._target.kubeconfig):
            contexts, active = config.list_kube_config_contexts(found)  # type: ignore[no-untyped-call]  # ships no types
            if self._target.context:
                active = next(each for each in contexts if each["name"] == self._target.context)
            return str(active["context"].get("namespace") or "default")
        return _OWN_NAMESPACE.read_text().strip() if _OWN_NAMESPACE.exists() else "default"

    def get(self, path: str, **params: str) -> bytes:
        """Read an object or a list.

        Raises:
            labquota.kube.errors.NotFound: There is no such object or kind.
            Forbidden: We may not.
            NoAnswer: Anything else.
        """
        return self._call("GET", f"{path}?{urlencode(params)}" if params else path)

    def create(self, path: str, body: Mapping[str, Any]) -> bytes:
        """Create an object; errors as in `get`."""
        return self._call("POST", path, msgspec.json.encode(body))

    def _call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        import urllib3  # noqa: PLC0415  as in __init__

        headers = urllib3.HTTPHeaderDict({"Accept": "application/json", "Content-Type": "application/json"})
        if token := self._settings.get_api_key_with_prefix("authorization", alias="BearerToken"):
            headers["Authorization"] = token
        if self._target.user:
            headers["Impersonate-User"] = self._target.user
        for group in self._target.groups:
            headers.add("Impersonate-Group", group)
        server = str(self._settings.host).rstrip("/")
        try:
            answer = self._api.rest_client.pool_manager.request(
                method,
                server + path,
                body=body,
                headers=headers,
                retries=False,
                timeout=urllib3.Timeout(total=self._target.seconds),
            )
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise NoAnswer(f"the API server {server} does not answer{self._reason(error)}") from error
        if answer.status >= 400:
            raise self._failure(path, errors.of_answer(answer.status, answer.data))
        return bytes(answer.data)

    def _reason(self, error: Exception) -> str:
        import urllib3  # noqa: PLC0415  as in __init__

        waited = (urllib3.exceptions.ReadTimeoutError, urllib3.exceptions.ConnectTimeoutError)
        # urllib3 counts a refused connection among the time-outs.
        if isinstance(error, waited) and not isinstance(error, urllib3.exceptions.NewConnectionError):
            return f" within {self._target.seconds:g} s"
        return f": {_URLLIB3.sub('', line(error))}"

    def _failure(self, path: str, error: Any) -> Exception:
        if error.status == 403:
            hint = f"; ask for ClusterRole {READER}" if "/labquota.dev/" in path else ""
            return Forbidden(f"not permitted: {error.message}{hint}")
        if error.status == 401:
            return NoAnswer("the API server does not accept these credentials (401): log in again")
        if isinstance(error, errors.NotFound):
            return error
        return NoAnswer(f"the API server refuses: {line(error)}")


def segment(text: str) -> str:
    """A name as a part of a path."""
    return quote(text, safe="")
