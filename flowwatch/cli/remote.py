"""A running service looked over from elsewhere, by the figures that it tells at `/metrics`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from flowwatch.cli.exits import CommandError, Exit
from flowwatch.cli.findings import Finding
from flowwatch.cli.health import told
from flowwatch.metrics.judged import judge
from flowwatch.metrics.names import PREFIX

TIMEOUT_S: Final = 15.0
"""The first body of a large installation takes a second."""
VARIABLE: Final = "FLOWWATCH_TOKEN"
_MAKES: Final = "`flowwatch token add doctor --scope metrics:read` makes one"


def figures_of(url: str, token_file: Path | None, now_us: int) -> Iterator[Finding]:
    """What is wrong with the service at `url`; one good word, if nothing is. Raises `CommandError` where it cannot be asked."""
    wrong = judge(_samples(url, _token(token_file)), now_us / 1_000_000)
    if not wrong:
        yield Finding("figures")
    for one in wrong:
        yield told(one)


def _token(file: Path | None) -> str:
    token = os.environ.get(VARIABLE, "") if file is None else file.read_text(encoding="utf-8").partition("\n")[0].strip()
    if not token:
        raise CommandError(Exit.USAGE, f"expected a token, by --token-file or {VARIABLE}; {_MAKES}")
    return token


def _samples(url: str, token: str) -> list[Sample]:
    address = f"{url.rstrip('/')}/metrics"
    headers = {"authorization": f"Bearer {token}", "accept": "text/plain;version=0.0.4"}
    try:
        answer = httpx.get(address, headers=headers, timeout=TIMEOUT_S, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise CommandError(Exit.USAGE, f"{address}: no answer ({error}); expected a running `flowwatch serve`") from None
    if answer.status_code in (401, 403):
        said = "is none that it knows" if answer.status_code == 401 else "may not read the figures"
        raise CommandError(Exit.USAGE, f"{address}: the token {said}; {_MAKES}, for everywhere")
    if answer.status_code != 200:
        raise CommandError(Exit.USAGE, f"{address}: answered {answer.status_code}, expected the figures of a service of flowwatch")
    try:
        found = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    except ValueError:
        found = []
    if not any(sample.name.startswith(PREFIX) for sample in found):
        raise CommandError(Exit.USAGE, f"{address}: what it answered is no figures of flowwatch")
    return found
