"""A server that clients write bytes to, over TLS and in plain text."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlplane.certificates import Authority
from labquota import serving
from labquota.webhook import listening
from unit.lines import Served


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder: Path = tmp_path_factory.mktemp("tls")
    pair = Authority(folder).server("webhook")
    return serving.tls_context(str(pair.certificate), str(pair.key))


@pytest.fixture(params=["TLS", "plain"])
async def served(request: pytest.FixtureRequest, context: ssl.SSLContext) -> AsyncIterator[Served]:
    one = Served(context if request.param == "TLS" else None)
    one.listener = await listening.listen(one.echo, "127.0.0.1", 0, tls=one.tls, most=8)
    yield one
    await one.close()
