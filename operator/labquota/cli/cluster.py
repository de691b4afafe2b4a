"""The cluster as kubectl finds it: its namespace, somebody else's identity, and plain calls.

Calls go through the `kubernetes` package, one at a time: a command makes a handful.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from labquota.cli.failures import BadInput, Forbidden, NoAnswer, line
from labquota.cli.flags import Target
from labquota.kube import errors

READER: Final = "labquota-reader"
"""The ClusterRole that lets people read limits and budgets."""
_OWN_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_URLLIB3: Final = re.compile(
    r"^HTTPS?Connection(?:Pool)?\([^)]*\): (?:Failed to establish a new connection: )?"
)
"""What urllib3 puts before the reason."""


class Cluster:
    """One API server, asked as one user.

    Raises:
        NoAnswer: There is no usable kubeconfig.
    """

    def __init__(self, target: Target) -> None:
        import kubernetes.client  # noqa: PLC0415  half a second, which --help and --config need not spend

        from labquota.kube import discovery  # noqa: PLC0415  as above

        self._target = target
        if target.groups and not target.user:
            raise BadInput("--as-group needs --as: say which user is in the group")
        try:
            settings = discovery.configuration(target.kubeconfig, target.context)
            self._api = kubernetes.client.ApiClient(settings)
        except (errors.CredentialsError, OSError, ValueError) as error:
            raise NoAnswer(line(error)) from error
        self._settings = settings

    @property
    def namespace(self) -> str:
        """The context's namespace, or a pod's own."""
        from kubernetes import config  # noqa: PLC0415  as in __init__

        from labquota.kube import discovery  # noqa: PLC0415  as in __init__

        if found := discovery.files(self._target.kubeconfig):
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
