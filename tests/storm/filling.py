"""After the storm: whoever asks for more gets all that is left of their budget, and not a bit beyond."""

import asyncio

from harness import AsyncClient, manifests
from storm import charges, checker, recount
from storm.population import LEAST, PEOPLE, People, Person
from storm.violations import Violation
from storm.witness import Witness

__all__ = ["fill"]

_MOST = 200


async def fill(people: People, witness: Witness) -> list[Violation]:
    """Have each person make small pods until they are refused.

    Returns:
        Refusals of what did fit, and answers that are neither a pod nor a refusal for quota.
    """
    found = await asyncio.gather(*(_fill(person, people, witness) for person in PEOPLE))
    return [violation for violation in found if violation is not None]


async def _fill(person: Person, people: People, witness: Witness) -> Violation | None:
    user = people.users[person.name]
    owner, where = f"user:{user.name}", people.namespaces[0]
    async with AsyncClient(user, connections=1) as client:
        for number in range(_MOST):
            requests = {person.gpu: 1} if person.gpu else {}
            made = manifests.pod(
                f"{person.name}-fill-{number}",
                where,
                annotations={"controlplane/hold": "true"},
                spec={"schedulerName": "nobody"},
                requests=requests,
                limits=requests,
                cpu=LEAST["cpu"],
                memory=LEAST["memory"],
            )
            answer = await client.create_pod(made)
            if answer.ok:
                continue
            if checker.QUOTA not in answer.message:
                return Violation("fill", 0, f"{owner} was answered {answer.status} {answer.message[:300]}")
            await witness.caught_up()
            held = recount.held(witness.pods).get(owner, {})
            asked = charges.of({"spec": made["spec"]})
            if charges.over(charges.add([held, asked]), people.limits[owner]):
                return None
            text = f"{owner} holds {held} of {people.limits[owner]} and was refused: {answer.message[:300]}"
            return Violation("fill", 0, text)
    return Violation("fill", 0, f"{owner} made {_MOST} pods and was never refused")
