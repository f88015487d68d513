"""Certificates of the tests' own, made by openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """A CA and what it has signed.

    Args:
        directory: for its files.
        name: its name.
        usage: what its key may do; empty if its certificate does not say so.
    """

    def __init__(self, directory: Path, name: str = "ca", usage: str = "keyCertSign,cRLSign") -> None:
        if shutil.which("openssl") is None:
            pytest.fail("openssl is missing; apt-get install openssl")
        self._directory = directory
        self._key = directory / f"{name}.key"
        self.certificate = directory / f"{name}.pem"
        _openssl(
            *("req", "-x509", *_EC, "-keyout", self._key, "-out", self.certificate, "-subj", f"/CN=the {name}"),
            *("-days", "2"),
            *(("-addext", f"keyUsage=critical,{usage}") if usage else ()),
        )

    def sign(
        self,
        name: str,
        *,
        file: str | None = None,
        names: str | None = "",
        days: tuple[str, str] | None = None,
        purpose: str = "",
    ) -> Path:
        """Make a certificate; its key is beside it, with the suffix `.key`.

        Args:
            name: its common name.
            file: the name of the file, without a suffix; None for `name`.
            names: its subjectAltName; empty for the common name as a DNS name, None for none.
            days: from when until when it is valid, as `YYMMDDHHMMSSZ`; None for from now.
            purpose: its extendedKeyUsage; empty for none.
        """
        base = self._directory / (file or name)
        request = base.with_suffix(".csr")
        extensions: tuple[str, ...] = () if names is None else ("-addext", f"subjectAltName={names or f'DNS:{name}'}")
        if purpose:
            extensions += ("-addext", f"extendedKeyUsage={purpose}")
        _openssl("req", *_EC, "-keyout", base.with_suffix(".key"), "-out", request, "-subj", f"/CN={name}", *extensions)
        certificate = base.with_suffix(".pem")
        common = ("-in", request, "-out", certificate, "-copy_extensions", "copy")
        if days is None:
            _openssl("x509", "-req", *common, "-CA", self.certificate, "-CAkey", self._key, "-days", "2")
        else:
            self._sign_for(request, certificate, *days)
        return certificate

    def _sign_for(self, request: Path, certificate: Path, start: str, end: str) -> None:
        """Sign with any dates, which only `openssl ca` can."""
        (self._directory / "index.txt").touch()
        config = self._directory / "ca.cnf"
        config.write_text(
            "[ca]\ndefault_ca = own\n[own]\ncopy_extensions = copy\nunique_subject = no\n"
            f"new_certs_dir = {self._directory}\ndatabase = {self._directory}/index.txt\nrand_serial = yes\n"
            "default_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n"
        )
        _openssl(
            *("ca", "-batch", "-notext", "-config", config, "-cert", self.certificate, "-keyfile", self._key),
            *("-in", request, "-out", certificate, "-startdate", start, "-enddate", end),
        )


def _openssl(*words: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr.decode()
