"""What the doctor can find: each finding's weight, what it says and what to do, in Chinese and in English.

The words stand here, the looking in `health.py`. Names in braces are filled with what was found; a value that differs between the languages
is given as both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flowwatch.words import Language, Text

Value = str | int | Text


class Grade(StrEnum):
    """How much a finding matters."""

    FINE = "fine"
    NOTE = "note"
    TROUBLE = "trouble"
    """Somebody must do something."""


@dataclass(frozen=True, slots=True)
class Saying:
    """What a finding says, and what to do about it ("" where there is nothing to do)."""

    grade: Grade
    what: Text
    do: Text


def _fine(zh: str, en: str) -> Saying:
    return Saying(Grade.FINE, {"zh": zh, "en": en}, {"zh": "", "en": ""})


def _note(zh: str, en: str, zh_do: str = "", en_do: str = "") -> Saying:
    return Saying(Grade.NOTE, {"zh": zh, "en": en}, {"zh": zh_do, "en": en_do})


def _trouble(zh: str, en: str, zh_do: str, en_do: str) -> Saying:
    return Saying(Grade.TROUBLE, {"zh": zh, "en": en}, {"zh": zh_do, "en": en_do})


SAYINGS: Final[Mapping[str, Saying]] = {
    "no_folder": _trouble(
        "{root} 不存在",
        "{root} does not exist",
        "新建：flowwatch log create --data {root}",
        "`flowwatch log create --data {root}` makes it",
    ),
    "no_log": _trouble(
        "{root} 里没有日志",
        "{root} holds no log",
        "新建：flowwatch log create --data {root}",
        "`flowwatch log create --data {root}` makes one",
    ),
    "not_writable": _trouble(
        "{root} 不可写",
        "{root} cannot be written",
        "请检查权限和挂载方式",
        "check its permissions and how it is mounted",
    ),
    "disk_full": _trouble(
        "磁盘只剩 {free}",
        "only {free} free on the disk",
        "请清理或扩容：日志写不进去，就不会再有决策",
        "make room: no decision is taken once the log cannot be written",
    ),
    "disk": _fine("磁盘剩余 {free}", "{free} free on the disk"),
    "running": _fine("正在运行（进程 {process}）", "running (process {process})"),
    "not_running": _note(
        "没有在运行：没有节拍，也没有决策",
        "not running: no ticks, no decisions",
        "启动：flowwatch up --data {root}",
        "`flowwatch up --data {root}` starts it",
    ),
    "serving": _fine("服务正在运行（进程 {process}）", "the service runs (process {process})"),
    "not_serving": _trouble(
        "引擎在运行，服务没有运行：预警通知不到人，指令发不出去，处置时限无人催办",
        "the engine runs and the service does not: nobody is told, no command goes out, no clock of handling runs",
        "停止 flowwatch run，改用 flowwatch up --data {root}，引擎和服务一起运行",
        "end `flowwatch run` and start `flowwatch up --data {root}`, which keeps both running",
    ),
    "writing": _note("进程 {process} 正在写日志", "process {process} writes the log"),
    "log": _fine("日志完整，共 {rows} 条", "the log is whole: {rows} records"),
    "log_damaged": _trouble(
        "日志损坏：{fault}",
        "the log is damaged: {fault}",
        "请从备份恢复该文件；在此之前，该分区无法继续",
        "put that file back from a backup; until then its partition cannot go on",
    ),
    "log_torn": _note(
        "{file} 末尾有 {bytes} 字节没有写完",
        "{file}: the last {bytes} bytes are a write cut short",
        "无需处理：这些内容从未确认过，下次启动会截去",
        "nothing to do: nobody was told that they are safe, the next start cuts them off",
    ),
    "inbox_waiting": _note(
        "有 {files} 个文件等待写入日志",
        "files waiting to enter the log: {files}",
        "无需处理：下次运行时自动写入",
        "nothing to do: the next run takes them in",
    ),
    "inbox_bad": _trouble(
        "{file} 无法写入日志，已搁置",
        "{file} could not enter the log and was set aside",
        "请查明来源，重新导入后删除它",
        "find out what it was, ingest it again, then delete it",
    ),
    "checkpoints": _fine("检查点完好，共 {count} 个", "checkpoints: {count}, all whole"),
    "checkpoint_damaged": _note(
        "检查点损坏：{fault}",
        "a checkpoint is damaged: {fault}",
        "无需处理：会改用更早的检查点，启动稍慢",
        "nothing to do: an older one is used, and the start takes longer",
    ),
    "no_beginning": _trouble(
        "{partition}：日志从第 {row} 条开始，而那里没有完好的检查点",
        "{partition}: the log begins at record {row}, and no checkpoint is whole there",
        "请从备份恢复检查点文件",
        "put the checkpoint file back from a backup",
    ),
    "no_journal": _note("还没有决策记录", "there is no journal yet"),
    "journal_gone": _trouble(
        "决策记录不见了，而检查点说它曾经写过",
        "the journal is gone: the checkpoints say that one was written",
        "请运行 flowwatch journal rebuild --data {root}",
        "run `flowwatch journal rebuild --data {root}`",
    ),
    "journal_unsound": _trouble(
        "决策记录有问题：{fault}",
        "the journal is not sound: {fault}",
        "请运行 flowwatch journal rebuild --data {root}",
        "run `flowwatch journal rebuild --data {root}`",
    ),
    "journal": _fine("决策记录完好：{entries} 条，哈希链全部吻合", "the journal is sound: {entries} entries, every hash chain fits"),
    "journal_there": _fine("决策记录在，{entries} 条（未逐条核验）", "the journal is there: {entries} entries, not read through"),
    "book_there": _fine("处置记录在，{entries} 条（未逐条核验）", "the book of handling is there: {entries} entries, not read through"),
    "no_book": _note(
        "还没有处置记录：决策记录中的 {count} 条事件尚未通知到人",
        "there is no book of handling yet: people have not been told of the incidents in the journal, {count} entries",
        "启动服务后自动通知：flowwatch up --data {root}",
        "`flowwatch up --data {root}` starts the service, which tells them",
    ),
    "book_gone": _trouble(
        "处置记录 handling.db 不见了：服务在此运行过，决策记录中有 {count} 条事件",
        "the book of handling (handling.db) is gone: a service has run here, and the journal has {count} entries about incidents",
        "先停服务，从备份恢复 {root}/handling.db；它无法重新生成，不恢复则由谁处置无从查考，事件会全部重新通知",
        "stop the service and put {root}/handling.db back from a backup: nothing can make it again, and without it all is told anew",
    ),
    "book_damaged": _trouble(
        "处置记录打不开：{fault}",
        "the book of handling cannot be read: {fault}",
        "先停服务，把损坏的文件另存，再从备份恢复 {root}/handling.db",
        "stop the service, keep the damaged file elsewhere, and put {root}/handling.db back from a backup",
    ),
    "book_unsound": _trouble(
        "处置记录有 {count} 处问题，第一处：{fault}",
        "the book of handling is not sound, faults in all: {count}; the first: {fault}",
        "不要改动文件；全部问题：flowwatch audit verify --data {root}",
        "change nothing; `flowwatch audit verify --data {root}` lists all",
    ),
    "book_behind": _trouble(
        "处置记录落后：决策记录中有 {count} 条事件尚未通知到人（{names}）",
        "the book of handling is behind: people have not been told of the newest incidents in the journal, entries: {count} ({names})",
        "服务没有运行的，启动：flowwatch up --data {root}；在运行的，看它的输出：flowwatch runbook service_trouble",
        "if no service runs, `flowwatch up --data {root}` starts it; if one does, look at its output: `flowwatch runbook service_trouble`",
    ),
    "book": _fine(
        "处置记录完好：{entries} 条，与决策记录一致", "the book of handling is sound: {entries} entries, and tells what the journal says"
    ),
    "reds_new": _trouble(
        "无人签收的红色预警：{count} 起（{names}）",
        "reds that nobody has acknowledged: {count} ({names})",
        "立即签收，并电话报告值班长；全部未结事件：{all}",
        "acknowledge them now, and phone the supervisor; `{all}` lists what is open",
    ),
    "overdue": _trouble(
        "处置超时的事件：{count} 起（{names}）",
        "incidents of which a step is overdue: {count} ({names})",
        "哪一步超时、现由谁负责：{all}",
        "`{all}` says which step, and who answers for it now",
    ),
    "alarms_heavy": _note(
        "近 24 小时的预警多于值班员所能处理：每名值班员每小时 {hourly} 条，最密集的 10 分钟 {window} 条",
        "more alerts in the last 24 hours than can be answered: {hourly} an hour and operator, {window} in the worst 10 minutes",
        "从出现最多的开始处理：flowwatch alarms report；处置手册：flowwatch runbook flood",
        "`flowwatch alarms report` says where to begin; `flowwatch runbook flood`",
    ),
    "no_site": _note(
        "日志里还没有任何景区",
        "the log has no site yet",
        "首次运行时会采用方案文件",
        "the first run accepts the documents",
    ),
    "documents": _fine("日志中有方案的景区：{sites} 个", "sites with documents in the log: {sites}"),
    "documents_faulty": _trouble(
        "{file} 及其方案有 {count} 处错误，第一处：{fault}",
        "{file} and its plan have faults, {count} in all; the first: {fault}",
        "改正之前，生效的仍是上一版；flowwatch check 列出全部错误",
        "until they are mended the last good version stays in force; `flowwatch check` lists all",
    ),
    "documents_changed": _note(
        "{site}：文件是版本 {file}，生效的是 {log}",
        "{site}: the files are version {file}, in force is {log}",
        "以 --documents 重新启动后生效",
        "a start with --documents brings it into force",
    ),
    "ticks": _fine("最后一个节拍在 {seconds} 秒前", "the last tick was {seconds} s ago"),
    "ticks_missing": _trouble(
        "程序在运行，却已有 {seconds} 秒没有节拍",
        "flowwatch runs, but the last tick was {seconds} s ago",
        "请查看它的输出，必要时重启（进程 {process}）",
        "look at its output; if need be, restart it (process {process})",
    ),
    "clock_back": _trouble(
        "最后一个节拍比现在的时钟快 {seconds} 秒：时钟被往回调过",
        "the last tick is {seconds} s ahead of the clock: the clock was set back",
        "请检查时间同步；追上之前，日志按自己的快慢走",
        "check the time service; until the clock has caught up, the log's time runs at its own pace",
    ),
    "incident": _trouble(
        "{site}：{text}（{incident}）",
        "{site}: {text} ({incident})",
        "原因：flowwatch explain --data {root} {incident}",
        "`flowwatch explain --data {root} {incident}` tells why",
    ),
    "incidents_more": _trouble(
        "{site}：同类事件还有 {count} 个",
        "{site}: {count} more of the same kind",
        "全部：flowwatch journal show --data {root} --site {site} --kind incident --all",
        "`flowwatch journal show --data {root} --site {site} --kind incident --all` lists them",
    ),
    "figures": _fine("各项指标均在正常范围", "all figures are as they should be"),
    "engine_down": _trouble(
        "引擎当前没有在决策：{why}",
        "the engine does not decide now: {why}",
        "看 flowwatch up 或 run 是否在运行、最后说了什么；处置手册：flowwatch runbook engine_stands",
        "see whether `flowwatch up` or `run` runs and what it said last; `flowwatch runbook engine_stands`",
    ),
    "lags": _trouble(
        "分区 {partition} 的决策滞后 {seconds} 秒，还有 {rows} 行未决策",
        "partition {partition} decides {seconds} s late; rows that wait: {rows}",
        "看磁盘和处理器是否被别的程序占满；正在补算的，等它追上",
        "see whether disk or processor are taken by something else; after a break, wait until it has caught up",
    ),
    "snapshot_old": _note(
        "分区 {partition} 最新的检查点已是 {seconds} 秒前，重启会多花时间",
        "the newest checkpoint of partition {partition} is {seconds} s old: a restart would take longer",
        "看磁盘是否可写；引擎停着的，启动它",
        "see whether the disk can be written; start the engine, if it does not run",
    ),
    "slow": _note(
        "超过 1% 的节拍，{figure}超过 {seconds} 秒（目标：{aim} 秒以内）",
        "more than one tick in a hundred takes longer than {seconds} s {figure}; the aim is {aim} s",
        "看处理器和磁盘的负载；景区很多时可增加进程：flowwatch run --workers",
        "look at the load of processor and disk; with many sites, `flowwatch run --workers` shares the work",
    ),
    "refused": _trouble(
        "{share} 的读数被拒绝，主要原因：{reasons}",
        "{share} of the readings are refused, mostly: {reasons}",
        "逐条查看：flowwatch refused --since 30m；处置手册：flowwatch runbook readings_refused",
        "`flowwatch refused --since 30m` shows them; `flowwatch runbook readings_refused`",
    ),
    "clock_ahead": _trouble(
        "设备时钟偏快，最多 {seconds} 秒：{names}",
        "clocks are ahead, by {seconds} s at most: {names}",
        "请为设备校时；偏快 60 秒以上的读数会被拒绝",
        "set the clocks of these devices: from 60 s ahead on their readings are refused",
    ),
    "clock_behind": _note(
        "读数始终迟到，最多 {seconds} 秒：{names}",
        "never on time, by {seconds} s at most: {names}",
        "请检查设备时钟和传输链路",
        "look at the clocks of these devices and at their way here",
    ),
    "silent": _trouble(
        "{site}：{of} 台计数器中有 {count} 台数据中断{longest}{unheard}：{names}",
        "{site}: silent counters: {count} of {of}{longest}{unheard}: {names}",
        "处置手册：flowwatch runbook counters_silent",
        "`flowwatch runbook counters_silent`",
    ),
    "blind": _trouble(
        "{site}几近失去观测：{of} 台计数器中有 {count} 台数据中断{longest}{unheard}：{names}",
        "{site} is nearly blind: silent counters: {count} of {of}{longest}{unheard}: {names}",
        "请在各入口派员，组织人工清点并录入；处置手册：flowwatch runbook counters_silent",
        "put officers at the entrances, have people counted and enter the count; `flowwatch runbook counters_silent`",
    ),
    "commands_open": _note(
        "已下发而尚无设备确认的指令：{count} 条（{names}）",
        "commands under way that no device has acknowledged: {count} ({names})",
        "两分钟后再查；仍未确认的，致电景区逐一核对：flowwatch runbook gate_unanswered",
        "look again in two minutes; if they are still there, call the site: `flowwatch runbook gate_unanswered`",
    ),
    "gates_lost": _trouble(
        "联系不上的通道口：{names}",
        "gates that cannot be reached: {names}",
        "处置手册：flowwatch runbook gates_lost",
        "`flowwatch runbook gates_lost`",
    ),
    "gates_disobey": _trouble(
        "在线但未按指令动作的通道口：{names}",
        "gates that are there and not as they were told: {names}",
        "处置手册：flowwatch runbook gate_wrong_mode",
        "`flowwatch runbook gate_wrong_mode`",
    ),
    "desk_down": _trouble(
        "值班台有故障：事件通知不到人",
        "the desk is in trouble: nobody is told of incidents",
        "处置手册：flowwatch runbook service_trouble",
        "`flowwatch runbook service_trouble`",
    ),
    "dispatcher_down": _trouble(
        "指令下发程序没有运行：指令发不出去",
        "the dispatcher does not run: no commands go out",
        "处置手册：flowwatch runbook service_trouble",
        "`flowwatch runbook service_trouble`",
    ),
    "webhooks_down": _trouble(
        "推送停了：各接收方收不到任何事件",
        "nothing goes out by webhooks: receivers hear of nothing",
        "先电话告知各接收方；处置手册：flowwatch runbook service_trouble",
        "phone the receivers; `flowwatch runbook service_trouble`",
    ),
    "broker_down": _trouble(
        "连不上的消息代理：{names}",
        "brokers that do not answer: {names}",
        "请检查消息代理及其网络、口令和证书",
        "look at the broker, its network, password and certificate",
    ),
    "input_down": _trouble(
        "不通的接入通道：{names}",
        "ways in that are closed: {names}",
        "请检查地址、口令、证书和网络；服务的输出写明原因",
        "look at address, password, certificate and network; the service's own output says why",
    ),
    "desk_lags": _note(
        "有 {count} 条记录尚未通知到人",
        "entries that people have not been told of: {count}",
        "刚启动的，等它追上；一直不降的，看服务的输出",
        "after a start, wait until it has caught up; if it stays, look at the service's output",
    ),
    "webhooks_wait": _trouble(
        "有 {count} 条推送在等待接收方，最早一条已等 {age}",
        "messages that wait for their receivers: {count}, the oldest for {age}",
        "处置手册：flowwatch runbook feed_undelivered",
        "`flowwatch runbook feed_undelivered`",
    ),
    "webhooks_dead": _note(
        "已放弃的推送：{count} 条，系统不会再自动发送",
        "messages that were given up and are not sent again by themselves: {count}",
        "告知接收方，待其恢复后重发；处置手册：flowwatch runbook feed_undelivered",
        "tell the receiver, and send them again once it takes: `flowwatch runbook feed_undelivered`",
    ),
    "certificate_ends": _trouble(
        "{certificate} 的证书{left}",
        "the certificate of {certificate} {left}",
        "处置手册：flowwatch runbook certificate",
        "`flowwatch runbook certificate`",
    ),
    "reds_hidden": _trouble(
        "近 24 小时有 {count} 条红色预警未单独提示",
        "reds that were not shown by themselves in the last 24 hours: {count}",
        "原因：flowwatch alarms report",
        "`flowwatch alarms report` tells which",
    ),
    "frozen": _trouble(
        "决策记录有 {count} 条链被冻结",
        "chains of the journal that are frozen: {count}",
        "处置手册：flowwatch runbook storage",
        "`flowwatch runbook storage`",
    ),
    "inbox": _trouble(
        "有 {count} 个文件等待进入日志",
        "files that wait to enter the log: {count}",
        "看引擎是否在运行；处置手册：flowwatch runbook storage",
        "see whether the engine runs; `flowwatch runbook storage`",
    ),
    "part_failed": _note(
        "读不到的指标：{names}",
        "figures that cannot be read: {names}",
        "服务的输出写明原因；无法判断这一部分是否正常",
        "the service's own output says why; of these parts nothing is known",
    ),
    "unexaminable": _trouble(
        "“{check}”一项查不下去：{fault}",
        "could not examine {check}: {fault}",
        "请先处理这一条，再重新检查",
        "mend this first, then examine again",
    ),
}


WHY: Final[Mapping[str, Text]] = {
    "behind": {"zh": "没有跟上节拍", "en": "it does not keep up with the ticks"},
    "unknown": {"zh": "从未有过节拍，或日志无法读取", "en": "there never was a tick, or the log cannot be read"},
    "stands": {"zh": "日志没有节拍，写入进程已退出或卡住", "en": "the log has no ticks: who writes it has ended, or hangs"},
}
"""Why an engine counts as one that does not decide."""

SLOW: Final[Mapping[str, Text]] = {
    "decide_seconds": {"zh": "处理用时", "en": "to decide"},
    "reading_to_decision_seconds": {"zh": "从收到读数到完成决策", "en": "from its oldest reading to the decision"},
}
"""What of a tick is slow, by the figure that shows it."""


class Finding:
    """One thing that was found: the key of its saying, and the values that the saying names."""

    def __init__(self, key: str, **values: Value) -> None:
        self.key = key
        self.saying = SAYINGS[key]
        self.values = values

    @property
    def grade(self) -> Grade:
        """How much it matters."""
        return self.saying.grade

    def what(self, language: Language) -> str:
        """What was found."""
        return self._filled(self.saying.what, language)

    def do(self, language: Language) -> str:
        """What to do about it, "" where there is nothing to do."""
        return self._filled(self.saying.do, language)

    def _filled(self, text: Text, language: Language) -> str:
        values = {key: value[language] if isinstance(value, Mapping) else value for key, value in self.values.items()}
        return text[language].format(**values)
