"""A certificate authority of our own: server certificates for loopback, client certificates for users and groups.

ECDSA P-256 throughout: a key takes a fraction of a millisecond, so users can be added at any time.
"""

import datetime as dt
import ipaddress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Authority", "Pair", "new_key"]

_DAY = dt.timedelta(days=1)


class Pair(NamedTuple):
    """Two PEM files: a certificate and its private key."""

    certificate: Path
    key: Path


def new_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Make a private key and keep it in `path` (PEM, SEC 1: what Kubernetes reads), readable by us alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return key


class Authority:
    """Signs certificates and keeps everything it makes in one folder."""

    def __init__(self, folder: Path, name: str = "controlplane") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.certificate = folder / "ca.crt"
        self._key = new_key(folder / "ca.key")
        self._name = _subject(name, ())
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._write(builder.add_extension(usage, critical=True), self.certificate)

    def server(self, name: str, hosts: tuple[str, ...] = ()) -> Pair:
        """A certificate for a server on 127.0.0.1, localhost and the DNS names in `hosts`."""
        loopback = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        names = x509.SubjectAlternativeName([*loopback, *(x509.DNSName(host) for host in hosts)])
        return self._issue(name, _subject(name, ()), ExtendedKeyUsageOID.SERVER_AUTH, names)

    def client(self, file: str, user: str, groups: tuple[str, ...] = ()) -> Pair:
        """A certificate that the API server reads as `user` (at most 64 characters) in `groups`."""
        return self._issue(file, _subject(user, groups), ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def _issue(
        self,
        file: str,
        subject: x509.Name,
        use: x509.ObjectIdentifier,
        names: x509.SubjectAlternativeName | None,
    ) -> Pair:
        pair = Pair(self._folder / f"{file}.crt", self._folder / f"{file}.key")
        builder = self._builder(subject, new_key(pair.key).public_key())
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        self._write(builder, pair.certificate)
        return pair

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder(issuer_name=self._name, subject_name=subject, public_key=key)
        builder = builder.serial_number(x509.random_serial_number())
        # Python 3.13 and later refuse a certificate without these two.
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        return builder.not_valid_before(now - _DAY).not_valid_after(now + 30 * _DAY)

    def _write(self, builder: x509.CertificateBuilder, path: Path) -> None:
        signed = builder.sign(self._key, hashes.SHA256())
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def _subject(user: str, groups: tuple[str, ...]) -> x509.Name:
    organisations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organisations, x509.NameAttribute(NameOID.COMMON_NAME, user)])
