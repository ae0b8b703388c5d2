"""nginx before the server, as at an ingress: TLS, HTTP/2, a path that it strips, and its own ideas of buffers and of large bodies."""

from __future__ import annotations

import datetime
import ipaddress
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from acceptance.conftest import until

_CONF = """
daemon off; worker_processes 1; error_log stderr warn; pid {folder}/nginx.pid; {user}
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
  proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header Connection "";
  server {{ listen 127.0.0.1:{streaming} ssl http2; location {prefix}/ {{ proxy_pass {target}/; }} }}
  server {{
    listen 127.0.0.1:{buffering} ssl;
    location {prefix}/ {{ proxy_pass {target}/; proxy_ignore_headers X-Accel-Buffering; }}
  }}
}}
"""


@dataclass
class Nginx:
    """The addresses of its two servers: one as it is by default, one that buffers whatever it is asked,
    over HTTP/1.1: over HTTP/2 nginx passes each chunk on at once, buffers or not."""

    streaming: str
    buffering: str


def program() -> str:
    """nginx itself; skips without it, but not in CI."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("no nginx was found")
        pytest.skip("no nginx was found (Debian: nginx-light)")
    return found


@contextmanager
def nginx(folder: Path, target: str, prefix: str, ports: tuple[int, int]) -> Iterator[Nginx]:
    """A running nginx that serves the target below the prefix."""
    _certificate(folder)
    (folder / "nginx.conf").write_text(
        _CONF.format(
            folder=folder, target=target, prefix=prefix, streaming=ports[0], buffering=ports[1],
            user="user root;" if os.geteuid() == 0 else "",
        ), "utf-8",
    )  # fmt: skip
    command = [program(), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    addresses = [f"https://127.0.0.1:{port}{prefix}" for port in ports]

    def answers() -> bool:
        assert process.poll() is None, (folder / "nginx.log").read_text("utf-8")
        try:
            return httpx.get(f"{addresses[1]}/livez", verify=False).status_code == 200
        except httpx.TransportError:
            return False

    try:
        until("nginx to answer", answers)
        yield Nginx(*addresses)
    finally:
        process.terminate()
        process.wait(30)


def _certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "anchorage.test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
