"""GPUs that nobody asked for: what of a pod reaches one, and for whom that is refused."""

from typing import Any

import pytest

from labquota.api import LabelSelector
from labquota.quota import environments, explain
from labquota.quota.admission import decide
from labquota.quota.gpusettings import GPUSettings
from labquota.quota.ledger import EMPTY, Book
from labquota.quota.lookups import Found, Lookup
from labquota.webhook import review
from unit.builders import group
from unit.reached import LIMITED, SLICE, body, case, container, found, limited, lines, pod, unread, variable

CODE = "GPU_NOT_REQUESTED"
VISIBLE = "NVIDIA_VISIBLE_DEVICES"
DEV = {"name": "dev", "hostPath": {"path": "/dev"}}


@pytest.mark.parametrize(
    "value", ["all", "0", "GPU-1", "0,1", " all ", "none,0", "nvidia.com/gpu=all", "$(OTHER)"]
)
def test_a_variable_that_names_gpus_is_refused_by_container_and_field(value: str) -> None:
    place = f"spec.containers[main].env[{VISIBLE}]"
    assert found(pod(container(env=[variable(value)]))) == [(CODE, place)]


@pytest.mark.parametrize("value", ["", "void", "none", " void ", "all,void", ","])
def test_a_variable_that_names_no_gpu_passes(value: str) -> None:
    assert found(pod(container(env=[variable(value)]))) == []


def test_the_line_names_the_container_the_field_and_what_to_do() -> None:
    [line] = lines(pod(container("side", env=[variable("all")])))
    assert line == (
        f'container side sets {VISIBLE} to "all" and so reaches GPUs that it does not ask for; leave it out: '
        "ask for nvidia.com/gpu or a MIG slice under resources.limits"
    )


def test_all_gpus_beside_a_request_for_one_slice_are_refused_too() -> None:
    [line] = lines(pod(container(env=[variable("all")], resources=SLICE)))
    assert line == (
        f'container main sets {VISIBLE} to "all" and so reaches more GPUs than it asks for; leave it out: '
        "the device plugin sets it"
    )


def test_a_long_value_is_cut() -> None:
    [line] = lines(pod(container(env=[variable("GPU-" * 1000)])))
    assert len(line) < 250


@pytest.mark.parametrize("field", ["containers", "initContainers"])
@pytest.mark.parametrize("restart", [{}, {"restartPolicy": "Always"}])
def test_containers_of_every_kind_are_looked_at(field: str, restart: dict[str, str]) -> None:
    reaches = container("odd", env=[variable("all")], **(restart if field == "initContainers" else {}))
    spec = {"containers": [container()], field: [container("first"), reaches]}
    manifest = pod()
    manifest["spec"] = spec
    assert found(manifest) == [(CODE, f"spec.{field}[odd].env[{VISIBLE}]")]


def test_a_variable_whose_value_is_written_elsewhere_is_refused_without_a_read() -> None:
    for source in (
        {"configMapKeyRef": {"name": "env", "key": "gpus"}},
        {"secretKeyRef": {"name": "env", "key": "gpus"}},
        {"fieldRef": {"fieldPath": "metadata.annotations['gpus']"}},
    ):
        manifest = pod(container(env=[{"name": VISIBLE, "valueFrom": source}]))
        [line] = lines(manifest)
        assert line.startswith(f"container main sets {VISIBLE} from elsewhere and so reaches GPUs")
        assert unread(manifest) == []


def test_the_variable_of_old_cuda_images_is_refused_where_nothing_else_is_said() -> None:
    old = variable("11.0", "CUDA_VERSION")
    assert found(pod(container(env=[old]))) == [(CODE, "spec.containers[main].env[CUDA_VERSION]")]
    assert found(pod(container(env=[old, variable("void")]))) == []
    assert found(pod(container(env=[old, variable("cuda>=11.0", "NVIDIA_REQUIRE_CUDA")]))) == []
    assert found(pod(container(env=[old], resources=SLICE))) == [], (
        "the device plugin sets the other variable"
    )
    assert found(pod(container(env=[variable("", "CUDA_VERSION")]))) == []


def env_from(name: str = "env", kind: str = "configMapRef", prefix: str = "") -> dict[str, Any]:
    source: dict[str, Any] = {kind: {"name": name}}
    return {**source, "prefix": prefix} if prefix else source


CONFIG = Lookup("configmaps", "lab", "env")
SECRET = Lookup("secrets", "lab", "env")


def test_what_an_environment_takes_as_a_whole_is_read_first() -> None:
    manifest = pod(container(envFrom=[env_from(), env_from(kind="secretRef"), env_from()]))
    assert unread(manifest) == [CONFIG, SECRET]
    facts = {CONFIG: Found(variables={VISIBLE: "all"}), SECRET: Found()}
    assert found(manifest, facts=facts) == [(CODE, f"spec.containers[main].envFrom[{VISIBLE}]")]
    [line] = lines(manifest, facts=facts)
    assert line.startswith(f'container main sets {VISIBLE} to "all" by ConfigMap env and so reaches GPUs')
    facts = {CONFIG: Found(), SECRET: Found(variables={VISIBLE: "GPU-1"})}
    [line] = lines(manifest, facts=facts)
    assert line.startswith(f"container main sets {VISIBLE} by Secret env and so reaches GPUs"), (
        "no value is shown"
    )


def test_a_prefix_may_complete_the_variable() -> None:
    manifest = pod(container(envFrom=[env_from(prefix="NVIDIA_")]))
    assert found(manifest, facts={CONFIG: Found(variables={"VISIBLE_DEVICES": "all"})}) != []
    assert found(manifest, facts={CONFIG: Found(variables={VISIBLE: "all"})}) == []
    assert unread(pod(container(envFrom=[env_from(prefix="APP_")]))) == [], "no key can complete it"


def test_of_several_sources_the_last_counts_and_the_containers_own_word_before_all() -> None:
    other = Lookup("configmaps", "lab", "other")
    facts = {CONFIG: Found(variables={VISIBLE: "all"}), other: Found(variables={VISIBLE: "void"})}
    both = [env_from(), env_from("other")]
    assert found(pod(container(envFrom=both)), facts=facts) == []
    assert found(pod(container(envFrom=both[::-1])), facts=facts) != []
    said = pod(container(envFrom=both[::-1], env=[variable("void")]))
    assert found(said) == [], "and nothing needs to be read for it"


def test_sources_that_are_not_there_or_closed_bring_nothing() -> None:
    manifest = pod(container(envFrom=[env_from(), env_from(kind="secretRef")]))
    facts = {CONFIG: Found(exists=False), SECRET: Found(exists=False, readable=False)}
    assert found(manifest, facts=facts) == []


def test_more_sources_than_are_looked_through_are_refused_unless_the_containers_say_it_themselves() -> None:
    many = [env_from(f"env-{number}") for number in range(environments.MOST_SOURCES + 1)]
    [line] = lines(pod(container(envFrom=many)))
    assert line.startswith(
        "its containers take variables from 17 ConfigMaps and Secrets, of which at most 16"
    )
    assert unread(pod(container(envFrom=many))) == []
    assert found(pod(container(envFrom=many, env=[variable("void")]))) == []


@pytest.mark.parametrize(
    "path",
    [
        "/dev",
        "/dev/",
        "//dev/./",
        "/",
        "///",
        "/dev/nvidia0",
        "/dev/nvidiactl",
        "/dev/nvidia-caps/nvidia-cap1",
        "/dev/char",
        "/dev/char/195:0",
        "/run",
        "/run/nvidia/driver",
        "/var/run/nvidia/driver/dev",
        "/home/../dev",
        "/proc/1/root/dev/nvidia0",
        "/proc/self/cwd",
        "/dev/nvidia0/.",
    ],
)
def test_a_folder_of_the_node_that_holds_device_files_is_refused(path: str) -> None:
    volume = {"name": "dev", "hostPath": {"path": path}}
    assert found(pod(volumes=[volume])) == [(CODE, "spec.volumes[dev].hostPath.path")]


@pytest.mark.parametrize(
    "path",
    [
        "/data",
        "/dev/shm",
        "/dev/fuse",
        "/dev/infiniband",
        "/devel",
        "/proc",
        "/proc/meminfo",
        "/run/user",
        "/var",
    ],
)
def test_other_folders_of_the_node_are_nobodys_concern_here(path: str) -> None:
    assert found(pod(volumes=[{"name": "data", "hostPath": {"path": path}}])) == []


def test_a_mount_that_names_gpus_to_nvidias_runtime_is_refused() -> None:
    mount = {"name": "null", "mountPath": "/var/run//nvidia-container-devices/all"}
    null = {"name": "null", "hostPath": {"path": "/dev/null"}}
    manifest = pod(container(volumeMounts=[mount]), volumes=[null])
    assert found(manifest) == [(CODE, "spec.containers[main].volumeMounts[null]")]


def test_a_privileged_container_is_refused_and_one_that_only_says_that_it_is_not_passes() -> None:
    yes, no = (container(securityContext={"privileged": value}) for value in (True, False))
    assert found(pod(yes)) == [(CODE, "spec.containers[main].securityContext.privileged")]
    assert found(pod(no)) == []
    [line] = lines(pod(yes))
    assert line == (
        "container main is privileged and so reaches every GPU of its node; leave securityContext.privileged out, "
        "or have an administrator trust the namespace"
    )


@pytest.mark.parametrize("key", ["cdi.k8s.io/x", "nvidia.cdi.k8s.io/container.main"])
def test_an_annotation_that_asks_a_runtime_for_gpus_is_refused(key: str) -> None:
    assert found(pod(annotations={key: "nvidia.com/gpu=all"})) == [(CODE, f"metadata.annotations[{key}]")]
    assert found(pod(annotations={key: "vendor.com/net=a, k8s.device-plugin.nvidia.com/gpu=0"})) != []
    assert found(pod(annotations={key: "lab.example/gpu=0"})) != []
    assert found(pod(annotations={key: "vendor.com/net=eth1"})) == []


def test_an_annotation_that_asks_cri_o_for_device_files_is_refused() -> None:
    key = "io.kubernetes.cri-o.Devices"
    assert found(pod(annotations={key: "/dev/fuse, /dev/nvidia0:/dev/nvidia0:rw"})) == [
        (CODE, f"metadata.annotations[{key}]")
    ]
    assert found(pod(annotations={key: "/dev/fuse:/dev/fuse"})) == []


def test_of_a_variable_that_is_set_twice_the_one_that_reaches_counts() -> None:
    for twice in ([variable("all"), variable("void")], [variable("void"), variable("all")]):
        assert found(pod(container(env=twice))) == [(CODE, f"spec.containers[main].env[{VISIBLE}]")]


def test_an_nvidia_runtime_class_is_refused_where_no_container_asks_for_a_gpu() -> None:
    assert found(pod(runtimeClassName="nvidia")) == [(CODE, "spec.runtimeClassName")]
    assert found(pod(runtimeClassName="nvidia-cdi")) == [(CODE, "spec.runtimeClassName")]
    asks = container(resources=SLICE)
    assert found(pod(asks, container("side"), runtimeClassName="nvidia")) == [], "it has to be named then"


def test_a_runtime_class_of_another_name_is_known_by_its_handler() -> None:
    lookup = Lookup("runtimeclasses", "", "fast")
    manifest = pod(runtimeClassName="fast")
    assert unread(manifest) == [lookup]
    assert found(manifest, facts={lookup: Found(handler="nvidia-legacy")}) == [
        (CODE, "spec.runtimeClassName")
    ]
    assert found(manifest, facts={lookup: Found(handler="gvisor")}) == []
    settings = GPUSettings(runtime_classes=frozenset({"fast"}))
    assert found(manifest, limited(settings)) == [(CODE, "spec.runtimeClassName")]


def test_every_way_is_named_and_each_once() -> None:
    manifest = pod(
        container(env=[variable("all")], securityContext={"privileged": True}),
        annotations={"cdi.k8s.io/a": "nvidia.com/gpu=0"},
        volumes=[DEV],
        runtimeClassName="nvidia",
    )
    assert len(found(manifest)) == 5


REACHES = pod(container(env=[variable("all")]))


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        ({"aggregate": {"gpu": 3}}, True),
        ({"aggregate": {"gpu-equivalents": "1"}}, True),
        ({"aggregate": {"gpu-memory": "40Gi"}}, True),
        ({"aggregate": {"nvidia.com/mig-1g.10gb": 1}}, True),
        ({"perPod": {"gpu": 1}}, True),
        ({"allowWholeGPU": False}, True),
        ({"aggregate": {"requests.cpu": 4}}, False),
        ({"aggregate": {"gpu": "unlimited"}}, False),
        ({"aggregate": {"gpu": 3}, "enforcement": "Off"}, False),
        ({}, False),
    ],
)
def test_only_owners_whose_gpus_are_limited_have_anything_to_get_around(
    spec: dict[str, Any],
    refused: bool,  # noqa: FBT001  a column of the table
) -> None:
    assert bool(found(REACHES, limited(None, group(**spec)))) is refused


def test_for_whom_nothing_is_limited_nothing_is_read() -> None:
    manifest = pod(container(envFrom=[env_from()]), runtimeClassName="fast")
    assert unread(manifest, limited(None, group(aggregate={"pods": 3}))) == []


def test_under_a_group_that_only_warns_it_is_a_warning() -> None:
    judged = case(
        review.decode(body(REACHES)), limited(None, group(aggregate={"gpu": 3}, enforcement="Warn"))
    )
    verdict = decide(judged, Book(EMPTY))
    assert verdict.allowed
    [line] = explain.warnings(judged, verdict)
    assert line.startswith(f'labquota would refuse this: {CODE}: container main sets {VISIBLE} to "all"')


def test_where_the_administrator_says_so_it_is_told_or_nothing_is() -> None:
    for mode, told in (("Warn", 1), ("Off", 0)):
        of = limited(GPUSettings(not_requested=mode))  # type: ignore[arg-type]  # from the table above
        judged = case(review.decode(body(REACHES)), of)
        verdict = decide(judged, Book(EMPTY))
        assert verdict.allowed
        assert verdict.reservation is not None, "it is counted like any other pod"
        warned = explain.warnings(judged, verdict)
        assert len(warned) == told
        assert all(line.startswith(f"labquota would refuse this: {CODE}: container main") for line in warned)


def test_trusted_namespaces_are_nobodys_concern() -> None:
    assert found(REACHES, limited(GPUSettings(trusted_namespaces=frozenset({"lab"})))) == []
    selector = LabelSelector(match_labels={"gpus": "trusted"})
    of = limited(GPUSettings(trusted_selector=selector))
    assert found(REACHES, of) != []
    of.put_namespace("lab", {"gpus": "trusted"}, {})
    assert found(REACHES, of) == []


def test_a_static_pod_is_never_refused() -> None:
    mirror = pod(container(env=[variable("all")]), annotations={"kubernetes.io/config.mirror": "x"})
    assert found(mirror, user="system:node:gpu-0") == []


def debugged(*late: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return pod(ephemeralContainers=list(late), **spec)


def test_an_ephemeral_container_is_judged_and_what_was_there_before_is_not() -> None:
    first, second = container("first", env=[variable("all")]), container("second")
    reaches = container("third", env=[variable("all")])
    old, sub = debugged(first, securityContext={}), "ephemeralcontainers"
    assert found(debugged(first, second), old=old, sub=sub) == []
    assert found(debugged(first, reaches), old=old, sub=sub) == [
        (CODE, f"spec.ephemeralContainers[third].env[{VISIBLE}]")
    ]
    privileged = container("root", securityContext={"privileged": True})
    assert len(found(debugged(first, privileged), old=old, sub=sub)) == 1


def test_an_ephemeral_container_may_not_mount_what_its_pod_was_trusted_with() -> None:
    old = debugged(volumes=[DEV])
    mounts = container("late", volumeMounts=[{"name": "dev", "mountPath": "/d"}])
    sub = "ephemeralcontainers"
    assert found(debugged(container("late"), volumes=[DEV]), old=old, sub=sub) == []
    assert found(debugged(mounts, volumes=[DEV]), old=old, sub=sub) == [
        (CODE, "spec.volumes[dev].hostPath.path")
    ]


def test_whoever_debugs_anothers_pod_counts_as_much_as_its_owner() -> None:
    free = group("staff", subjects=[{"kind": "User", "name": "alice"}], defaultFor=[])
    of, old, sub = limited(None, LIMITED, free), debugged(), "ephemeralcontainers"
    new = debugged(container("late", env=[variable("all")]))
    assert found(new, of, old=old, sub=sub, user="alice") == []
    assert found(new, of, old=old, sub=sub, user="bob") != [], "bob is limited, though the pod is alice's"


def test_who_is_limited_reaches_no_gpu_through_a_pod_that_nobody_limits() -> None:
    nobodys = {"labquota.dev/owner": "namespace:infra"}
    old, sub = pod(annotations=nobodys), "ephemeralcontainers"
    new = pod(annotations=nobodys, ephemeralContainers=[container("late", env=[variable("all")])])
    assert found(new, old=old, sub=sub, user="bob") != []


def test_an_annotation_that_is_added_later_is_judged_and_one_that_stays_is_not() -> None:
    with_one = {"cdi.k8s.io/a": "nvidia.com/gpu=0"}
    assert found(pod(annotations=with_one), old=pod()) == [(CODE, "metadata.annotations[cdi.k8s.io/a]")]
    assert found(pod(annotations=with_one), old=pod(annotations=with_one)) == []


def test_a_resize_is_never_refused_for_what_its_pod_reaches() -> None:
    assert found(REACHES, old=REACHES, sub="resize") == []
