from collections.abc import Mapping

import msgspec
import pytest

from labquota.api import LabelSelector
from labquota.quota import selectors

VISION = {"team": "vision", "tier": "gold"}


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        ({}, {}, True),
        ({"matchLabels": {"team": "vision"}}, VISION, True),
        ({"matchLabels": {"team": "vision", "tier": "silver"}}, VISION, False),
        ({"matchLabels": {"team": ""}}, {}, False),
        (
            {"matchExpressions": [{"key": "team", "operator": "In", "values": ["nlp", "vision"]}]},
            VISION,
            True,
        ),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["nlp"]}]}, VISION, False),
        ({"matchExpressions": [{"key": "gone", "operator": "In", "values": ["x"]}]}, VISION, False),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["vision"]}]}, VISION, False),
        ({"matchExpressions": [{"key": "gone", "operator": "NotIn", "values": ["x"]}]}, VISION, True),
        ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, VISION, True),
        ({"matchExpressions": [{"key": "gone", "operator": "Exists"}]}, VISION, False),
        ({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, VISION, False),
        ({"matchExpressions": [{"key": "gone", "operator": "DoesNotExist"}]}, VISION, True),
        (
            {
                "matchLabels": {"team": "vision"},
                "matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}],
            },
            VISION,
            False,
        ),
    ],
)
def test_a_selector_matches_labels_as_in_kubernetes(
    selector: Mapping[str, object],
    labels: Mapping[str, str],
    matches: bool,  # noqa: FBT001  a column of the table
) -> None:
    assert selectors.matches(msgspec.convert(selector, LabelSelector), labels) is matches
