"""What the API server says when it says no, in the words and codes of the real one."""

from labquota.kube import errors
from labquota.kube.errors import ApiError, Status
from simulation.paths import Key


def not_found(key: Key) -> ApiError:
    """404."""
    return _of(404, "NotFound", f'{_plural(key)} "{key.name}" not found')


def exists(key: Key) -> ApiError:
    """409 of a create."""
    return _of(409, "AlreadyExists", f'{_plural(key)} "{key.name}" already exists')


def changed(key: Key) -> ApiError:
    """409 of a write."""
    return _of(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {_plural(key)} "{key.name}": the object has been modified; please '
        "apply your changes to the latest version and try again",
    )


def precondition(key: Key, what: str, wanted: str, found: str) -> ApiError:
    """409 of a precondition that does not hold."""
    return _of(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {_plural(key)} "{key.name}": Precondition failed: {what} in '
        f"precondition: {wanted}, {what} in object meta: {found}",
    )


def another(key: Key, kind: str, what: str, wanted: str, found: str) -> ApiError:
    """409 of a deletion that was meant for another object, or another version of it."""
    words, happened = (
        ("UID", "deleted and then recreated") if what == "uid" else ("ResourceVersion", "modified")
    )
    plural, _, group = _plural(key).partition(".")
    name = (kind or plural[:-1].capitalize()) + (f".{group}" if group else "")
    return _of(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {name} "{key.name}": the {words} in the precondition ({wanted}) does not '
        f"match the {words} in record ({found}). The object might have been {happened}",
    )


def unconditional(key: Key) -> ApiError:
    """422 of a replacement without a version."""
    return _of(
        422,
        "Invalid",
        f'{_plural(key)} "{key.name}" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for '
        "an update",
    )


def bad(message: str) -> ApiError:
    """400."""
    return _of(400, "BadRequest", message)


def fault(message: str) -> ApiError:
    """500, which is also how the API server says some things that are wrong with a request."""
    return _of(500, "", message)


def expired(message: str) -> ApiError:
    """410: this part of history is no longer kept."""
    return _of(410, "Expired", message)


def unavailable(status: int, reason: str = "", seconds: float | None = None) -> ApiError:
    """5xx or 429."""
    return errors.of_status(
        Status(status, reason, "the simulated API server has troubles"),
        status,
        f"{seconds:g}" if seconds else None,
    )


def _of(code: int, reason: str, message: str) -> ApiError:
    return errors.of_status(Status(code, reason, message))


def _plural(key: Key) -> str:
    parts = key.resource.strip("/").split("/")
    return parts[-1] if parts[0] == "api" else f"{parts[-1]}.{parts[1]}"
