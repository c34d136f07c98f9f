"""Placeholders in the texts of alerts: which there are, and what is wrong with a text that has others.

`{inside}` is replaced by a figure when the alert is sent; `{{` and `}}` are braces. The engine fills them in, here they are checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from flowwatch.documents.faults import did_you_mean, near, quoted

PLACEHOLDERS: Final = {
    "site": "the title of the site",
    "zone": "the title of the zone whose condition made the stage due",
    "inside": "people in that zone as estimated",
    "lower": "lower edge of the band around them",
    "upper": "upper edge of the band around them",
    "capacity": "capacity of that zone",
    "share": "people inside as a share of the capacity",
    "stage": "the title of the stage",
    "bar": "the bar that was crossed",
    "gates_in": "the gates that lead in",
    "gates_out": "the gates that lead out",
    "minutes_to_clear": "minutes until the zone would be empty, with the gates as they stand",
}
"""Name -> what stands there when the alert is sent."""
_TOKEN: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def wrong_placeholders(text: str) -> Iterator[str]:
    """What is wrong with `text` as a template, one sentence each.

    >>> list(wrong_placeholders("{insid} people {{sic}}"))[0][-24:]
    'did you mean "{inside}"?'
    """
    names = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    for token in _TOKEN.finditer(text):
        if token[0] in ("{", "}"):
            yield f'found a single "{token[0]}", expected a placeholder such as {{inside}}, or {token[0] * 2} for the brace itself'
        elif token[1] is not None and token[1] not in PLACEHOLDERS:
            meant = near(token[1].strip(), PLACEHOLDERS)
            yield f"found the placeholder {quoted(token[0])}, expected one of {names}{did_you_mean(f'{{{meant}}}' if meant else None)}"
