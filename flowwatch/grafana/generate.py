"""Write the dashboards anew: `python -m flowwatch.grafana.generate`. A test keeps the files current."""

from __future__ import annotations

from flowwatch.grafana.boards import BOARDS
from flowwatch.grafana.dashboards import file_of
from flowwatch.grafana.render import rendered
from flowwatch.words import Language

LANGUAGES: tuple[Language, ...] = ("en", "zh")


def main() -> None:
    """Write every dashboard in both languages."""
    for lang in LANGUAGES:
        for board in BOARDS:
            file = file_of(board.name, lang)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(rendered(board, lang), encoding="utf-8")


if __name__ == "__main__":
    main()
