"""What can go wrong between us and the API server.

KubeError
├── CredentialsError      no usable kubeconfig or service account: nothing was sent
├── Unreachable           no answer: refused, reset, cut off, timed out. The call may or may not have happened
├── Lost                  the Lease is somebody else's, or was not renewed in time
└── ApiError              the API server answered, and the answer is no: status, reason, message, retry_after
    ├── NotFound          404
    ├── AlreadyExists     409 of a create: the name is taken
    ├── Conflict          409 of a write: the object has changed since it was read
    └── Gone              410: this part of history is no longer kept
        └── Expired       410 with reason Expired: a resource version or a continue token is too old
"""

# ruff: noqa: N818  the names are the API's own reasons

import msgspec


class KubeError(Exception):
    """Any failure of a call to the API server."""

    may_have_happened = False
    """True when the write may have been stored although the call failed."""


class CredentialsError(KubeError):
    """There is no way to tell where the API server is or who we are."""


class Unreachable(KubeError):
    """No answer came back."""

    may_have_happened = True


class Lost(KubeError):
    """This process is not, or no longer, the holder of the Lease."""


class ApiError(KubeError):
    """The API server's own refusal.

    Attributes:
        status: HTTP status, 400 to 599.
        reason: the API's machine-readable reason ("NotFound", "Expired"), or "" where there is none.
        message: the API server's words.
        retry_after: seconds after which the API server asks to be tried again, or None.
    """

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{message} ({status}{' ' + reason if reason else ''})")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.may_have_happened = status >= 500


class NotFound(ApiError):
    """There is no such object, or no such kind of object."""


class AlreadyExists(ApiError):
    """An object of this name exists."""


class Conflict(ApiError):
    """The object has changed since it was read."""


class Gone(ApiError):
    """The API server no longer keeps this part of history."""


class Expired(Gone):
    """The resource version or continue token is too old."""


class _Details(msgspec.Struct, gc=False):
    seconds: int = msgspec.field(name="retryAfterSeconds", default=0)


class Status(msgspec.Struct, gc=False):
    """The part of a `metav1.Status` that we read."""

    code: int = 0
    reason: str = ""
    message: str = ""
    details: _Details | None = None


_STATUS = msgspec.json.Decoder(Status)


def passing(error: KubeError) -> bool:
    """Tell whether the same call may well work in a moment: no answer, too many requests, a fault of the server's."""
    if isinstance(error, ApiError):
        return error.status == 429 or error.status >= 500
    return isinstance(error, Unreachable)


def of_answer(status: int, body: bytes, retry_after: str | None = None) -> ApiError:
    """Make the right error of an HTTP answer.

    Args:
        status: the answer's HTTP status.
        body: its body: a Status, or anything (a proxy's page of HTML).
        retry_after: the Retry-After header; only its form in seconds is read, the only one the API server uses.
    """
    try:
        told = _STATUS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = Status(message=body[:200].decode("utf-8", "replace").strip())
    return of_status(told, status, retry_after)


def of_status(told: Status, status: int = 0, retry_after: str | None = None) -> ApiError:
    """Make the right error of a Status, as it comes as an answer or as the ERROR event of a watch."""
    status = status or told.code or 500
    seconds: float | None = None
    if told.details is not None and told.details.seconds > 0:
        seconds = float(told.details.seconds)
    elif retry_after is not None and retry_after.strip().isdecimal():
        seconds = float(retry_after)
    message = told.message or f"the API server answered {status} without a word"
    return _kind(status, told.reason)(status, told.reason, message, seconds)


def _kind(status: int, reason: str) -> type[ApiError]:
    if status == 404:
        return NotFound
    if status == 409:
        return AlreadyExists if reason == "AlreadyExists" else Conflict
    if status == 410:
        return Expired if reason == "Expired" else Gone
    return ApiError
