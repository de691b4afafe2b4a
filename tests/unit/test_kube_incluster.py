"""A pod's own account, and the client that needs nothing but it."""

import subprocess
import sys
from pathlib import Path

import pytest

from controlplane.certificates import Authority
from labquota.kube import incluster
from labquota.kube.errors import CredentialsError, NotFound
from labquota.kube.incluster import ServiceAccount
from labquota.kube.lean import LeanApi
from unit.fake_api import refuse, reply, serving
from unit.test_kube_credentials import Hand

POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}


@pytest.fixture
def account(tmp_path: Path) -> Path:
    (tmp_path / "ca.crt").write_bytes(Authority(tmp_path / "made", "test").certificate.read_bytes())
    (tmp_path / "token").write_text("first\n")
    return tmp_path


async def test_a_pod_proves_who_it_is_by_the_token_that_the_kubelet_renews(account: Path) -> None:
    clock = Hand()
    found = incluster.load(clock, str(account), POD)
    assert found.server == "https://10.0.0.1:6443"
    assert await found.headers() == {"Authorization": "Bearer first"}
    (account / "token").write_text("second")
    assert await found.headers() == {"Authorization": "Bearer first"}
    clock.seconds += incluster.REFRESH_SECONDS
    assert await found.headers() == {"Authorization": "Bearer second"}
    (account / "token").unlink()
    clock.seconds += incluster.REFRESH_SECONDS
    assert await found.headers() == {"Authorization": "Bearer second"}, "it is gone for a moment"


def test_an_address_of_the_newer_kind_is_written_in_brackets(account: Path) -> None:
    found = incluster.load(Hand(), str(account), {"KUBERNETES_SERVICE_HOST": "fd00::1"})
    assert found.server == "https://[fd00::1]:443"


def test_what_is_missing_is_told_in_one_line(account: Path, tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match=r"this runs in no pod .* Set KUBECONFIG"):
        incluster.load(Hand(), str(account), {})
    with pytest.raises(CredentialsError, match=r"cannot use the service account in .*nowhere"):
        incluster.load(Hand(), str(tmp_path / "nowhere"), POD)
    (account / "ca.crt").write_text("no certificate")
    with pytest.raises(CredentialsError, match="cannot use the service account"):
        incluster.load(Hand(), str(account), POD)


async def test_lists_and_refusals_come_over_the_lean_client_as_over_the_other(account: Path) -> None:
    async with serving() as fake:
        proof = ServiceAccount(fake.url, account, Hand())
        proof.tls = None
        async with LeanApi(proof) as api:
            fake.script(reply({"items": []}), refuse(404, "NotFound", "no such thing"))
            assert await api.get("/api/v1/things", {"limit": "1"}) == b'{"items": []}'
            assert fake.requests[0].headers["Authorization"] == "Bearer first"
            assert fake.queries()[0] == {"limit": "1"}
            with pytest.raises(NotFound, match="no such thing"):
                _ = [part async for part in api.read("/api/v1/things", {})]


def test_an_agents_way_to_the_api_server_needs_no_large_package() -> None:
    code = (
        "import sys, labquota.kube.lean, labquota.kube.incluster, labquota.kube.informer;"
        "print(sorted({'aiohttp', 'kubernetes', 'kopf', 'yaml', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
