"""Dashboards as data made into Grafana's JSON, by its own SDK for Python: needed to generate, not to run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from grafana_foundation_sdk.builders import bargauge, common, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus as promql
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from flowwatch.grafana.board import GOOD, WARN, Board, Both, Choice, Panel, Row, Shape, Value
from flowwatch.grafana.boards import BAND
from flowwatch.grafana.query import WHERE, of, rise
from flowwatch.words import Language

WIDTH: Final = 24
"""Columns of a dashboard."""
SOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
TAG: Final = "flowwatch"
_REFS: Final = "ABCDEFGH"
_ALL: Final = ".+"
_AREA: Final = "/^(.*)\\/[^\\/]+$/"
"""The label `area` is a site's path: its area's and its own name behind it."""
_BUILDERS: Final[dict[Shape, Any]] = {
    Shape.TIME: timeseries.Panel,
    Shape.STAT: stat.Panel,
    Shape.NAME: stat.Panel,
    Shape.STATES: statetimeline.Panel,
    Shape.BARS: bargauge.Panel,
    Shape.TABLE: table.Panel,
}


def rendered(board: Board, lang: Language) -> str:
    """The dashboard in one language, as the file that Grafana reads."""
    made = (
        build.Dashboard(_in(board.title, lang))
        .uid(f"flowwatch-{board.name}-{lang}")
        .description(_in(board.meaning, lang))
        .tags([TAG, lang])
        .timezone("browser")
        .time(board.span, "now")
        .refresh("15s")
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(_others(lang))
    )
    for variable in _variables(board, lang):
        made = made.with_variable(variable)
    if board.transitions:
        for mark in _transitions(lang):
            made = made.annotation(mark)
    number, top = 1, 0
    for row in board.rows:
        made = made.with_row(_row(row, lang, top).id(number))
        number, top = number + 1, top + 1
        for panel, place in _placed(row.panels, top):
            made = made.with_panel(_panel(panel, lang).id(number).grid_pos(place))
            number += 1
        top = max(place.y + place.h for _, place in _placed(row.panels, top))
    plain = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    for mark in plain["annotations"].get("list", ()):  # the SDK has no fields for these
        mark |= {"titleFormat": "{{site}} {{plan}}", "textFormat": mark["name"], "step": "15s"}
    return json.dumps(plain, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _in(text: Both, lang: Language) -> str:
    return text.zh if lang == "zh" else text.en


def _row(row: Row, lang: Language, top: int) -> build.Row:
    return build.Row(_in(row.title, lang)).grid_pos(model.GridPos(h=1, w=WIDTH, x=0, y=top))


def _placed(panels: Sequence[Panel], top: int) -> list[tuple[Panel, model.GridPos]]:
    """Panels from left to right, and below where the width is used up."""
    placed, x, y, tallest = [], 0, top, 0
    for panel in panels:
        if x + panel.width > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        placed.append((panel, model.GridPos(h=panel.height, w=panel.width, x=x, y=y)))
        x, tallest = x + panel.width, max(tallest, panel.height)
    return placed


# ---- panels


def _panel(panel: Panel, lang: Language) -> Any:
    made = (
        _BUILDERS[panel.shape]()
        .title(_in(panel.title, lang))
        .description(_in(panel.meaning, lang))
        .datasource(SOURCE)
        .unit(panel.unit)
        .no_value("无数据" if lang == "zh" else "no data")
        .mappings(_mappings(panel.values if not panel.valued else (), lang))
        .thresholds(build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps([_step(at, colour) for at, colour in panel.steps]))
    )
    if panel.decimals is not None:
        made = made.decimals(panel.decimals)
    if panel.least is not None:
        made = made.min(panel.least)
    for ref, query in zip(_REFS, panel.queries, strict=False):
        made = made.with_target(_target(ref, query.expr, _in(query.legend, lang), panel.shape))
    for code, properties in _named(panel, lang).items():
        made = made.override_by_name(code, properties)
    return _shaped(made, panel, lang)


def _named(panel: Panel, lang: Language) -> dict[str, list[model.DynamicConfigValue]]:
    """Code that a series goes by -> what it is called, and its colour."""
    found: dict[str, list[model.DynamicConfigValue]] = {}
    for code, text in panel.words:
        found.setdefault(code, []).append(_property("displayName", _in(text, lang)))
    for code, colour in panel.colours:
        found.setdefault(code, []).append(_property("color", {"mode": "fixed", "fixedColor": colour}))
    return found


def _property(name: str, value: object) -> model.DynamicConfigValue:
    return model.DynamicConfigValue(id_val=name, value=value)


def _shaped(made: Any, panel: Panel, lang: Language) -> Any:
    """What only panels of this shape have."""
    colours = model.FieldColorModeId
    match panel.shape:
        case Shape.TIME:
            shown = common_models.TooltipDisplayMode.MULTI
            made = made.fill_opacity(10 if panel.stacked else 0).tooltip(common.VizTooltipOptions().mode(shown)).span_nulls(False)
            if panel.stacked:
                made = made.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
            return _banded(made, lang) if panel.band else made
        case Shape.STAT | Shape.NAME:
            text = common_models.BigValueTextMode.NAME if panel.shape is Shape.NAME else common_models.BigValueTextMode.VALUE_AND_NAME
            made = made.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"])).text_mode(text)
            return made.graph_mode(common_models.BigValueGraphMode.NONE).color_scheme(build.FieldColor().mode(colours.THRESHOLDS))
        case Shape.BARS:
            made = made.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"])).display_mode(
                common_models.BarGaugeDisplayMode.BASIC
            )
            return (
                made.orientation(common_models.VizOrientation.HORIZONTAL).color_scheme(build.FieldColor().mode(colours.THRESHOLDS)).min(0)
            )
        case Shape.STATES:
            return made.show_value(common_models.VisibilityMode.AUTO).merge_values(True).row_height(0.9)
        case Shape.TABLE:
            return _columns(made, panel, lang)


def _banded(made: Any, lang: Language) -> Any:
    """The band is filled, the estimate stands out of it, bars are dashed."""
    lower, estimate, upper = (_in(text, lang) for text in BAND)
    edge = [_property("custom.lineWidth", 1), _property("color", {"mode": "fixed", "fixedColor": GOOD})]
    filled = [_property("custom.fillBelowTo", lower), _property("custom.fillOpacity", 25)]
    made = made.override_by_name(lower, edge).override_by_name(upper, edge + filled)
    made = made.override_by_name(estimate, [_property("custom.lineWidth", 3), _property("color", {"mode": "fixed", "fixedColor": "text"})])
    return made.override_by_regexp("^(bar|阈值)", [_property("custom.lineStyle", {"fill": "dash", "dash": [10, 10]})])


def _columns(made: Any, panel: Panel, lang: Language) -> Any:
    """One row for each site: the answers of all queries side by side, with headings."""
    names = {field: _in(text, lang) for field, text in panel.columns}
    order = {field: place for place, field in enumerate(names)}
    out = {"Time": True, "site": True, "Value #A": True}
    made = made.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    options = {"excludeByName": out, "indexByName": order, "renameByName": names}
    made = made.with_transformation(model.DataTransformerConfig(id_val="organize", options=options))
    for field, unit in panel.units:
        made = made.override_by_name(names[field], [model.DynamicConfigValue(id_val="unit", value=unit)])
    if panel.valued:
        mapped = [mapping.to_json() for mapping in _mappings(panel.values, lang)]
        cell = _property("custom.cellOptions", {"type": "color-background", "mode": "basic"})
        made = made.override_by_name(names[panel.valued], [_property("mappings", mapped), cell])
    return made


def _target(ref: str, expr: str, legend: str, shape: Shape) -> promql.Dataquery:
    made = promql.Dataquery().ref_id(ref).datasource(SOURCE).expr(expr)
    if shape is Shape.TABLE:
        return made.instant().format(PromQueryFormat.TABLE)
    made = made.legend_format(legend or "__auto")
    return made.instant() if shape in (Shape.STAT, Shape.NAME, Shape.BARS) else made.range()


def _step(at: float | None, colour: str) -> model.Threshold:
    return model.Threshold(value=at, color=colour)


def _mappings(values: Sequence[Value], lang: Language) -> list[model.ValueMapping]:
    if not values:
        return []
    results = {
        one.value: model.ValueMappingResult(text=_in(one.text, lang), color=one.colour, index=place) for place, one in enumerate(values)
    }
    return [model.ValueMap(options=results)]


# ---- what is chosen at the top, what is marked, where links lead


def _variables(board: Board, lang: Language) -> list[Any]:
    zh = lang == "zh"
    found: list[Any] = [
        build.DatasourceVariable("datasource").label("数据源" if zh else "Data source").type("prometheus"),
        _choice("job", "采集任务" if zh else "Job", "label_values(flowwatch_build_info, job)"),
        _choice("instance", "实例" if zh else "Instance", 'label_values(flowwatch_build_info{job=~"$job"}, instance)'),
    ]
    site = f'{{{WHERE},area=~"($area)(/.+)?"}}'
    sites = f"label_values(flowwatch_site_info{site}, site)"
    for choice in board.choices:
        match choice:
            case Choice.AREA:
                query = f"label_values(flowwatch_site_info{{{WHERE}}}, area)"
                found.append(_choice("area", "辖区" if zh else "Area", query, everything=".*").regex(_AREA))
            case Choice.SITES:
                found.append(_choice("site", "景区" if zh else "Site", sites, everything=None))
            case Choice.SITE:
                found.append(_choice("site", "景区" if zh else "Site", sites, many=False))
            case Choice.ZONE:
                found.append(_zone("区域" if zh else "Zone"))
            case Choice.GATE:
                found.append(_choice("gate", "通道口" if zh else "Gate", f"label_values({of('gate_mode_info')}, gate)"))
    return found


def _zone(label: str) -> build.QueryVariable:
    """One zone: at first one that the plan has a bar for, if there is any."""
    query = f"max by (zone) ({of('plan_bar_people')}) or max by (zone) ({of('zone_capacity_people')})"
    made = _choice("zone", label, f"query_result({query})", many=False)
    return made.regex('/zone="([^"]+)"/').sort(model.VariableSort.DISABLED)


def _choice(name: str, label: str, query: str, *, many: bool = True, everything: str | None = _ALL) -> build.QueryVariable:
    """A choice. `everything`: what stands for all values; None: each of them, so that those that an earlier choice leaves out stay out."""
    made = (
        build.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"query": query, "refId": name})
        .sort(model.VariableSort.NATURAL_ASC)
    )
    made = made.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
    if not many:
        return made.multi(False).include_all(False)
    made = made.multi(True).include_all(True).current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
    return made if everything is None else made.all_value(everything)


def _transitions(lang: Language) -> Iterator[build.AnnotationQuery]:
    """A mark at each change of stage, with its direction in words."""
    for direction, text, colour in (("up", Both("stage rises", "阶段趋严"), WARN), ("down", Both("stage falls", "阶段趋缓"), GOOD)):
        made = build.AnnotationQuery().name(_in(text, lang)).datasource(SOURCE).enable(True).icon_color(colour)
        yield made.expr(f"sum by (site, plan) ({rise('plan_transitions_total', direction=direction)}) > 0")


def _others(lang: Language) -> build.DashboardLink:
    made = build.DashboardLink("flowwatch").type(model.DashboardLinkType.DASHBOARDS).tags([TAG, lang]).as_dropdown(True)
    return made.include_vars(True).keep_time(True)
