"""What the demo plays: the main job of labquota, an act a function, in the order of `ACTS`."""

import json
from collections.abc import Callable

from demo import gpus, owning
from demo.stage import Stage
from demo.storm import storm

__all__ = ["ACTS", "Act"]

Act = Callable[[Stage], None]

FREED_SECONDS = 3.0
"""A freed budget is promised within a second; the table that the demo looks at is written once a second."""


def groups(stage: Stage) -> None:
    stage.transcript.act("An administrator says what each group may hold")
    admin = stage.admin
    admin.run("kubectl apply -f config/samples/groups.yaml", says=("student created", "admin created"))
    stage.transcript.say(
        "Students are the default. The others get their members: people, or groups of people."
    )
    _add_members(stage, "researcher", ("User", "rita"), ("User", "ravi"), ("User", "nina"))
    _add_members(stage, "faculty", ("Group", "faculty"))
    _add_members(stage, "admin", ("User", "olga"))
    for name in ("vision", "speech", "robotics"):
        stage.namespace(name)
    admin.run("kubectl get resourcelimitgroups", says=("student", "researcher", "faculty", "admin"))


def student(stage: Stage) -> None:
    stage.transcript.act("A student: three GPUs, whatever the namespace")
    alice = stage["alice"]
    alice.run("cat train.yaml", says=("nvidia.com/gpu: 1",))
    for name in ("vision", "speech", "robotics"):
        alice.run(f"kubectl -n {name} create -f train.yaml", says=("pod/train created",))
    stage.wait_used("user:alice", "3/3")
    stage.transcript.say("The fourth GPU, a MIG slice in the first namespace again, is one too many:")
    denied = ("denied the request", "AGGREGATE_GPU_QUOTA_EXCEEDED", "AGGREGATE_PODS_QUOTA_EXCEEDED")
    used = ("asked gpu 1, used 3 of 3 GPU units (ResourceLimitGroup/student), 0 still fit",)
    held = ("vision/train", "speech/train", "robotics/train")
    alice.run("kubectl -n vision create -f evaluate.yaml", refused=True, says=(*denied, *used, *held))


def table(stage: Stage) -> None:
    stage.transcript.act("The budget table")
    stage["alice"].run("kubectl get ownerusage", says=("user:alice", "3/3"))
    stage["alice"].run("labquota usage", says=("user:alice", "group student", "gpu", "full"))


def deletion(stage: Stage) -> None:
    stage.transcript.act("A pod goes, the next one passes")
    alice = stage["alice"]
    alice.run("kubectl -n speech delete pod train", says=("deleted",))
    seconds = stage.wait_used("user:alice", "2/3", FREED_SECONDS)
    stage.transcript.say(f"{seconds:.1f} s later the table shows it.")
    alice.run("kubectl -n vision create -f evaluate.yaml", says=("pod/evaluate created",))


def researcher(stage: Stage) -> None:
    stage.transcript.act("A researcher: six GPUs")
    rita = stage["rita"]
    rita.run("labquota limits", says=("user:rita", "researcher"))
    rita.run("kubectl -n vision create -f pretrain.yaml", says=("pod/pretrain created",))
    for name in ("speech", "robotics"):
        rita.run(f"kubectl -n {name} create -f evaluate.yaml", says=("pod/evaluate created",))
    says = ("AGGREGATE_GPU_QUOTA_EXCEEDED", "used 6 of 6 GPU units (ResourceLimitGroup/researcher)")
    rita.run("kubectl -n speech create -f train.yaml", refused=True, says=says)


def unlimited(stage: Stage) -> None:
    stage.transcript.act("An unlimited admin")
    olga = stage["olga"]
    olga.run("kubectl -n vision create -f benchmark.yaml", says=("pod/benchmark created",))
    stage.wait_used("user:olga", "16")
    olga.run("kubectl get ownerusage", says=("user:olga", "admin"))


def per_pod(stage: Stage) -> None:
    stage.transcript.act("The second layer: what one pod may hold")
    stage.transcript.say(
        "Frank is faculty and holds nothing yet. Five GPUs fit his budget of eight, but not one pod:"
    )
    says = ("USER_AT_LIMIT", "asked gpu 5 for one pod, at most 4 GPU units each (ResourceLimitGroup/faculty)")
    stage["frank"].run("kubectl -n vision create -f wide.yaml", refused=True, says=says)


def job(stage: Stage) -> None:
    stage.transcript.act("A Job gives its budget back as its pods complete")
    stage.namespace("sweeps")
    ravi = stage["ravi"]
    ravi.run("kubectl -n sweeps create -f sweep.yaml", says=("job.batch/sweep created",))
    stage.wait_used("user:ravi", "4/6")
    ravi.run("kubectl get ownerusage", says=("user:ravi", "4/6"))
    stage.transcript.say("The nodes are fake; this is how the work on them gets done:")
    ravi.run("kubectl -n sweeps annotate pods --all controlplane/hold-", says=("annotated",))
    ravi.run(
        "kubectl -n sweeps wait --for=condition=complete job/sweep --timeout=30s", says=("condition met",)
    )
    seconds = stage.wait_used("user:ravi", "0/6", FREED_SECONDS)
    stage.transcript.say(f"{seconds:.1f} s later the table shows it.")
    ravi.run("kubectl -n sweeps get pods", says=("Completed",))
    ravi.run("kubectl get ownerusage", says=("user:ravi", "0/6"))


def _add_members(stage: Stage, group: str, *members: tuple[str, str]) -> None:
    subjects = [{"kind": kind, "name": name} for kind, name in members]
    patch = json.dumps({"spec": {"subjects": subjects}})
    line = f"kubectl patch resourcelimitgroup {group} --type=merge -p '{patch}'"
    stage.admin.run(line, says=(f"{group} patched",))


ACTS: tuple[Act, ...] = (
    groups,
    student,
    table,
    deletion,
    researcher,
    unlimited,
    per_pod,
    job,
    owning.deployment,
    owning.custom_resource,
    owning.forged,
    owning.refused_replica,
    owning.nightly,
    storm,
    gpus.nodes,
    gpus.one_gpu,
    gpus.holders,
    gpus.not_requested,
    gpus.drift,
)
