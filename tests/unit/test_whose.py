"""Whose pod a request is about: what its stamp says, or where its references and its account lead."""

import pytest

from labquota.kube.lineage import Unresolved
from labquota.quota import reasons
from labquota.quota.cases import Request
from labquota.quota.limits import UNLIMITED
from labquota.quota.owners import OWNER_ANNOTATION, of_requester
from labquota.quota.trust import DEFAULT, Trust
from labquota.quota.world import World
from labquota.webhook.whose import Whose
from unit.builders import pod, request
from unit.lineal import Discovered
from unit.simulated import run

APPS = "/apis/apps/v1/namespaces/lab"
ACCOUNTS = "/api/v1/namespaces/lab/serviceaccounts"
CARRIER = "system:serviceaccount:kube-system:replicaset-controller"
RUNNER = "system:serviceaccount:lab:runner"


def asked(cluster: Discovered, user: str, *, stamp: str | None = None, made: bool = False) -> Request:
    """A create; `made` by ReplicaSet web, which is alice's."""
    new = pod("a", owner=stamp)
    if made:
        maker = cluster.put(f"{APPS}/replicasets/web", "r", stamp="user:alice")
        new.metadata.owner_references = [maker]
    return request(new, user=user)


def whose(cluster: Discovered, trust: Trust = DEFAULT) -> Whose:
    return Whose(trust, cluster.lineage(trust))


@pytest.mark.parametrize("user", ["alice", CARRIER])
def test_a_stamp_or_no_maker_at_all_is_clear_at_once(user: str) -> None:
    cluster = Discovered()
    assert whose(cluster).is_clear(asked(cluster, user, stamp="user:alice", made=True))
    assert whose(cluster).is_clear(asked(cluster, user))
    assert cluster.calls == []


def test_a_controllers_pod_without_a_stamp_belongs_to_whom_its_maker_belongs_to() -> None:
    cluster = Discovered()
    asks = asked(cluster, CARRIER, made=True)
    assert not whose(cluster).is_clear(asks)
    assert run(whose(cluster).resolve(asks)).owner == "user:alice"


def test_a_service_accounts_pod_belongs_to_the_accounts_owner_whatever_it_carries() -> None:
    cluster = Discovered()
    cluster.put(f"{ACCOUNTS}/runner", "s", stamp="user:alice")
    for stamp in (None, "serviceaccount:lab/runner", "user:alice", "user:bob"):
        asks = asked(cluster, RUNNER, stamp=stamp, made=True)
        assert not whose(cluster).is_clear(asks)
        found = run(whose(cluster).resolve(asks))
        assert found.owner == "user:alice"
        causes = list(reasons.of_request(found, found.owner, of_requester(RUNNER), UNLIMITED, {}, World()))
        forged = [cause.code for cause in causes]
        assert forged == (["OWNER_FORGED"] if stamp == "user:bob" else [])


def test_an_account_that_is_trusted_as_a_controller_is_followed_by_its_references() -> None:
    cluster = Discovered()
    trust = Trust(controllers=frozenset({RUNNER}))
    asks = asked(cluster, RUNNER, made=True)
    assert run(whose(cluster, trust).resolve(asks)).owner == "user:alice"


def test_a_resize_is_about_the_pod_that_is_stored() -> None:
    cluster = Discovered()
    stored, sent = pod("a", owner="user:alice"), pod("a", owner=None)
    asks = request(sent, old=stored, user=RUNNER)
    assert whose(cluster).is_clear(asks)
    assert asks.stored.annotations[OWNER_ANNOTATION] == "user:alice"


def test_what_cannot_be_read_is_nobodys() -> None:
    cluster = Discovered()
    asks = asked(cluster, CARRIER, made=True)
    cluster.forbidden = "replicasets"
    with pytest.raises(Unresolved, match=r"replicasets\.apps may not be read"):
        run(whose(cluster).resolve(asks))
