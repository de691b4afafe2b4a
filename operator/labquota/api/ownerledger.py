"""OwnerLedger: what labquota's replicas compare and swap, one per owner; nobody else reads or writes it."""

from typing import Annotated

from labquota.api.meta import API_VERSION, ObjectMeta, Shape, about, constant


class OwnerLedger(Shape, frozen=True, kw_only=True):
    """Internal to labquota: what one owner holds, in one compact string. Do not edit: it would be charged."""

    api_version: str = constant(API_VERSION)
    kind: str = constant("OwnerLedger")
    metadata: ObjectMeta
    owner: Annotated[str, about("The exact identity that this ledger is of, such as user:alice.")]
    ledger: Annotated[str, about("What the owner holds, in a form that only labquota reads; versioned.")]
