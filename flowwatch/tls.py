"""Encrypted connections that we make: whom we believe, what we show for ourselves, and what is said where there is no such connection."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec import UnsetType

from flowwatch.documents.deployment import ClientTls

ASKS: Final = "does it ask for TLS, or for a certificate of ours?"
UNWELCOME: Final = f"the connection ended before the broker let us in; {ASKS}"
UNWELCOME_ZH: Final = "服务器尚未接纳，连接就断开了；它是否要求加密连接，或要求本方证书？"


class TlsFileError(Exception):
    """An authority, a certificate or a key cannot be used; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom we believe (those that the system believes, if `ca` is left out), and our own certificate, where the peer asks for one."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @classmethod
    def of(cls, said: ClientTls | UnsetType, folder: Path) -> Tls:
        """As the deployment file in `folder` says it."""
        if isinstance(said, UnsetType):
            return cls()
        return cls(*(None if isinstance(file, UnsetType) else folder / file for file in (said.ca, said.certificate, said.key)))

    def context(self) -> ssl.SSLContext:
        """What checks the peer, its name too, from the files as they are now. Raises `TlsFileError`."""
        try:
            made = ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise TlsFileError(f"{self.ca}: {_unusable(error)}, expected certificates in PEM") from error
        if self.certificate is not None:
            try:
                made.load_cert_chain(self.certificate, self.key)
            except OSError as error:
                both = f"{self.certificate} with {self.key}"
                raise TlsFileError(f"{both}: {_unusable(error)}, expected a certificate and its key in PEM") from error
        return made

    def why_not(self, error: BaseException | None, host: str) -> str:
        """Why there is no connection to `host`: of a certificate, what was found and what was expected."""
        behind = _behind(error)
        if isinstance(behind, ssl.SSLCertVerificationError):
            whom = "that the system believes" if self.ca is None else f"of {self.ca}"
            found = behind.verify_message.rstrip(".")
            return f"found a certificate that is not to be believed ({found}), expected one for {host} from an authority {whom}"
        if isinstance(behind, ssl.SSLError):
            reason = str(behind.reason or type(behind).__name__).lower().replace("_", " ")
            if "alert" in reason:
                return f"the server refuses the TLS connection ({reason}), expected it to take what we show it"
            return f"no TLS connection came about ({reason}), expected a server that speaks TLS"
        if isinstance(behind, ConnectionResetError | BrokenPipeError) and self.certificate is None:
            return f"the connection ended ({(behind.strerror or 'reset').lower()}); {ASKS}"
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        return str(error) or (behind and behind.strerror) or type(error).__name__


def _behind(error: BaseException | None) -> OSError | None:
    """What the system or TLS said first, behind what libraries made of it."""
    found = None
    while error is not None and not isinstance(found, ssl.SSLError):
        found = error if isinstance(error, OSError) else found
        error = error.__cause__ or error.__context__
    return found


def _unusable(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"cannot be used ({str(error.reason or 'no PEM').lower().replace('_', ' ')})"
    return f"cannot be read ({(error.strerror or type(error).__name__).lower()})"
