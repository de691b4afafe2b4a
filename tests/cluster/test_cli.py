"""The command line against a real API server with labquota, as an admin and as people."""

import json
import os
import select
import signal
import subprocess
from pathlib import Path
from typing import Any

import yaml

from controlplane import User
from controlplane.process import wait_until
from harness import World, manifests
from harness.clients import pods
from labquota_process import PROGRAM, environment, run

HELD = {"controlplane/hold": "true"}


def ask(user: User, *arguments: str, manifest: Any = None, code: int = 0) -> str:
    """What a command prints for a user."""
    stdin = "" if manifest is None else yaml.safe_dump(manifest)
    done = run(*arguments, stdin=stdin, env={"KUBECONFIG": str(user.kubeconfig)})
    assert done.returncode == code, done.stderr
    return done.stdout


def test_i_see_who_i_am_and_which_group_is_mine(world: World) -> None:
    group = world.group("team", aggregate={"gpu": 2}, subjects=[f"group:{world.name('g')}"])
    alice = world.user("alice", (world.name("g"),))
    lines = ask(alice, "limits").splitlines()
    assert lines[0] == f"User:        {alice.name}"
    assert lines[1].startswith(f"User groups: {world.name('g')}, ")
    assert lines[2:4] == [
        f"Owner:       user:{alice.name}",
        f"Group:       {group} (subject group {world.name('g')})",
    ]
    assert lines[-1].split() == ["gpu", "2", f"ResourceLimitGroup/{group}"]
    assert ask(alice, "limits", "--aggregate") == '{"gpu_limit": 2}\n'


def test_an_admin_sees_through_somebody_elses_eyes(world: World) -> None:
    group = world.group("team", aggregate={"gpu": 2}, subjects=[f"group:{world.name('g')}"])
    seen = ("limits", "--as", "bob", "--as-group", "x", "--as-group", world.name("g"), "-o", "json")
    answer = json.loads(ask(world.plane.admin, *seen))
    assert (answer["owner"], answer["group"]) == ("user:bob", group)
    assert answer["identity"]["groups"][:2] == ["x", world.name("g")]


async def test_explain_refuses_in_the_very_words_of_the_webhook(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("solo", aggregate={"gpu": 2}, subjects=[f"user:{alice.name}"])
    pod = manifests.pod("second", where, gpu=2)
    async with world.client(alice) as client:
        first = await client.create_pod(manifests.pod("first", where, gpu=1, annotations=HELD))
        assert first.ok, first.message
        assert wait_until(lambda: settled(world, alice, gpu="1"), 10)
        assert wait_until(lambda: ";" not in (world.ledger(f"user:{alice.name}") or ";"), 10), "it is folded"
        refused = await client.create_pod(pod)
    assert refused.status == 403
    line = refused.message.partition("denied the request: ")[2]
    assert line.startswith(f"AGGREGATE_GPU_QUOTA_EXCEEDED: user:{alice.name} asked gpu 2, used 1 of 2")
    assert f"Held by {where}/first (gpu 1)" in line
    mine = ask(alice, "explain", "-f", "-", manifest=pod, code=1)
    assert mine.splitlines()[-1] == line.replace("at most 8 s", "at most 44 s")
    owner = f"user:{alice.name}"
    theirs = ask(
        world.plane.admin, "explain", "-f", "-", "--as-owner", owner, "-o", "json", manifest=pod, code=1
    )
    assert json.loads(theirs)["results"][0]["message"] == line


async def test_a_pod_that_exists_is_explained_without_its_own_charge(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("solo", aggregate={"gpu": 2}, subjects=[f"user:{alice.name}"])
    async with world.client(alice) as client:
        first = await client.create_pod(manifests.pod("first", where, gpu=2, annotations=HELD))
        assert first.ok, first.message
    assert wait_until(lambda: settled(world, alice, gpu="2"), 10)
    for user in (alice, world.plane.admin):
        answer = json.loads(ask(user, "explain", "first", "-n", where, "-o", "json"))
        (result,) = answer["results"]
        assert result["owner"] == f"user:{alice.name}"
        assert result["ownerWhy"] == "the pod's stamp, annotation labquota.dev/owner"
        assert (result["resources"]["gpu"]["used"], result["resources"]["gpu"]["remains"]) == ("0", "2")


def test_a_deployments_pods_belong_to_who_creates_it(world: World) -> None:
    alice, bob = world.user("alice"), world.user("bob")
    where = world.namespace(owner=world.owner(bob))
    world.group("solo", aggregate={"gpu": 2}, subjects=[f"user:{alice.name}"])
    deployment = manifests.deployment("web", where, replicas=3, gpu=1)
    (result,) = json.loads(ask(alice, "explain", "-f", "-", "-o", "json", manifest=deployment, code=1))[
        "results"
    ]
    assert (result["owner"], result["admitted"]) == (world.owner(alice), 2)
    assert result["ownerWhy"] == "who creates a workload owns its pods"


async def test_the_defaults_of_a_limit_range_count_as_in_the_cluster(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("solo", aggregate={"cpu": 2, "memory": "2Gi"}, subjects=[f"user:{alice.name}"])
    item = {"type": "Container", "default": {"cpu": "3", "memory": "1Gi"}, "defaultRequest": {"cpu": "1"}}
    limit_range = {"metadata": {"name": "defaults"}, "spec": {"limits": [item]}}
    pod = manifests.pod("bare", where, containers=[{"name": "a", "image": "none"}])
    ask(alice, "explain", "-f", "-", manifest=pod, code=1)
    world.plane.client.create(f"/api/v1/namespaces/{where}/limitranges", limit_range)
    (result,) = json.loads(ask(alice, "explain", "-f", "-", "-o", "json", manifest=pod))["results"]
    async with world.client(alice) as client:
        made = await client.create_pod(pod)
        assert made.ok, made.message
    stored = made.body["spec"]["containers"][0]["resources"]
    amounts = result["demand"]["pod"]
    assert {"cpu": amounts["limits.cpu"], "memory": amounts["limits.memory"]} == stored["limits"]
    assert {"cpu": amounts["requests.cpu"], "memory": amounts["requests.memory"]} == stored["requests"]


async def test_usage_shows_what_is_held_and_check_tells_when_it_is_too_much(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    subject = f"user:{alice.name}"
    world.group("solo", aggregate={"gpu": 2}, subjects=[subject])
    async with world.client(alice) as client:
        made = await client.create_pod(manifests.pod("first", where, gpu=2, annotations=HELD))
        assert made.ok, made.message
    assert wait_until(lambda: settled(world, alice, gpu="2"), 10)
    text = ask(alice, "usage", "--check")
    gpu = next(line for line in text.splitlines() if line.startswith("gpu "))
    assert gpu.split()[1:3] == ["2", "2"]
    assert "full" in gpu
    assert f"{where}/first" in text
    world.group("solo", aggregate={"gpu": 1}, subjects=[subject])
    assert wait_until(lambda: bool(world.usage(f"user:{alice.name}").get("overLimit")), 10)
    assert "OVER" in ask(alice, "usage", "--check", code=1)
    assert json.loads(ask(alice, "usage", "-o", "json"))["overLimit"] == ["gpu"]


def test_usage_w_follows_until_ctrl_c(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("solo", aggregate={"gpu": 2}, subjects=[f"user:{alice.name}"])
    with subprocess.Popen(
        [*PROGRAM, "usage", "-w"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment({"KUBECONFIG": str(alice.kubeconfig)}),
    ) as process:
        try:
            until(process, "ResourceLimitGroup/")
            alice.client().create(pods(where), manifests.pod("first", where, gpu=1, annotations=HELD))
            until(process, f"{where}/first")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, said.strip()) == (130, b"")


def test_without_rights_one_line_says_which_is_missing(world: World, tmp_path: Path) -> None:
    config = yaml.safe_load(world.plane.admin.kubeconfig.read_text())
    config["users"] = [{"name": config["users"][0]["name"], "user": {}}]
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    done = run("limits", env={"KUBECONFIG": str(path)})
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        'Error: not permitted: selfsubjectreviews.authentication.k8s.io is forbidden: User "system:'
    )


def test_version_names_what_the_cluster_serves(world: World) -> None:
    lines = ask(world.user("alice"), "version").splitlines()
    assert lines[1] == "cluster: labquota.dev/v1alpha1"


def settled(world: World, user: User, gpu: str) -> bool:
    """Whether the published budget shows this and nothing is reserved any more."""
    usage = world.usage(f"user:{user.name}")
    return usage.get("used", {}).get("gpu") == gpu and not usage.get("reserved")


def until(process: "subprocess.Popen[bytes]", text: str) -> None:
    """Read its output until it holds a text."""
    assert process.stdout is not None
    seen = b""
    while text.encode() not in seen:
        ready, _, _ = select.select([process.stdout], [], [], 30)
        assert ready, f"{text!r} did not come, only {seen.decode()!r}"
        piece = os.read(process.stdout.fileno(), 65536)
        assert piece, f"ended without {text!r}: {seen.decode()!r}"
        seen += piece
