"""Who takes part in a storm, and what each of them may hold: small limits and large ones, one resource and several."""

from collections.abc import Mapping
from dataclasses import dataclass

from controlplane import User
from harness import World
from storm import charges
from storm.charges import Amounts

__all__ = ["CLIENTS", "LEAST", "NAMESPACES", "People", "Person", "settle"]

CLIENTS = 64
NAMESPACES = 3
LEAST = {"cpu": "100m", "memory": "64Mi"}
"""What no pod of a storm asks less than, so that a resize to this is never one to more."""


@dataclass(frozen=True)
class Person:
    """One owner.

    Attributes:
        name: short, as in `most`.
        aggregate: the limits of their group.
        clients: how many of the storm's clients they are.
        gpu: whether their pods ask for GPUs: `nvidia.com/gpu`, `nvidia.com/mig-1g.10gb`, or nothing.
    """

    name: str
    aggregate: Mapping[str, str | int]
    clients: int
    gpu: str = ""


PEOPLE = (
    Person("one", {"pods": 1}, 4),
    Person("two", {"pods": 2, "cpu": 1}, 4),
    Person("five", {"pods": 5}, 6),
    Person("twenty", {"pods": 20, "memory": "3Gi"}, 8),
    Person("most", {"pods": 60}, 12),
    Person("cpu", {"cpu": 4}, 6),
    Person("memory", {"memory": "1Gi"}, 4),
    Person("gpu", {"gpu": 2}, 4, "nvidia.com/gpu"),
    Person("gpus", {"gpu": 12, "pods": 30}, 8, "nvidia.com/gpu"),
    Person("slices", {"nvidia.com/mig-1g.10gb": 3}, 4, "nvidia.com/mig-1g.10gb"),
    Person("mixed", {"pods": 8, "gpu": 4, "cpu": 3, "limits.memory": "2Gi"}, 4, "nvidia.com/gpu"),
)
_NAMES = {"cpu": "requests.cpu", "memory": "requests.memory"}


@dataclass(frozen=True)
class People:
    """The people of one storm as the API server knows them, and where they make pods."""

    users: Mapping[str, User]
    namespaces: tuple[str, ...]
    limits: Mapping[str, Amounts]
    """By owner and canonical resource, in base units."""


def settle(world: World, on_error: str) -> People:
    """Make users, namespaces and a group for each.

    Args:
        world: where.
        on_error: what an outage answers.
    """
    users = {person.name: world.user(person.name) for person in PEOPLE}
    for person in PEOPLE:
        owner = world.owner(users[person.name])
        world.group(person.name, subjects=[owner], aggregate=dict(person.aggregate), on_error=on_error)
    _let_resize(world, list(users.values()))
    namespaces = tuple(world.namespace(f"ns{number}") for number in range(NAMESPACES))
    limits = {world.owner(users[person.name]): _base(person.aggregate) for person in PEOPLE}
    return People(users, namespaces, limits)


def _base(aggregate: Mapping[str, str | int]) -> Amounts:
    found = {}
    for key, amount in aggregate.items():
        name = _NAMES.get(key, key)
        base = charges.number(str(amount)) * (1000 if name.endswith(".cpu") else 1)
        found[name] = int(base)
    return found


def _let_resize(world: World, users: list[User]) -> None:
    """The role `edit` does not let people resize pods."""
    rbac, name = "rbac.authorization.k8s.io", world.name("resizer")
    rules = [{"apiGroups": [""], "resources": ["pods/resize"], "verbs": ["get", "patch", "update"]}]
    head = {"apiVersion": f"{rbac}/v1", "metadata": {"name": name}}
    world.apply({**head, "kind": "ClusterRole", "rules": rules})
    subjects = [{"apiGroup": rbac, "kind": "User", "name": user.name} for user in users]
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": name}
    world.apply({**head, "kind": "ClusterRoleBinding", "roleRef": role, "subjects": subjects})
