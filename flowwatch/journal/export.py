"""The journal as lines of JSON: canonical, and plain.

The canonical form defines what "the same journal" means: one line an entry by (chain, seq), then one line an estimate by (site, at), keys
sorted, bodies byte for byte as they were hashed. Two journals are identical if these bytes are. The plain form is for people and their
tools: ids, and times as ISO 8601 in UTC.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flowwatch.core.entries import Entry, Estimate

TIMES: Final = {
    "at_us": "at",
    "tick_us": "tick_at",
    "minute_us": "minute_at",
    "since_us": "since_at",
    "until_us": "until_at",
    "from_us": "from_at",
    "due_us": "due_at",
    "counted_at_us": "counted_at",
    "valid_from_us": "valid_from_at",
    "valid_to_us": "valid_to_at",
}
"""The keys of bodies that hold a moment, with their names once it is text. Other `_us` keys are durations and stay numbers."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def canonical_lines(items: Iterable[Entry | Estimate]) -> Iterator[bytes]:
    """The canonical line of each item, with its newline; `Journal.walk` gives the items in the canonical order."""
    for item in items:
        if isinstance(item, Entry):
            chain, kind = _quoted(item.chain), _quoted(item.kind)
            yield b'{"at_us":%d,"body":%b,"chain":%b,"hash":"%b","kind":%b,"seq":%d}\n' % (
                item.at,
                item.body,
                chain,
                item.hash.hex().encode(),
                kind,
                item.seq,
            )
        else:
            yield b'{"at_us":%d,"body":%b,"site":%b}\n' % (item.at, item.body, _quoted(item.site))


def plain_lines(items: Iterable[Entry | Estimate]) -> Iterator[str]:
    """Each item as JSON for people and their tools, with its newline."""
    for item in items:
        yield json.dumps(plain(item), ensure_ascii=False) + "\n"


def plain(item: Entry | Estimate) -> dict[str, Any]:
    """An item as plain values: id, kind, time as text, and its body with times as text."""
    body = with_times(json.loads(item.body))
    if isinstance(item, Entry):
        return {"id": item.id, "kind": item.kind.value, "at": iso(item.at), "hash": item.hash.hex(), "body": body}
    return {"kind": "estimate", "site": item.site, "at": iso(item.at), "body": body}


def body_of(entry: Entry) -> dict[str, Any] | None:
    """An entry's body; None where it is no JSON object, because it was damaged on the disk: whoever tells of many entries goes on behind it."""
    try:
        body = json.loads(entry.body)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def with_times(value: Any) -> Any:
    """`value` with every moment in it (`TIMES`) as text, at any depth."""
    if isinstance(value, dict):
        return {TIMES.get(k, k): iso(v) if k in TIMES and isinstance(v, int) else with_times(v) for k, v in value.items()}
    return [with_times(v) for v in value] if isinstance(value, list) else value


def iso(at: int) -> str:
    """Microseconds since the epoch as ISO 8601 in UTC; the number itself where no calendar has it.

    >>> iso(1_790_834_600_000_000)
    '2026-10-01T06:03:20.000000Z'
    """
    try:
        return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except OverflowError:
        return str(at)


def _quoted(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False).encode()
