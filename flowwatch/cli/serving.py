"""The command that answers over HTTP: `serve`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit
from flowwatch.cli.workspace import need_log
from flowwatch.workspace import Workspace


@click.command()
@options.data
@options.deployment
@options.listen
@click.option(
    "--tls-certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The certificate with its chain, PEM."
)
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its private key, PEM.")
def serve(workspace: Workspace, deployment: Path | None, listen: str | None, tls_certificate: Path | None, tls_key: Path | None) -> None:
    """Bring readings in and commands out, beside a `run`: HTTP, and what the deployment file names. SIGTERM or Ctrl-C stops it cleanly."""
    from dataclasses import replace

    from flowwatch.documents.deployment import load_deployment
    from flowwatch.service import server
    from flowwatch.service.installation import installation

    need_log(workspace)
    said = None if deployment is None else load_deployment(deployment)
    if (tls_certificate is None) != (tls_key is None):
        raise CommandError(Exit.USAGE, "expected --tls-certificate and --tls-key together")
    try:
        listening = server.Listening.of(said, Path() if deployment is None else deployment.parent, listen)
    except ValueError:
        raise CommandError(Exit.USAGE, f'--listen: "{listen}" is no address, expected one such as 127.0.0.1:8470') from None
    if tls_certificate is not None:
        listening = replace(listening, certificate=tls_certificate, key=tls_key)
    _log_to_stderr()
    with installation(workspace, said, Path() if deployment is None else deployment.parent) as service:
        if listening.is_open:
            how = "; the proxies that it names must encrypt" if listening.proxies else ""
            click.echo(
                f"warning: {listening.host} is open to the network without TLS: passwords and tokens cross it in the clear{how}", err=True
            )
        if not service.parts.users.all():
            click.echo("nobody can log in yet: `flowwatch user add NAME --role admin` makes the first admin", err=True)
        server.run(service.app, listening, lambda address: click.echo(f"serving {address} (documentation: {address}/docs)", err=True))


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("flowwatch")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
