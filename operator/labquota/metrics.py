"""What labquota counts, named by Prometheus' rules: base units, `_total` for counters, few label values."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

ADMISSIONS: Final = Counter(
    "labquota_admission_requests",
    "AdmissionReviews answered, by answer: allowed, warned, refused, failed_open (let through because of an "
    "outage), failed_closed (refused because of one), not_synced.",
    ["answer"],
)
REFUSALS: Final = Counter(
    "labquota_admission_refusals", "Reasons of refusals; a refusal with two counts twice.", ["code"]
)
ADMISSION_SECONDS: Final = Histogram(
    "labquota_admission_duration_seconds",
    "Time from reading a review to its answer.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
NO_GROUP: Final = Counter(
    "labquota_admission_owners_without_group",
    "Requests of owners that no group limits and no default covers.",
)
NO_STAMP: Final = Counter(
    "labquota_admission_pods_without_stamp",
    "Pods that came without an owner's stamp: the policy is not in place.",
)
UNSTAMPED: Final = Counter(
    "labquota_stamping_failures",
    "Objects that could not be stamped since something could not be read; their pods are asked about again.",
)
ADVICE: Final = Counter(
    "labquota_advice",
    "Workloads that were looked at when they were created, scaled or changed, by answer: quiet, warned, "
    "failed (nothing could be said).",
    ["answer"],
)
EVENTS: Final = Counter("labquota_events", "Writes of Events that show refused pods on their workloads.")
NUDGES: Final = Counter(
    "labquota_nudges",
    "Controllers that were asked to try again, since there was room for what they were refused.",
)
SWAPS: Final = Counter("labquota_ledger_swaps", "Compare-and-swaps of ledgers that this replica sent.")
CONFLICTS: Final = Counter("labquota_ledger_conflicts", "Those that lost against another writer.")
DECODE_FAILURES: Final = Counter(
    "labquota_watch_decode_failures",
    "Objects that could not be decoded and are left out of the view, by the path of their collection.",
    ["path"],
)

LEADER: Final = Gauge("labquota_operator_leader", "1 in the operator that holds the Lease.")
PODS: Final = Gauge("labquota_operator_pods", "Pods in the operator's view.")
OWNERS: Final = Gauge("labquota_operator_owners", "Owners that hold pods.")
OVER_LIMIT: Final = Gauge("labquota_operator_owners_over_limit", "Owners that hold more than a limit.")
FOLDS: Final = Counter("labquota_operator_folds", "Ledgers that the operator folded.")
FOLD_CONFLICTS: Final = Counter("labquota_operator_fold_conflicts", "Folds that lost against a replica.")
EXPIRED: Final = Counter(
    "labquota_operator_reservations_expired", "Reservations dropped because their pod was never stored."
)
BYPASSED: Final = Counter(
    "labquota_operator_pods_bypassed",
    "Pods of limited owners that appeared without having passed the webhook.",
)
PINNED: Final = Counter("labquota_operator_owners_pinned", "Pods that got the stamp that they came without.")
ALLOCATION_WRITES: Final = Counter(
    "labquota_operator_allocation_writes", "Writes of GPUAllocations, their statuses and Events about them."
)
FOLD_SECONDS: Final = Histogram(
    "labquota_operator_fold_delay_seconds",
    "Time from a change in the view to the ledger that shows it.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

AUDITED_OWNERS: Final = Counter(
    "labquota_audit_owners", "Owners whose ledger was read with a quorum and recounted."
)
AUDITED_PODS: Final = Counter(
    "labquota_audit_pods", "Pods of quorum lists that were compared with the operator's view."
)
AUDIT_PASSED: Final = Gauge(
    "labquota_audit_passed_timestamp_seconds", "When every owner and pod had been audited once more."
)
AUDIT_DIFFERENCES: Final = Counter(
    "labquota_audit_differences",
    "Differences from a recount that stayed, by kind: missed, gone, stale, uncounted (pods), sums, ledger.",
    ["kind"],
)
AUDIT_REPAIRS: Final = Counter(
    "labquota_audit_repairs", "Repairs of one owner's differences that were begun."
)
AUDIT_OWNERS: Final = Gauge(
    "labquota_audit_difference_owners", "Owners with a difference that is not seen repaired yet."
)
AUDIT_PODS: Final = Gauge("labquota_audit_difference_pods", "Pods that such differences come to.")
AUDIT_GPUS: Final = Gauge("labquota_audit_difference_gpus", "GPU units that such differences come to.")
AUDIT_CORES: Final = Gauge(
    "labquota_audit_difference_cpu_cores", "Requested cores that such differences come to."
)
AUDIT_BYTES: Final = Gauge(
    "labquota_audit_difference_memory_bytes", "Requested memory that such differences come to."
)
