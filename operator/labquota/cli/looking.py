"""What other objects say of the GPUs that a pod can reach, read as the asker for `labquota explain`."""

from typing import Final

import msgspec

from labquota.cli import output
from labquota.cli.facts import Facts
from labquota.cli.failures import Forbidden
from labquota.kube import lookups
from labquota.kube.errors import NotFound
from labquota.quota import admission
from labquota.quota.cases import Request
from labquota.quota.lookups import GONE, Found, Lookup

_NOTHING: Final = Found()


def complete(request: Request, facts: Facts) -> Request:
    """The request with all that has to be read for it; what the asker may not read is left out with a note.

    Raises:
        NoAnswer: The cluster does not answer.
    """
    while unread := admission.examine(request, facts.world, facts.now, facts.groups_of).unread:
        found = {each: _read(each, facts) for each in unread}
        request = msgspec.structs.replace(request, facts={**request.facts, **found})
    return request


def _read(lookup: Lookup, facts: Facts) -> Found:
    what = f"{lookup.resource} {lookup.name}".rstrip()
    if facts.cluster is None:
        output.note(f"{what} is not looked at without a cluster, and may reach GPUs")
        return _NOTHING
    try:
        return lookups.decode(lookup, facts.cluster.get(lookups.path(lookup)))
    except NotFound:
        return GONE
    except Forbidden as error:
        output.note(f"{what} is not looked at, and may reach GPUs: {error.message}")
        return _NOTHING
