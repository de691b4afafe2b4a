"""Kubernetes' label selectors over one object's labels."""

from collections.abc import Mapping

from labquota.api import LabelSelector, LabelSelectorRequirement


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether all requirements hold; a selector without any matches everything."""
    return all(labels.get(key) == value for key, value in selector.match_labels.items()) and all(
        _holds(requirement, labels) for requirement in selector.match_expressions
    )


def _holds(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    present = requirement.key in labels
    listed = labels.get(requirement.key) in requirement.values
    match requirement.operator:
        case "In":
            return present and listed
        case "NotIn":
            return not listed
        case "Exists":
            return present
        case "DoesNotExist":
            return not present
