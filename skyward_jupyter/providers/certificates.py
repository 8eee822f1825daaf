"""The certificates of a pool: an authority made for it alone, and one certificate that every member and client shows.

Whoever cannot show it is refused before anything is read from the connection. Keys are EC P-256; the files are
readable by this user only.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from skyward_jupyter.agent.cluster import AUTHORITY, CERTIFICATE, KEY
from skyward_jupyter.providers.token import write_private

_VALID = timedelta(days=365)
_SKEW = timedelta(days=1)


def make(directory: Path, pool: str) -> None:
    """Write the authority, the certificate and its key for `pool` into `directory`."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name = f"authority of {pool}"
    authority = _certificate(authority_name, authority_name, authority_key, authority_key, authority=True)
    certificate = _certificate(pool, authority_name, key, authority_key, authority=False)
    plain = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    write_private(directory / AUTHORITY, authority.public_bytes(pem))
    write_private(directory / CERTIFICATE, certificate.public_bytes(pem))
    write_private(directory / KEY, key.private_bytes(pem, pkcs8, plain))


def _certificate(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, *, authority: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("node")]), critical=False)
        .sign(signer, hashes.SHA256())
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
