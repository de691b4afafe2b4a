"""What the demo plays about owners: pods that people do not make themselves, and stamps that nobody can forge."""

import time

from controlplane.process import wait_until
from demo.shell import Unexpected
from demo.stage import FILES, Person, Stage

__all__ = ["custom_resource", "deployment", "forged", "nightly", "refused_replica"]

NINA = "user:nina"
NIGHT_SECONDS = 75.0
APPEARS_SECONDS = 2.0
"""A refused replica is promised within two seconds of the budget that it needs."""


def deployment(stage: Stage) -> None:
    stage.transcript.act("Almost no pod is made by its person: a Deployment")
    stage.namespace("studio")
    nina = stage["nina"]
    nina.run("kubectl -n studio create -f serve.yaml", says=("deployment.apps/serve created",))
    stage.wait_used(NINA, "2/6")
    nina.run("kubectl get pods -A -l labquota.dev/user=nina", says=("serve-",))
    nina.run("kubectl -n studio create -f nightly.yaml", says=("cronjob.batch/nightly created",))
    stage.transcript.say("The CronJob's first night is at the next full minute.")


def custom_resource(stage: Stage) -> None:
    stage.transcript.act("A custom resource, whose operator makes its pods")
    nina, operator = stage["nina"], stage["operator"]
    nina.run("cat owners.yaml", says=("trainings.example.org",))
    nina.run("kubectl -n studio create -f training.yaml", says=("training.example.org/llm created",))
    uid = operator.quietly("kubectl -n studio get training llm -o jsonpath={.metadata.uid}").out
    (operator.folder / "worker.yaml").write_text((FILES / "worker.yaml").read_text().replace("UID", uid))
    operator.run("cat worker.yaml", says=(uid,))
    operator.run("kubectl -n studio create -f worker.yaml", says=("pod/llm-worker-0 created",))
    stage.transcript.say(
        "The reference to the Training says whose the pod is, and not what its template says:"
    )
    owner = "-o jsonpath='{.metadata.annotations.labquota\\.dev/owner}'"
    nina.run(f"kubectl -n studio get pod llm-worker-0 {owner}", says=(NINA,))
    stage.wait_used(NINA, "3/6")


def forged(stage: Stage) -> None:
    stage.transcript.act("A forged stamp")
    nina = stage["nina"]
    stage.transcript.say("Whatever somebody writes on a new pod, it is theirs:")
    line = "kubectl -n studio run own --image=none --annotations=labquota.dev/owner=user:olga"
    asks = '"resources":{"requests":{"cpu":"1","memory":"1Gi"}}'
    limits = f'{{"spec":{{"containers":[{{"name":"own","image":"none",{asks}}}]}}}}'
    nina.run(f"{line} --overrides='{limits}'", says=("pod/own created",))
    owner = "-o jsonpath='{.metadata.annotations.labquota\\.dev/owner}'"
    nina.run(f"kubectl -n studio get pod own {owner}", says=(NINA,))
    stage.transcript.say("Afterwards nobody changes it:")
    change = "kubectl -n studio annotate --overwrite pod own labquota.dev/owner=user:olga"
    nina.run(change, refused=True, says=("OWNER_FORGED", 'stays "user:nina"'))
    change = "kubectl -n studio annotate --overwrite deployment serve labquota.dev/owner=user:olga"
    nina.run(change, refused=True, says=("OWNER_FORGED",))
    nina.run("kubectl -n studio delete pod own", says=("deleted",))


def refused_replica(stage: Stage) -> None:
    stage.transcript.act("A refused replica comes by itself when there is budget again")
    nina = stage["nina"]
    stage.transcript.say("Nina may have five pods. Four replicas beside the training fit, six do not:")
    says = ("deployment.apps/serve scaled", "Warning")
    nina.run("kubectl -n studio scale deployment serve --replicas=6", says=says)
    _replicas(stage, 4, 10)
    if not wait_until(lambda: "BudgetExceeded" in _events(nina), 10):
        raise Unexpected("an Event on Deployment serve that says why", "none within 10 s")
    nina.run("kubectl -n studio events --for deployment/serve", says=("BudgetExceeded", "QUOTA_EXCEEDED"))
    nina.run("kubectl -n studio delete pod llm-worker-0 --wait=false", says=("deleted",))
    seconds = _replicas(stage, 5, APPEARS_SECONDS)
    stage.transcript.say(f"{seconds:.1f} s later the fifth replica is there.")
    nina.run("kubectl -n studio get deployment serve", says=("serve",))


def nightly(stage: Stage) -> None:
    stage.transcript.act("A CronJob, whose Jobs' pods are its author's")
    nina = stage["nina"]
    nina.run("kubectl -n studio scale deployment serve --replicas=1", says=("scaled",))
    stage.transcript.progress("waiting for the next full minute")
    if not wait_until(lambda: _nights(nina) > 0, NIGHT_SECONDS):
        raise Unexpected("the CronJob to make a pod at the full minute", f"none within {NIGHT_SECONDS:g} s")
    stage.wait_used(NINA, "2/6")
    nina.run("kubectl -n studio get pods -l labquota.dev/user=nina", says=("nightly-", "serve-"))


def _replicas(stage: Stage, count: int, seconds: float) -> float:
    """Wait until the Deployment has so many pods; after how many seconds it has."""
    nina = stage["nina"]

    def there() -> bool:
        found = nina.quietly("kubectl -n studio get pods -l app=serve -o name").out
        return len(found.split()) == count

    began = time.monotonic()
    if not wait_until(there, seconds, every=0.05):
        raise Unexpected(f"{count} replicas within {seconds:g} s", "another number")
    return time.monotonic() - began


def _events(nina: Person) -> str:
    return nina.quietly("kubectl -n studio events --for deployment/serve").out


def _nights(nina: Person) -> int:
    found = nina.quietly("kubectl -n studio get pods -o name").out.split()
    return sum("nightly-" in each for each in found)
