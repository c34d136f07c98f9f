"""What the tests of the feed share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.feed.live import Live, live


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Live]:
    """A live folder and a service that listens on a port."""
    with live(tmp_path) as made:
        yield made
