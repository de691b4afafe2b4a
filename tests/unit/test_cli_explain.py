"""`labquota explain` without a cluster."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import manifests
from labquota_process import SAMPLES, error, run

OFFLINE = ("--config", SAMPLES, "--as", "alice")


def explain(*objects: Any, options: tuple[str, ...] = OFFLINE, code: int = 0) -> dict[str, Any]:
    done = run("explain", "-f", "-", *options, "-o", "json", stdin=yaml.safe_dump_all(objects))
    assert done.returncode == code, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_pod_that_fits_would_pass_and_the_exit_code_is_0() -> None:
    answer = explain(manifests.pod("train", cpu=4, memory="8Gi", gpu=1))
    (result,) = answer["results"]
    assert answer["allowed"] is True
    assert (result["owner"], result["group"], result["message"]) == ("user:alice", "student", None)
    assert result["resources"]["gpu"] == {
        "asked": "1",
        "used": "0",
        "reserved": "0",
        "limit": "3",
        "remains": "3",
        "setBy": "ResourceLimitGroup/student",
        "perPod": "3",
        "perPodSetBy": "ResourceLimitGroup/student",
    }


def test_a_pod_over_the_limit_is_refused_in_the_webhooks_words_and_the_exit_code_is_1() -> None:
    pod = manifests.pod("train", cpu=4, memory="8Gi", gpu=2)
    answer = explain(pod, options=(*OFFLINE, "--used", "gpu=2"), code=1)
    (result,) = answer["results"]
    assert result["message"] == (
        "AGGREGATE_GPU_QUOTA_EXCEEDED: user:alice asked gpu 2, used 2 of 3 GPU units "
        "(ResourceLimitGroup/student), 1 still fit. Delete a pod or let one finish, or ask for less"
    )
    assert [cause["reason"] for cause in result["causes"]] == ["AGGREGATE_GPU_QUOTA_EXCEEDED"]


def test_every_container_is_reckoned() -> None:
    pod = manifests.pod(
        "train",
        containers=[
            manifests.container("a", cpu=1, memory="1Gi"),
            manifests.container("b", cpu=2, memory="1Gi"),
        ],
        spec={
            "initContainers": [
                manifests.container("proxy", cpu="500m", memory="1Gi", restartPolicy="Always"),
                manifests.container("fetch", cpu=1, memory="9Gi"),
            ],
        },
    )
    demand = explain(pod)["results"][0]["demand"]
    kinds = [(each["name"], each["kind"], each["amounts"]["requests.cpu"]) for each in demand["containers"]]
    assert kinds == [
        ("a", "container", "1"),
        ("b", "container", "2"),
        ("proxy", "sidecar", "500m"),
        ("fetch", "init", "1"),
    ]
    assert demand["pod"]["requests.cpu"] == "3500m"
    assert demand["pod"]["requests.memory"] == "10Gi"


def test_documents_are_judged_in_order_each_counted_for_those_after_it() -> None:
    pods = [manifests.pod(name, cpu=1, memory="1Gi", gpu=2) for name in ("first", "second")]
    third = manifests.pod("third", cpu=1, memory="1Gi", gpu=1)
    answer = explain(*pods, third, code=1)
    assert [result["allowed"] for result in answer["results"]] == [True, False, True]
    assert answer["results"][2]["resources"]["gpu"]["used"] == "2"


def test_a_templates_pods_belong_to_its_author_and_those_that_fit_are_counted(tmp_path: Path) -> None:
    (tmp_path / "limits.yaml").write_text(
        yaml.safe_dump(manifests.group("people", aggregate={"gpu": 3}, default_for=["User"]))
    )
    options = ("--config", str(tmp_path), "--as", "alice")
    deployment = manifests.deployment("web", "vision", replicas=5, gpu=1)
    (result,) = explain(deployment, options=options, code=1)["results"]
    assert (result["owner"], result["pods"], result["admitted"]) == ("user:alice", 5, 3)
    done = run("explain", "-f", "-", *options, stdin=yaml.safe_dump(deployment))
    assert "3 of 5 pods would pass; the next would be refused:\nAGGREGATE_GPU_QUOTA_EXCEEDED" in done.stdout
    assert "(who creates a workload owns its pods)" in done.stdout


def test_a_job_has_as_many_pods_as_run_at_once() -> None:
    job = manifests.job("sweep", completions=2, cpu=1, memory="1Gi")
    cron = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "nightly"},
        "spec": {"schedule": "@daily", "jobTemplate": {"spec": {**job["spec"], "parallelism": None}}},
    }
    answer = explain({"kind": "List", "items": [job, cron]})
    assert [result["pods"] for result in answer["results"]] == [2, 1]


def test_what_the_user_wrote_into_the_stamp_does_not_count() -> None:
    pod = manifests.pod("train", annotations={"labquota.dev/owner": "user:bob"}, cpu=1, memory="1Gi")
    assert explain(pod)["results"][0]["owner"] == "user:alice"
    other = explain(pod, options=(*OFFLINE, "--as-owner", "user:carol"))["results"][0]
    assert (other["owner"], other["ownerWhy"]) == ("user:carol", "as --as-owner says")


def test_a_container_that_leaves_a_limited_key_unset_is_refused_by_name() -> None:
    (result,) = explain(manifests.pod("train", gpu=1), code=1)["results"]
    assert result["message"].startswith(
        "REQUEST_REQUIRED: requests.cpu is limited for user:alice; set resources.requests.cpu for: main"
    )


def test_what_makes_no_pods_is_left_out_with_a_note() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    pod = manifests.pod("train", cpu=1, memory="1Gi")
    done = run("explain", "-f", "-", *OFFLINE, stdin=yaml.safe_dump_all([service, pod]))
    assert done.stderr == "note: left out, since they make no pods: Service\n"
    assert done.stdout.endswith("\nWould pass.\n")
    assert error("explain", "-f", "-", *OFFLINE, stdin=yaml.safe_dump(service), code=2) == (
        "standard input holds nothing that makes pods, only Service"
    )


POD = yaml.safe_dump(manifests.pod("train", "vision", cpu=1, memory="1Gi"))


@pytest.mark.parametrize(
    ("arguments", "stdin", "line"),
    [
        ((), "", "say what to explain: a POD, or a file with -f (and not both)"),
        (
            ("train", *OFFLINE),
            "",
            "--config answers without a cluster, so there is no POD to look at: use -f FILE",
        ),
        (("-f", "/nowhere", *OFFLINE), "", "cannot read /nowhere: No such file or directory"),
        (("-f", "-", *OFFLINE), "[1]", "standard input, document 1 is no Kubernetes object: it has no kind"),
        (
            ("-f", "-", *OFFLINE, "-n", "x"),
            POD,
            "standard input: Pod vision/train is not in namespace x, which -n asks for",
        ),
        (
            ("-f", "-", "--config", SAMPLES),
            POD,
            "Pod vision/train: say who makes it: --as USER or --as-owner OWNER",
        ),
        (
            ("-f", "-", *OFFLINE, "--used", "gpu"),
            POD,
            '--used "gpu": it has no =; write KEY=AMOUNT, as in gpu=2',
        ),
        (
            ("-f", "-", *OFFLINE),
            "kind: Pod\nspec: {containers: [{name: 1}]}",
            "standard input, document 1: Pod/unnamed: Expected `str`, got `int` - at `$.spec.containers[0].name`",
        ),
        (
            ("-f", "-", *OFFLINE),
            "kind: Deployment\nspec: {replicas: 99999, template: {spec: {containers: [{name: a}]}}}",
            "standard input, document 1: Deployment/unnamed: 99999 pods; at most 10000 can be explained",
        ),
    ],
)
def test_bad_input_is_one_clear_line(arguments: tuple[str, ...], stdin: str, line: str) -> None:
    assert error("explain", *arguments, stdin=stdin, code=2) == line


def test_broken_yaml_is_one_line_with_its_place() -> None:
    line = error("explain", "-f", "-", *OFFLINE, stdin="a: b: c", code=2)
    assert (
        line
        == 'standard input is not YAML: mapping values are not allowed here in "<stdin>", line 1, column 5'
    )


def test_an_unreadable_quantity_is_a_refusal_and_no_traceback() -> None:
    (result,) = explain(manifests.pod("train", cpu="1e999999999x", memory="1Gi"), code=1)["results"]
    assert result["message"].startswith('INVALID_REQUEST: container "main": cpu: quantity')


def test_a_pod_that_reaches_for_gpus_is_refused_in_the_webhooks_words() -> None:
    main = manifests.container(
        "main", cpu=1, memory="1Gi", env=[{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]
    )
    (result,) = explain(manifests.pod("sly", containers=[main]), code=1)["results"]
    assert result["message"].startswith(
        'GPU_NOT_REQUESTED: container main sets NVIDIA_VISIBLE_DEVICES to "all" and so reaches GPUs'
    )
    (result,) = explain(manifests.deployment("sly", containers=[main]), code=1)["results"]
    assert result["causes"][0]["field"] == "spec.containers[main].env[NVIDIA_VISIBLE_DEVICES]"


def test_what_is_in_other_objects_is_left_out_without_a_cluster_and_told() -> None:
    main = manifests.container("main", cpu=1, memory="1Gi", envFrom=[{"configMapRef": {"name": "env"}}])
    done = run(
        "explain", "-f", "-", *OFFLINE, stdin=yaml.safe_dump(manifests.pod("train", containers=[main]))
    )
    assert done.returncode == 0, done.stderr
    assert "note: configmaps env is not looked at without a cluster, and may reach GPUs" in done.stderr


def test_fields_that_are_left_empty_are_no_mistake() -> None:
    pod = manifests.pod("train", cpu=1, memory="1Gi")
    pod["spec"] |= {"volumes": None, "resourceClaims": None, "runtimeClassName": None}
    pod["spec"]["containers"][0] |= {"env": None, "envFrom": None, "securityContext": None}
    assert explain(pod)["allowed"]
