"""What links, barriers and signs are to be, in words: the same for what a plan asks and for what was ordered."""

from __future__ import annotations

from typing import Any

from flowwatch.titles import Names


def device(kind: str, name: str, state: Any, names: Names) -> str:
    """A link, barrier or sign (`kind`) and what is asked of it; `state` is a code, a sign's text (zh, en), or None: nothing any more."""
    called = names.called(kind, name)
    if kind != "sign":
        if state is None:
            return names.say(f"{called}：方案不再要求，恢复平时状态", f"{called}: nothing is asked of it any more")
        return names.say(f"{called}：{names.asked_of(name, str(state))}", f"{called}: {names.asked_of(name, str(state))}")
    aloud = names.spoken(name)
    if state is None:
        return names.say(f"{called}停止{'播报' if aloud else '显示'}", f"{called}: nothing is {'said' if aloud else 'shown'} any more")
    return names.say(f"{called}{'播报' if aloud else '显示'}：", f"{called}: ") + names.quoted(state[names.language])
