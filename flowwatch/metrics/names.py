"""Every metric that flowwatch exposes: its name, kind, labels, unit and meaning. The only place where they stand.

Collectors make their samples of these, rules and dashboards name them, and `docs/metrics.md` is this table as a page. Names follow Prometheus'
conventions (base units, `_total`, `_info`, `_timestamp_seconds`); in the table they stand without the prefix and without what the kind adds.

A label's values are bounded: by what documents and the deployment file name (site, zone, gate, counter, plan, stage, broker), or by a list of
this program's. Nothing that people or machines type by themselves is ever a label.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flowwatch.documents.faults import near

PREFIX: Final = "flowwatch_"
NONE: Final = "none"
"""The level or priority of what has none: Prometheus takes an empty label for one that is not there."""


class Kind(StrEnum):
    """What Prometheus does with it."""

    GAUGE = "gauge"
    COUNTER = "counter"
    """Rises only; begins anew with the process that counts."""
    HISTOGRAM = "histogram"
    INFO = "info"
    """Always 1; what it says is in its labels."""


class Group(StrEnum):
    """What it is about; the order of the page."""

    ZONES = "zones"
    PLANS = "plans"
    GATES = "gates"
    INCIDENTS = "incidents"
    ALARMS = "alarms"
    COUNTERS = "counters"
    READINGS = "readings"
    ENGINE = "engine"
    LOG = "log"
    JOURNAL = "journal"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name`: without the prefix and the suffix of its kind. `unit`: as the name ends, "" for numbers without one."""

    name: str
    kind: Kind
    group: Group
    labels: tuple[str, ...]
    unit: str
    en: str
    zh: str

    @property
    def family(self) -> str:
        """The name of the family, as `# TYPE` has it in OpenMetrics."""
        return PREFIX + self.name

    @property
    def sample(self) -> str:
        """The name to ask Prometheus for; a histogram's is the start of `_bucket`, `_sum` and `_count`."""
        return self.family + {Kind.COUNTER: "_total", Kind.INFO: "_info"}.get(self.kind, "")


G, C, H, I = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM, Kind.INFO  # noqa: E741 - one column of a table
_SITE: Final = ("site",)
_ZONE: Final = ("site", "zone")
_PLAN: Final = ("site", "plan")
_GATE: Final = ("site", "gate")
_COUNTER: Final = ("site", "counter")
_PARTITION: Final = ("partition",)


def _rows(group: Group, *rows: tuple[str, Kind, tuple[str, ...], str, str, str]) -> tuple[Metric, ...]:
    return tuple(Metric(name, kind, group, labels, unit, en, zh) for name, kind, labels, unit, en, zh in rows)


TABLE: Final[tuple[Metric, ...]] = (
    *_rows(
        Group.ZONES,
        ("site", I, ("site", "area", "title_en", "title_zh"), "", "A site, its area and its titles", "景区、所属辖区与名称"),
        (
            "zone_occupancy_people",
            G,
            (*_ZONE, "bound"),
            "people",
            "People inside by the newest minute's estimate: lower edge, estimate and upper edge of the band that holds nine cases in ten",
            "最近一分钟估计的在场人数：九成区间的下限、估计值与上限",
        ),
        (
            "zone_known",
            G,
            _ZONE,
            "",
            '1 if something has anchored the zone\'s figure, 0 if only "at least" is known',
            "人数是否有基准：1 已校准，0 仅知“至少”",
        ),
        (
            "zone_capacity_people",
            G,
            _ZONE,
            "people",
            "How many people the zone may hold, by the site's document",
            "区域瞬时承载量（按景区文件）",
        ),
        ("zone_area_square_meters", G, _ZONE, "square_meters", "The zone's area, by the site's document", "区域面积（按景区文件）"),
        (
            "zone_density_people_per_square_meter",
            G,
            _ZONE,
            "people_per_square_meter",
            "People a square metre by the upper edge of the band: the worse of what may be",
            "按区间上限计算的人群密度（取较不利值）",
        ),
        (
            "estimate_timestamp_seconds",
            G,
            _SITE,
            "seconds",
            "The minute of the site's newest estimate in the journal",
            "景区最新估计所属的时刻",
        ),
    ),
    *_rows(
        Group.PLANS,
        (
            "plan_stage",
            G,
            _PLAN,
            "",
            "The plan's stage as a number: 0 is the first of its document, higher is stricter",
            "方案当前阶段的序号：0 为首个阶段，数字越大越严",
        ),
        (
            "plan_active_stage",
            I,
            (*_PLAN, "stage", "level"),
            "",
            "The plan's stage by name, with its level: I (the worst) to IV, or none",
            "方案当前阶段及其级别：I（最重）至 IV，或 none（无级别）",
        ),
        (
            "plan_bar_people",
            G,
            (*_PLAN, "stage", "zone", "edge"),
            "people",
            "The bar of a stage in people: where it is entered, and where it is cleared",
            "阶段人数阈值：启动阈值与解除阈值",
        ),
        (
            "plan_transitions",
            C,
            (*_PLAN, "direction"),
            "",
            "Changes of stage that the journal told since the service was started: up is stricter",
            "服务启动以来的阶段变化次数：up 趋严，down 趋缓",
        ),
    ),
    *_rows(
        Group.GATES,
        (
            "gate_mode",
            I,
            (*_GATE, "mode"),
            "",
            "What the newest command asks of the gate: in, out, both, closed, metered or wave",
            "最新指令要求的通道口模式：只进、只出、双向、关闭、限流或分批放行",
        ),
        (
            "gate_commands",
            C,
            (*_SITE, "mode"),
            "",
            "Commands to gates that the journal told since the service was started",
            "服务启动以来下达的通道口指令数",
        ),
        ("gate_command_revision", G, _GATE, "", "The how-many-eth command to this gate the newest one is", "该通道口最新指令的序号"),
        (
            "gate_up",
            G,
            _GATE,
            "",
            "1 if the gate says that it is there, 0 if its link is lost or it was never heard; only gates with an actuator",
            "通道口在线：1 在线，0 失联或从未上报（仅限已接入执行器的通道口）",
        ),
        (
            "gate_obeys",
            G,
            _GATE,
            "",
            "1 if the gate reports what the newest command asks, 0 if not; only gates with an actuator",
            "通道口上报状态与最新指令一致为 1，否则为 0（仅限已接入执行器的通道口）",
        ),
        (
            "gate_deliveries",
            C,
            ("site", "outcome"),
            "",
            "Attempts to deliver a command, by what came of them, since the service was started",
            "服务启动以来的指令投递次数，按结果分",
        ),
        ("gate_delivery_seconds", H, (), "seconds", "From sending a command to its acknowledgement", "指令发出到收到确认的时间"),
        ("gate_unacknowledged", G, _SITE, "", "Commands under way that no device has acknowledged yet", "已发出但尚未确认的指令数"),
        (
            "gate_flow_people",
            C,
            (*_GATE, "direction"),
            "people",
            "People that the gate's counters counted, in and out, since the engine was started",
            "引擎启动以来经该通道口进出的人数",
        ),
        ("fire", G, _SITE, "", "1 while a fire stands reported, and every gate leads out", "火警生效为 1，所有通道口一律外开"),
    ),
    *_rows(
        Group.INCIDENTS,
        (
            "incidents_active",
            G,
            ("site", "priority", "handling"),
            "",
            "Open incidents by how urgent they are (I to IV, at their worst until acknowledged; none: a notice) and by how far their handling is",
            "未结事件数，按紧急程度（一至四级，签收前按最高时计；none 为通知）与处置环节分",
        ),
        (
            "incidents",
            C,
            ("site", "what"),
            "",
            "Incidents raised since the service was started, by kind",
            "服务启动以来发生的事件数，按类型分",
        ),
        ("incidents_overdue", G, _SITE, "", "Open incidents one of whose clocks has run out", "已超时限的未结事件数"),
        (
            "incidents_unacknowledged",
            G,
            _SITE,
            "",
            "Open incidents that ask for an answer and that nobody has acknowledged",
            "需要签收而尚未签收的事件数",
        ),
    ),
    *_rows(
        Group.ALARMS,
        (
            "alarms",
            C,
            ("site", "priority"),
            "",
            "Alerts that sounded since the service was started, by priority",
            "服务启动以来的有声预警数，按紧急程度分",
        ),
        (
            "alarms_per_operator_hour",
            G,
            (),
            "",
            "Alerts that sounded, an hour and operator (`alarms.operators` of the deployment file), over the last 24 hours (EEMUA 191: at most 6)",
            "近 24 小时每名值班员每小时的有声预警数，人数按部署文件的 `alarms.operators`（EEMUA 191：不超过 6）",
        ),
        (
            "alarms_worst_window",
            G,
            (),
            "",
            "The most alerts in any ten minutes of the last 24 hours (at most 10)",
            "近 24 小时任意 10 分钟内的最多预警数（不超过 10）",
        ),
        (
            "alarms_flood_ratio",
            G,
            (),
            "ratio",
            "The part of the last 24 hours that was a flood (ISA-18.2: at most 0.01)",
            "近 24 小时处于预警密集的时间占比（ISA-18.2：不超过 0.01）",
        ),
        (
            "alarms_chattering",
            G,
            (),
            "",
            "Things that chattered in the last 24 hours (ISA-18.2: none)",
            "近 24 小时反复跳变的预警数（ISA-18.2：应为零）",
        ),
        (
            "alarms_stale",
            G,
            (),
            "",
            "Alerts unanswered for more than 24 hours (ISA-18.2: fewer than 5)",
            "超过 24 小时无人签收的预警数（ISA-18.2：少于 5）",
        ),
        (
            "alarms_acknowledge_seconds",
            G,
            ("quantile",),
            "seconds",
            "From an alert to its answer over the last 24 hours: median and nine in ten",
            "近 24 小时从预警到签收的时间：中位数与九成值",
        ),
        (
            "alarms_red_hidden",
            G,
            (),
            "",
            "Reds that were not shown by themselves in the last 24 hours: must be none",
            "近 24 小时被遮蔽的红色预警数：必须为零",
        ),
    ),
    *_rows(
        Group.COUNTERS,
        (
            "counter_last_reading_timestamp_seconds",
            G,
            _COUNTER,
            "seconds",
            "The time of the counter's newest reading that counted",
            "计数器最新有效读数的时刻",
        ),
        (
            "counter_silent",
            G,
            _COUNTER,
            "",
            "1 while the counter is silent for longer than its document allows",
            "计数器失声（超过文件允许的间隔）为 1",
        ),
        (
            "counter_lateness_seconds",
            G,
            _COUNTER,
            "seconds",
            "How long the newest reading took from its own time to its receipt",
            "最新读数从自身时刻到被接收所用的时间",
        ),
        (
            "counter_skew_seconds",
            G,
            _COUNTER,
            "seconds",
            "The least lateness of the last ten to twenty minutes: negative, the device's clock runs ahead; never near nothing, it runs behind",
            "近 10 至 20 分钟的最小迟到量：为负表示设备时钟偏快，始终偏大表示偏慢",
        ),
        (
            "counter_readings",
            C,
            _COUNTER,
            "",
            "Readings of the counter that counted since the engine was started",
            "引擎启动以来该计数器的有效读数条数",
        ),
        (
            "counter_flow_people",
            C,
            (*_COUNTER, "direction"),
            "people",
            "People that the counter counted, in and out, since the engine was started",
            "引擎启动以来该计数器计入的进出人数",
        ),
    ),
    *_rows(
        Group.READINGS,
        (
            "readings",
            C,
            ("partition", "outcome"),
            "",
            "Readings that the engine judged since it was started: counted or refused",
            "引擎启动以来判定的读数条数：计入或拒绝",
        ),
        (
            "readings_refused",
            C,
            ("partition", "reason"),
            "",
            "Rows that the engine refused since it was started, by reason",
            "引擎启动以来拒绝的记录数，按原因分",
        ),
        (
            "reading_to_decision_seconds",
            H,
            (),
            "seconds",
            "From the receipt of a tick's oldest reading until the journal holds what the tick decided",
            "从每一拍最早的读数被接收到决策写入决策记录的时间",
        ),
        (
            "staged_rows",
            C,
            (),
            "",
            "Rows that this service made durable in the inbox since it was started",
            "服务启动以来写入收件箱的记录数",
        ),
        (
            "staging_refusals",
            C,
            (),
            "",
            "How often a sender was told to come again because there was no room, since the service was started",
            "服务启动以来因容量不足而请发送方重试的次数",
        ),
        (
            "input_up",
            G,
            ("input",),
            "",
            "1 if a source of readings (a broker, a polled address) has no trouble",
            "数据源（消息代理或轮询地址）正常为 1",
        ),
    ),
    *_rows(
        Group.ENGINE,
        (
            "engine_up",
            G,
            (),
            "",
            "1 if every partition with rows was decided up to a few ticks ago, 0 if not",
            "引擎运行正常（各分区均跟上节拍）为 1",
        ),
        ("ticks", C, _PARTITION, "", "Ticks decided since the engine was started", "引擎启动以来决策的节拍数"),
        (
            "decide_seconds",
            H,
            (),
            "seconds",
            "How long the engine took over rows with a tick: to decide, and to write the journal",
            "引擎处理一拍（含写入决策记录）所用的时间",
        ),
        ("engine_start_timestamp_seconds", G, _PARTITION, "seconds", "When the partition's engine was started", "分区引擎启动的时刻"),
        (
            "engine_figures_timestamp_seconds",
            G,
            _PARTITION,
            "seconds",
            "When the partition's engine last said its figures: one that runs does once a second; of one that ended they are its last words",
            "分区引擎最近一次写出指标的时刻：运行中每秒一次；引擎停止后，其余引擎指标都停在这一刻",
        ),
        (
            "engine_cpu_seconds",
            C,
            ("worker",),
            "seconds",
            "Processor time of an engine process, named by its first partition",
            "引擎进程占用的处理器时间",
        ),
        (
            "engine_resident_memory_bytes",
            G,
            ("worker",),
            "bytes",
            "Resident memory of an engine process, named by its first partition",
            "引擎进程的常驻内存",
        ),
        ("snapshot_age_seconds", G, _PARTITION, "seconds", "Age of the partition's newest checkpoint", "分区最新检查点的时长"),
    ),
    *_rows(
        Group.LOG,
        ("tick_interval_seconds", G, (), "seconds", "How long a tick is: how often everything is decided", "节拍长度，即每隔多久决策一次"),
        ("log_rows", G, _PARTITION, "", "Rows that the log has taken, in all", "日志已接收的总行数"),
        ("log_lag_rows", G, _PARTITION, "", "Rows in the log that are not decided yet", "日志中尚未决策的行数"),
        (
            "log_lag_seconds",
            G,
            _PARTITION,
            "seconds",
            "How far the last decided tick is behind the last tick in the log",
            "最后决策的节拍落后于日志的时间",
        ),
        (
            "log_tick_timestamp_seconds",
            G,
            (),
            "seconds",
            "The last tick in the log, where ticks follow the clock: it stands still when nobody writes",
            "日志中最后一拍的时刻（仅限按时钟打拍的日志）；停止说明无人写入",
        ),
        ("log_bytes", G, (), "bytes", "What the log takes on the disk", "日志占用的磁盘空间"),
        ("inbox_files", G, (), "", "Files that wait to enter the log", "等待进入日志的文件数"),
        ("inbox_bytes", G, (), "bytes", "What they take on the disk", "等待文件占用的磁盘空间"),
        ("disk_free_bytes", G, (), "bytes", "Free space of the disk that the working folder is on", "工作目录所在磁盘的剩余空间"),
    ),
    *_rows(
        Group.JOURNAL,
        ("journal_entries", G, ("book",), "", "Entries of the journal and of the book of handling", "决策记录与处置记录的条目数"),
        ("journal_bytes", G, ("book",), "bytes", "What they take on the disk", "决策记录与处置记录占用的磁盘空间"),
        ("journal_frozen", G, (), "", "Conflicts that froze a chain of the journal: must be none", "决策记录因冲突冻结的链数：必须为零"),
    ),
    *_rows(
        Group.SERVICE,
        ("build", I, ("version", "engine"), "", "The version of flowwatch and of its engine", "flowwatch 与引擎的版本"),
        ("desk_up", G, (), "", "1 if whoever tells people of incidents has no trouble", "值班台正常为 1"),
        ("desk_lag_entries", G, (), "", "Entries of the journal that people have not been told of yet", "决策记录中尚未通知人员的条目数"),
        ("feed_clients", G, (), "", "Listeners to the event stream", "事件流的在线客户端数"),
        (
            "feed_dropped",
            C,
            (),
            "",
            "Listeners that were too slow and were put to a snapshot, since the service was started",
            "服务启动以来因过慢而改发快照的次数",
        ),
        (
            "webhooks_up",
            G,
            (),
            "",
            "1 if what happens is put into the outbox of webhooks and sent from it",
            "推送正常（能取出新事件并发送）为 1",
        ),
        (
            "webhook_outbox_messages",
            G,
            ("state",),
            "",
            "Webhook messages by state: waiting, delivered, dead (given up)",
            "推送消息数，按状态分：等待、已送达、已放弃",
        ),
        (
            "webhook_oldest_waiting_seconds",
            G,
            (),
            "seconds",
            "How long ago the oldest of the events happened that wait for a webhook's receiver; 0 if none waits",
            "等待推送的事件中，最早一条距今的时间；没有等待的为 0",
        ),
        (
            "dispatcher_up",
            G,
            (),
            "",
            "1 if commands are driven out to devices; absent where no actuator is named",
            "指令下发正常为 1；未配置执行器时无此项",
        ),
        ("broker_up", G, ("broker",), "", "1 if the broker through which commands go out answers", "下发指令所用的消息代理可用为 1"),
        (
            "certificate_expiry_timestamp_seconds",
            G,
            ("certificate",),
            "seconds",
            "When a certificate of the deployment file ends",
            "部署文件所列证书的到期时刻",
        ),
        ("metrics_seconds", G, (), "seconds", "How long the last body of metrics took to make", "上一次生成指标所用的时间"),
        (
            "metrics_failed",
            G,
            ("part",),
            "",
            "1 if a part of the metrics could not be read; its last figures are not shown",
            "指标某部分读取失败为 1；此时不显示旧值",
        ),
    ),
)
"""Every metric. `process_*` and `python_*` of the service are prometheus_client's own."""

BY_SAMPLE: Final = {metric.sample: metric for metric in TABLE}
"""Sample name -> its metric."""


def named(sample: str) -> Metric:
    """The metric of that sample, with or without the prefix. Raises KeyError with the near miss."""
    full = sample if sample.startswith(PREFIX) else PREFIX + sample
    if full not in BY_SAMPLE:
        meant = near(full, list(BY_SAMPLE))
        raise KeyError(f'there is no metric "{full}"' + (f'; did you mean "{meant}"?' if meant else ""))
    return BY_SAMPLE[full]


def samples(metric: Metric) -> Iterator[str]:
    """Every name under which Prometheus keeps it."""
    if metric.kind is Kind.HISTOGRAM:
        yield from (f"{metric.family}_{end}" for end in ("bucket", "sum", "count"))
    else:
        yield metric.sample
