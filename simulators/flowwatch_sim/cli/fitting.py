"""`flowwatch-sim fit`: an archive of counts becomes a scenario."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from flowwatch.adapters.mapping import Import
    from flowwatch.words import Language
    from flowwatch_sim.fitting.days import Days
    from flowwatch_sim.fitting.place import Place


@click.command()
@click.argument("archive", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=str))
@options.documents
@click.option("--mapping", metavar="NAME|FILE", help="The import mapping of CSV files: a file, or the name of one in config/imports.")
@click.option("--site", help="The site that the counters belong to, if not the mapping's own.")
@click.option("--time-zone", metavar="ZONE", help="Whose clocks say when a day begins; the site's or the mapping's otherwise.")
@click.option("--calendar", metavar="CODE", help="The country whose holidays count, such as CN; without it all days are of one kind.")
@click.option(
    "--kinds", metavar="KIND,...", default="workday,weekend,holiday", show_default=True, help="Kinds of day with a demand of their own."
)
@click.option("--hours", metavar="FROM-UNTIL", help="Which hours of a day, such as 9-23 or 18-26; all, from the quietest on, otherwise.")
@click.option("--keep-out", "kept_out", multiple=True, metavar="DATE", help="A day that is not fitted to, once for each.")
@click.option("--each", is_flag=True, help="A stream for each entrance instead of one for the site.")
@click.option("--enclosed", is_flag=True, help="Every way in and out is counted, so that the stay can be told; a site's documents say it.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The scenario's file; standard output otherwise.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.png", help="Draw fit and data (needs matplotlib).")
@options.lang
def fit(
    archive: Sequence[str],
    documents: Path | None,
    mapping: str | None,
    site: str | None,
    time_zone: str | None,
    calendar: str | None,
    kinds: str,
    hours: str | None,
    kept_out: Sequence[str],
    each: bool,
    enclosed: bool,
    out: Path | None,
    plot: Path | None,
    lang: Language,
) -> None:
    """Fit the demand of a scenario to an ARCHIVE of counts: files as `flowwatch ingest` reads them.

    What is fitted: people a day and hours by kind of day, entrances, how counts vary (groups and unrest), and the stay where people are
    counted in and out. The scenario says beside each figure how sure it is, and what remains assumed. A summary goes to standard error.
    """
    from flowwatch.adapters.ingest import Source
    from flowwatch.backtest.ink import NoPlotsError
    from flowwatch.cli.ingesting import Opener, load_mapping
    from flowwatch.documents import Source as Text
    from flowwatch.documents import shipped
    from flowwatch_sim.fitting.archive import NoDemandError, read_counts
    from flowwatch_sim.fitting.days import split
    from flowwatch_sim.fitting.fit import fit as fitted_to
    from flowwatch_sim.fitting.fit import kept_back
    from flowwatch_sim.fitting.place import place_of
    from flowwatch_sim.fitting.telling import summary
    from flowwatch_sim.fitting.writing import scenario_file
    from flowwatch_sim.planned import read_scenario

    country, wanted = _country(calendar), _kinds(kinds)
    clock = _hours(hours)
    document = None if mapping is None else load_mapping(mapping, documents)
    root = shipped() if documents is None else documents
    try:
        counts = read_counts([Source(Opener(name), document, site) for name in archive], document, site)
        place, counts = place_of(counts, root)
        days = _without(split(counts, _zone(time_zone, place, document), clock, country, wanted), kept_out)
        found = fitted_to(days, place.gates, each=each, enclosed=enclosed or place.enclosed)
        tested = kept_back(days, place.gates)
    except NoDemandError as error:
        raise CommandError(Exit.USAGE, f"{', '.join(archive)}: {error}") from error
    told = ", ".join(Path(name).name for name in archive)
    text = scenario_file(found, told, country, lang)
    if place.known:
        read_scenario(Text("fitted.yaml", text.encode()), root)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
    for line in summary(found, tested, counts.left_out, lang):
        click.echo(line, err=True)
    if country is None:
        click.echo("各日未分类：未给出 --calendar" if lang == "zh" else "all days are of one kind: no --calendar was given", err=True)
    if plot is not None:
        from flowwatch_sim.fitting.picture import draw

        try:
            draw(found, plot, lang)
        except NoPlotsError as error:
            raise CommandError(Exit.USAGE, str(error)) from error
        click.echo(f"{plot}", err=True)


def _zone(text: str | None, place: Place, document: Import | None) -> ZoneInfo:
    from msgspec import UnsetType

    from flowwatch.documents.faults import did_you_mean, quoted
    from flowwatch.documents.words import time_zone, time_zone_near

    if text is not None:
        try:
            return time_zone(text)
        except ValueError as error:
            raise CommandError(
                Exit.USAGE, f"--time-zone: found {quoted(text)}, expected one such as Asia/Shanghai{did_you_mean(time_zone_near(text))}"
            ) from error
    if place.zone is not None:
        return place.zone
    if document is None or isinstance(document.time.zone, UnsetType):
        raise CommandError(Exit.USAGE, "found no time zone for the days of the archive, expected --time-zone such as Asia/Shanghai")
    return time_zone(document.time.zone)


def _country(code: str | None) -> str | None:
    from flowwatch.documents.faults import did_you_mean, quoted
    from flowwatch.documents.words import country, country_near

    if code is None:
        return None
    try:
        return country(code)
    except ValueError as error:
        raise CommandError(
            Exit.USAGE, f"--calendar: found {quoted(code)}, expected a country's code such as CN{did_you_mean(country_near(code))}"
        ) from error


def _kinds(text: str) -> list[str]:
    from flowwatch.documents.faults import did_you_mean, listed, near, quoted
    from flowwatch_sim.scenario import DayKind

    known, kinds = [kind.value for kind in DayKind], [part.strip() for part in text.split(",")]
    for kind in kinds:
        if kind not in known:
            raise CommandError(Exit.USAGE, f"--kinds: found {quoted(kind)}, expected {listed(known)}{did_you_mean(near(kind, known))}")
    return kinds


def _hours(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,2})-([0-9]{1,2})", text)
    if not found or not int(found[1]) < int(found[2]) <= min(36, int(found[1]) + 24) or int(found[1]) > 23:
        raise CommandError(Exit.USAGE, f'--hours: found "{text}", expected an hour and a later one, up to 36, such as 9-23 or 18-26')
    return int(found[1]), int(found[2])


def _without(days: Days, dates: Sequence[str]) -> Days:
    from flowwatch.documents.faults import did_you_mean, listed, near, quoted
    from flowwatch_sim.fitting.archive import NoDemandError

    known = [day.isoformat() for day in days.dates]
    for text in dates:
        if text not in known:
            raise CommandError(Exit.USAGE, f"--keep-out: found {quoted(text)}, expected {listed(known)}{did_you_mean(near(text, known))}")
    left = [i for i, day in enumerate(known) if day not in dates]
    if not left:
        raise NoDemandError("found every day kept out, expected one at least to fit to")
    return days.only(left)
