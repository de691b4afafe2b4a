"""What all kinds share: the base of a shape, object metadata, conditions, label selectors, amounts.

Two rules hold for every Struct here. Unknown fields are skipped while decoding: a newer CRD must not break
an older reader. Reading checks types alone; ranges and rules live in the schema (`about`), so that an object
stored under an older schema can still be read and enforced.
"""

from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from labquota.api import rules
from labquota.api.words import ConditionStatus, SelectorOperator

GROUP: Final = "labquota.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"


class Shape(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True, kw_only=True):
    """A part of a resource: snake_case here, camelCase on the wire, defaults left out when written."""


class Report(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A part of a status: every field is written, or a patch without a 0 would keep yesterday's number."""


def about(description: str, **extra: Any) -> Any:
    """Describe a field for `kubectl explain`, with what its schema says besides its type.

    Args:
        description: what an admin needs to know about the field.
        extra: words of OpenAPI's schema (`maxLength=64`), with `x_kubernetes_…` for `x-kubernetes-…`.

    Returns:
        what `typing.Annotated` takes; typed Any, since msgspec's own type says no more.
    """
    words = {key.replace("x_kubernetes_", "x-kubernetes-").replace("_", "-"): v for key, v in extra.items()}
    return msgspec.Meta(description=description, extra_json_schema=words or None)


def constant(value: str) -> Any:
    """Give a field a default that is written all the same, as apiVersion and kind must be.

    msgspec leaves out a field that equals its default, but never one whose default comes from a factory.
    """
    return msgspec.field(default_factory=lambda: value)


class ObjectMeta(Shape, frozen=True, kw_only=True):
    """The metadata that labquota reads of its own objects."""

    name: str = ""
    generate_name: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: tuple[str, ...] = ()


Amounts: TypeAlias = Annotated[
    dict[
        str,
        Annotated[
            int | str,
            about(
                'A quantity: 3, 500m, 80Gi, "0.5" (in quotes); "unlimited" lifts a limit, 0 means none.',
                maxLength=40,
                x_kubernetes_validations=rules.AMOUNT,
            ),
        ],
    ],
    about("Resource key to quantity.", maxProperties=64, x_kubernetes_validations=rules.AMOUNTS),
]
"""Resource key to quantity as an admin writes it; `labquota.quota.resources` reads both."""

Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone, in RFC 3339's form."""


class Condition(Report, frozen=True, kw_only=True):
    """One statement about an object, in the standard form of Kubernetes (metav1.Condition)."""

    type: Annotated[str, about("What the statement is about, such as Ready.", minLength=1, maxLength=316)]
    status: Annotated[ConditionStatus, about("Whether it holds: True, False or Unknown.")]
    reason: Annotated[
        str,
        about(
            "Why, in one word for programs.",
            minLength=1,
            maxLength=1024,
            pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        ),
    ]
    message: Annotated[str, about("Why, in a line for people.", maxLength=32768)]
    last_transition_time: Annotated[Moment, about("When status changed last.")]
    observed_generation: Annotated[
        int,
        about(
            "The metadata.generation that this speaks of; older than the object's: out of date.", minimum=0
        ),
    ] = 0


Conditions: TypeAlias = Annotated[
    tuple[Condition, ...],
    about(
        "What the operator says about this object, one entry a type.",
        x_kubernetes_list_type="map",
        x_kubernetes_list_map_keys=["type"],
    ),
]


class LabelSelectorRequirement(Shape, frozen=True, kw_only=True):
    """One requirement on one label."""

    key: Annotated[
        str, about("The label's key.", minLength=1, maxLength=317, x_kubernetes_validations=rules.LABEL_KEY)
    ]
    operator: Annotated[SelectorOperator, about("How the label's value relates to values.")]
    values: Annotated[
        tuple[
            Annotated[str, about("A value.", maxLength=63, x_kubernetes_validations=rules.LABEL_VALUE)], ...
        ],
        about("Values for In and NotIn.", maxItems=64, x_kubernetes_list_type="atomic"),
    ] = ()


class LabelSelector(Shape, frozen=True, kw_only=True):
    """Kubernetes' label selector: all of matchLabels and all of matchExpressions must hold."""

    match_labels: Annotated[
        dict[
            str, Annotated[str, about("A value.", maxLength=63, x_kubernetes_validations=rules.LABEL_VALUE)]
        ],
        about(
            "Labels that must be there with exactly these values.",
            maxProperties=64,
            x_kubernetes_validations=rules.LABEL_KEYS,
        ),
    ] = {}
    match_expressions: Annotated[
        tuple[
            Annotated[
                LabelSelectorRequirement,
                about("One requirement on one label.", x_kubernetes_validations=rules.REQUIREMENT),
            ],
            ...,
        ],
        about("Further requirements, all of which must hold.", maxItems=64, x_kubernetes_list_type="atomic"),
    ] = ()
