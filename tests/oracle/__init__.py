"""Kubernetes' own answers about quantities and pods, from a small Go program around its functions."""

from oracle.process import Answer, Oracle, OracleError

__all__ = ["Answer", "Oracle", "OracleError"]
