"""What the demo plays about GPUs: whole, cut and shared ones, who holds which, and one that goes and comes back."""

import time

from controlplane.process import wait_until
from demo import gpunodes
from demo.shell import Unexpected
from demo.stage import Person, Stage

__all__ = ["drift", "holders", "nodes", "not_requested", "one_gpu"]

MIA = "user:mia"
FOUND_SECONDS = 10.0
"""Agents look every second here; the operator judges what they report at once."""


def nodes(stage: Stage) -> None:
    stage.transcript.act("GPUs as they are: whole cards, slices and replicas")
    stage.transcript.say(
        "Three more nodes, as NVIDIA's GPU operator makes them. Their GPUs are made up; the agent on each is real: it "
        "asks NVML what there is, and the kubelet who has it."
    )
    stage.gpu_nodes.update(gpunodes.start(stage))
    labels = "-L nvidia.com/gpu.product -L nvidia.com/mig.strategy -L nvidia.com/gpu.replicas"
    names = (gpunodes.WHOLE, gpunodes.SLICES, gpunodes.SHARED)
    stage.admin.run(f"kubectl get nodes -l nvidia.com/gpu.present {labels}", says=names)
    says = ("2 x NVIDIA H200", "1 x 4g.20gb", "1 x NVIDIA L40S")
    stage.admin.run("kubectl get gpunodes", says=(*names, *says))


def one_gpu(stage: Stage) -> None:
    stage.transcript.act("One GPU, however it is cut")
    stage.namespace("lab")
    stage.admin.run("cat tests/demo/files/seminar.yaml", says=("gpu-equivalents: 1",))
    stage.admin.run("kubectl apply -f tests/demo/files/seminar.yaml", says=("seminar created",))
    mia = stage["mia"]
    mia.run("labquota limits", says=("user:mia", "seminar", "gpu-equivalents"))
    mia.run("cat large.yaml", says=("nvidia.com/mig-4g.20gb: 1",))
    mia.run("kubectl -n lab create -f large.yaml", says=("pod/large created",))
    says = ("pod/medium created", f"{MIA} now uses gpu-equivalents 1 of 1 GPUs (ResourceLimitGroup/seminar)")
    mia.run("kubectl -n lab create -f medium.yaml", says=says)
    if not wait_until(lambda: _equivalents(stage) == "1/1 and 0 reserved", 5, every=0.05):
        expected = f"the budget of {MIA} to show 1/1 equivalents and 0 reserved"
        raise Unexpected(expected, f"it shows {_equivalents(stage)}")
    stage.transcript.say("4g and 3g are a whole GPU. A seventh of another one is too much:")
    denied = (
        "AGGREGATE_GPU_QUOTA_EXCEEDED",
        "asked gpu-equivalents 0.143, used 1 of 1 GPUs (ResourceLimitGroup/seminar), 0 still fit",
        "Held by lab/large (gpu-equivalents 0.571), lab/medium (gpu-equivalents 0.5)",
    )
    mia.run("kubectl -n lab create -f small.yaml", refused=True, says=denied)
    mia.run("labquota usage", says=(MIA, "gpu-equivalents", "full"))


def holders(stage: Stage) -> None:
    stage.transcript.act("Who holds what")
    stage["frank"].run("kubectl -n lab create -f finetune.yaml", says=("pod/finetune created",))
    made = ("pod/notebook-0 created", "pod/notebook-1 created")
    stage["ravi"].run("kubectl -n lab create -f notebooks.yaml", says=made)
    began = time.monotonic()
    if not wait_until(lambda: _phases(stage) == ["Bound"] * 5, FOUND_SECONDS, every=0.1):
        raise Unexpected(
            "the five pods to be bound to their devices", f"they are {', '.join(_phases(stage))}"
        )
    stage.transcript.say(f"{time.monotonic() - began:.1f} s later it is known which devices they have.")
    stage.admin.run("kubectl -n lab get gpunodes,gpuallocations -o wide", says=("user:mia", "Bound"))
    says = ("1 of 2 devices held", "lab/large", "lab/medium", "user:frank", "lab/finetune", "2 of 4 held")
    stage["mia"].run("labquota gpus", says=says)


def not_requested(stage: Stage) -> None:
    stage.transcript.act("A pod that reaches for GPUs without asking for one")
    mia = stage["mia"]
    mia.run("cat peek.yaml", says=("NVIDIA_VISIBLE_DEVICES",))
    says = ("GPU_NOT_REQUESTED", 'sets NVIDIA_VISIBLE_DEVICES to "all"')
    mia.run("kubectl -n lab create -f peek.yaml", refused=True, says=says)


def drift(stage: Stage) -> None:
    stage.transcript.act("Books and hardware disagree, and agree again")
    node, admin, frank = stage.gpu_nodes[gpunodes.WHOLE], stage.admin, stage["frank"]
    (gpu,) = node.kubelet.devices("lab", "finetune")
    allocation = f"gpuallocation/pod-{_uid(frank, 'finetune')}"
    shell = gpunodes.at(node, stage.transcript)
    stage.transcript.say("The GPU under Frank's pod falls off the bus. This is how GPUs that are made up do:")
    shell.run(f"sed -i '/uuid: {gpu}/a\\  lost: true' node.yaml")
    wait = f"kubectl -n lab wait {allocation} --timeout={FOUND_SECONDS:g}s"
    admin.run(f"{wait} --for=condition=Missing", says=("condition met",))
    message = "-o jsonpath='{.status.conditions[?(@.type==\"Missing\")].message}'"
    says = (f"{gpu} is gone: node {node.name} has lost GPU {gpu}",)
    frank.run(f"kubectl -n lab get {allocation} {message}", says=says)
    frank.run(f"labquota gpus --node {node.name}", says=("lost", "Missing"))
    stage.transcript.say("After a reset it is back, and nobody has to tidy up:")
    shell.run("sed -i '/lost: true/d' node.yaml")
    admin.run(f"{wait} --for=condition=Missing=false", says=("condition met",))
    if not wait_until(lambda: "NoMissing" in _events(frank, allocation), 5, every=0.1):
        raise Unexpected(f"an Event on {allocation} that says so", "none within 5 s")
    frank.run(f"kubectl -n lab events --for {allocation}", says=("Missing", "NoMissing"))
    clear = frank.run(f"labquota gpus --node {node.name}", says=("user:frank", "lab/finetune"))
    if "Missing" in clear.text or "lost" in clear.text:
        raise Unexpected(f"nothing to be wrong with {node.name} any more", clear.out)


def _equivalents(stage: Stage) -> str:
    status = stage.usage(MIA)
    used = (status.get("summary") or {}).get("equivalents", "nothing")
    return f"{used} and {(status.get('reserved') or {}).get('gpu-equivalents', 0)} reserved"


def _phases(stage: Stage) -> list[str]:
    path = "/apis/labquota.dev/v1alpha1/namespaces/lab/gpuallocations"
    return [each.get("status", {}).get("phase", "unknown") for each in stage.plane.client.get(path)["items"]]


def _uid(who: Person, pod: str) -> str:
    return who.quietly(f"kubectl -n lab get pod {pod} -o jsonpath={{.metadata.uid}}").out


def _events(who: Person, what: str) -> str:
    return who.quietly(f"kubectl -n lab events --for {what}").out
