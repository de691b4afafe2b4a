"""What an API server does with pods: it asks the webhook, then stores, or not, as late as it may.

A create passes the webhook before it is known whether its name is free and whether somebody else's quota allows it. An
update is admitted anew whenever the object has changed under it. No answer from the webhook opens the gate.
"""

import asyncio
import itertools
from typing import Any, Final

import msgspec

from labquota.quota.owners import OWNER_ANNOTATION
from simulation import deeds
from simulation.cluster import Cluster
from simulation.connection import GROUPS
from simulation.deeds import Deed
from simulation.machines import Server
from simulation.paths import Key
from simulation.processes import Webhook
from simulation.store import Body

PODS: Final = "/api/v1/pods"
NAMESPACE: Final = "lab"
WEBHOOK_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 1.0
_encode = msgspec.json.encode


def pod(name: str, owner: str, asks: dict[str, str], uid: str, *, namespace: str = NAMESPACE) -> Body:
    """A pod of one container, stamped."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "generation": 1,
            "annotations": {OWNER_ANNOTATION: owner},
        },
        "spec": {
            "containers": [{"name": "main", "resources": {"requests": dict(asks), "limits": dict(asks)}}]
        },
        "status": {"phase": "Pending"},
    }


class Kubernetes:
    """Requests of users, as API servers carry them out.

    Args:
        cluster: everything that there is.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._reviews = itertools.count(1)

    def create(self, name: str, owner: str, asks: dict[str, str], **how: Any) -> Deed | None:
        """Begin a create; None where no API server is up.

        Args:
            name: the pod's.
            owner: who asks, and is stamped on it.
            asks: what the pod asks for.
            how: as `Deed`.
        """
        deed = Deed("create", Key(PODS, NAMESPACE, name), owner, asks, user=owner, **how)
        return self._begin(deed)

    def resize(self, name: str, owner: str, asks: dict[str, str], **how: Any) -> Deed | None:
        """Begin a resize of a pod, whose owner need not be who asks; None where no API server is up."""
        return self._begin(Deed("resize", Key(PODS, NAMESPACE, name), owner, asks, user=owner, **how))

    def _begin(self, deed: Deed) -> Deed | None:
        up = [server for server in self._cluster.network.servers if server.alive]
        if not up:
            return None
        server = self._cluster.rng.choice(up)
        deed.began = self._cluster.timeline.now
        self._cluster.deeds.append(deed)
        server.loop.start(self._create(server, deed) if deed.kind == "create" else self._update(server, deed))
        return deed

    async def _create(self, server: Server, deed: Deed) -> None:
        cluster, store = self._cluster, self._cluster.store
        body = pod(deed.key.name, deed.owner, deed.asks, store.uid())
        deed.uid = body["metadata"]["uid"]
        if not await self._admitted(server, deed, body, None):
            return
        if deed.dry_run:
            self._end(deed, "dry run")
            return
        await cluster.network.rest(("store", deed.key.name), self._rest(deed))
        if deed.dropped:
            self._end(deed, "dropped")
        elif store.find(deed.key):
            self._end(deed, "exists")
        else:
            body["metadata"]["creationTimestamp"] = cluster.stamp()
            self._store(server, deed, body)

    async def _update(self, server: Server, deed: Deed) -> None:
        cluster, store = self._cluster, self._cluster.store
        old = store.find(deed.key)
        if deed.stale and (raw := server.api.cache.of(PODS).get(deed.key)):
            old_body = msgspec.json.decode(raw)  # the first try is made on the cache's copy
        else:
            old_body = None if old is None else old.body
        while old_body is not None:
            body = _resized(old_body, deed.asks)
            deed.uid, deed.owner = body["metadata"]["uid"], body["metadata"]["annotations"][OWNER_ANNOTATION]
            if not await self._admitted(server, deed, body, old_body):
                return
            if deed.dry_run:
                self._end(deed, "dry run")
                return
            await cluster.network.rest(("store", deed.key.name), self._rest(deed))
            deed.late = 0.0
            now = store.find(deed.key)
            if deed.dropped:
                self._end(deed, "dropped")
                return
            if now is None or now.uid != deed.uid:
                break
            if now.body["metadata"]["resourceVersion"] == old_body["metadata"]["resourceVersion"]:
                self._store(server, deed, body)
                return
            old_body = now.body
        self._end(deed, "gone")

    def _end(self, deed: Deed, outcome: str) -> None:
        deed.end(outcome)
        self._cluster.checker.over(deed)

    def _store(self, server: Server, deed: Deed, body: Body) -> None:
        self._cluster.checker.storing = deed
        deed.stored(self._cluster.store.put(deed.key, body, server.name))

    def _rest(self, deed: Deed) -> float:
        """How much longer it takes; never longer than is assumed of it, counted from its beginning."""
        left = deed.began + self._cluster.longest_create - self._cluster.timeline.now - 0.001
        return max(0.0, min(deed.late, left))

    async def _admitted(self, server: Server, deed: Deed, body: Body, old: Body | None) -> bool:
        """Ask the webhook; False where the deed ends with its answer."""
        cluster = self._cluster
        number = next(self._reviews)
        review = _review(f"review-{number}", deed, body, old)
        until = cluster.timeline.now + WEBHOOK_SECONDS
        deed.asked(cluster.timeline.now, body, old)
        deed.replica = ""
        cluster.checker.asked(deed)
        while True:
            replica = self._replica(deed)
            answer: bytes | None = b""
            if replica is not None:
                if not deed.replica:
                    deed.seen_limits = replica.seen.get(GROUPS, 0)
                deed.replica = replica.name
                answer = await self._call(server, replica, review, deed, until)
            if answer is None and cluster.timeline.now + RETRY_SECONDS < until:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            break
        verdict = deeds.read(answer) if answer else deeds.NO_ANSWER
        deed.answered(cluster.timeline.now, verdict)
        cluster.checker.answered(deed)
        cluster.network.tell(
            server.name, f"{deed.kind} {deed.key.name}", f"{deed.replica or 'nobody'}: {verdict.text}"
        )
        if verdict.allowed or (verdict is deeds.NO_ANSWER and cluster.fails_open):
            return True
        self._end(deed, "refused")
        return False

    def _replica(self, deed: Deed) -> Webhook | None:
        """Which replica is asked; the service knows those that are dead, in time."""
        webhooks = self._cluster.webhooks
        if deed.to is not None and deed.to < len(webhooks) and webhooks[deed.to].alive:
            return webhooks[deed.to]
        up = [each for each in webhooks if each.alive]
        return self._cluster.rng.choice(up) if up else None

    async def _call(
        self, server: Server, replica: Webhook, review: bytes, deed: Deed, until: float
    ) -> bytes | None:
        """Call a replica; b"" where no answer comes."""
        cluster = self._cluster
        answer: asyncio.Future[bytes | None] = server.loop.create_future()
        network, timeline = cluster.network, cluster.timeline
        seconds = until - timeline.now

        def arrive() -> None:
            cluster.checker.sent(deed, replica.name)
            if replica.alive and not replica.cut:
                replica.loop.start(serve())
            elif not replica.alive:
                give(b"")

        async def serve() -> None:
            said = await replica.answer(review, seconds)
            if not replica.cut and not deed.unheard:
                network.send(("verdict", deed.key.name), replica, give, said)

        def give(said: bytes | None) -> None:
            if server.alive:
                server.loop.call_soon(_settle, answer, said)

        network.send(("review", deed.key.name), replica, arrive)
        if deed.twice:  # the same review once more, as after a connection that broke
            timeline.after(network.delay(replica) * 2, self.replay, deed, review)
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            return b""

    def replay(self, deed: Deed, review: bytes) -> None:
        """Send a review once more, to any replica; nobody hears the answer."""
        up = [each for each in self._cluster.webhooks if each.alive and not each.cut]
        if up:
            replica = self._cluster.rng.choice(up)
            self._cluster.checker.sent(deed, replica.name)
            replica.loop.start(_heard_by_nobody(replica, review))


async def _heard_by_nobody(replica: Webhook, review: bytes) -> None:
    await replica.answer(review, WEBHOOK_SECONDS)


def _settle(answer: "asyncio.Future[bytes | None]", said: bytes | None) -> None:
    if not answer.done():
        answer.set_result(said)


def _resized(old: Body, asks: dict[str, str]) -> Body:
    container = old["spec"]["containers"][0]
    wanted = {**container["resources"]["requests"], **asks}
    meta = {**old["metadata"], "generation": old["metadata"].get("generation", 1) + 1}
    new = {**container, "resources": {"requests": wanted, "limits": dict(wanted)}}
    return {**old, "metadata": meta, "spec": {**old["spec"], "containers": [new]}}


def _review(uid: str, deed: Deed, body: Body, old: Body | None) -> bytes:
    request: dict[str, Any] = {
        "uid": uid,
        "operation": "CREATE" if old is None else "UPDATE",
        "userInfo": {"username": deed.user.partition(":")[2], "groups": ["system:authenticated"]},
        "name": deed.key.name,
        "namespace": deed.key.namespace,
        "object": body,
        "dryRun": deed.dry_run,
    }
    if old is not None:
        request |= {"oldObject": old, "subResource": "resize"}
    return _encode({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
