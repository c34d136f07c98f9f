"""Webhooks: who is told what, what came of it, and sending again by hand. For admins, within their own areas."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated, Any

from litestar import delete, get, post, put
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Meta, Struct, UnsetType, field

from flowwatch.feed.events import PREFIX
from flowwatch.feed.webhooks.courier import Courier
from flowwatch.feed.webhooks.guard import ForbiddenError
from flowwatch.feed.webhooks.outbox import Delivery, State
from flowwatch.feed.webhooks.subscriptions import KINDS, Subscription, TooManyError
from flowwatch.handling.records import Said
from flowwatch.journal.export import iso
from flowwatch.service.access import ACCOUNTS
from flowwatch.service.auth.identity import AREA, Identity
from flowwatch.service.given import GivenIdentity, GivenParts, InPath
from flowwatch.service.parts import Parts, micros
from flowwatch.service.problems import Problem, unknown
from flowwatch.service.threads import slow, threaded

Label = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
Url = Annotated[str, Meta(min_length=8, max_length=2000)]
Area = Annotated[str, Meta(pattern=AREA.pattern, max_length=600)]
Site = Annotated[str, Meta(min_length=1, max_length=64)]
Kind = Annotated[str, Meta(pattern=f"^({'|'.join(KINDS)})$")]
Level = Annotated[str, Meta(pattern="^(I|II|III|IV)$")]


class NewWebhook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`areas`: within those that you administer, "" is everywhere; `sites`: only these; `priority`: the mildest alert that is sent.

    `since`: send what happened from then on, 30 days back at most; left out, what happens from now on.
    """

    url: Url
    label: Label
    areas: Annotated[list[Area], Meta(min_length=1, max_length=50)]
    sites: Annotated[list[Site], Meta(min_length=1, max_length=1000)] | None = None
    kinds: Annotated[list[Kind], Meta(min_length=1, max_length=10)] = field(default_factory=lambda: ["alert"])
    priority: Level | None = None
    since: datetime | UnsetType = UNSET


class ChangedWebhook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be another; what is left out stays. `enabled` true takes up again what was disabled."""

    url: Url | UnsetType = UNSET
    label: Label | UnsetType = UNSET
    kinds: Annotated[list[Kind], Meta(min_length=1, max_length=10)] | UnsetType = UNSET
    priority: Level | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


class Replay(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries go again: all since a time, or these."""

    since: datetime | UnsetType = UNSET
    ids: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(min_length=1, max_length=1000)] | UnsetType = UNSET


class WebhookTold(Struct, frozen=True, kw_only=True):
    """A subscription. `secret` is told once, when it is made or made anew; `disabled` says why nothing is sent."""

    id: str
    url: str
    label: str
    areas: list[str]
    sites: list[str] | None
    kinds: list[str]
    priority: str | None
    created_by: str
    created_at: str
    disabled: str | None
    waiting: int
    delivered: int
    dead: int
    secret: str | None = None


class DeliveryTold(Struct, frozen=True, kw_only=True):
    """What came of one event: `id` is its webhook-id. `next_at`: when it is tried (again), while it waits."""

    id: str
    at: str
    state: str
    failures: int
    next_at: str | None
    status: int | None
    why: str | None
    answered_at: str | None


class Deliveries(Struct, frozen=True):
    """The newest deliveries, newest first."""

    deliveries: list[DeliveryTold]


class Replayed(Struct, frozen=True):
    """How many go again; of the ids that were asked for, `unknown` are those of nothing that this subscription may have."""

    replayed: int
    unknown: list[str] = field(default_factory=list)


@get("/v1/webhooks", summary="Webhooks")
@threaded
def webhooks(identity: GivenIdentity, parts: GivenParts) -> list[WebhookTold]:
    """Every subscription within the areas that you administer, with how its deliveries stand."""
    courier = _courier(parts)
    counts = courier.outbox.counts()
    return [_told(one, counts) for one in _mine(courier, identity)]


@post("/v1/webhooks", status_code=201, summary="Subscribe a webhook")
@slow
def add_webhook(data: JSONBody[NewWebhook], identity: GivenIdentity, parts: GivenParts) -> WebhookTold:
    """Tell a receiver of what happens, from now on or `since` a time. The secret that signs is in this answer and nowhere else."""
    courier = _courier(parts)
    if not identity.administers(data.areas):
        raise Problem("not-allowed", "expected areas within those that you administer")
    since = None if data.since is UNSET else micros(data.since, "since")
    _check_url(courier, data.url)
    try:
        made = courier.subscriptions.add(
            data.url, data.label, areas=data.areas, sites=data.sites, kinds=data.kinds, priority=data.priority, by=identity.name
        )  # fmt: skip
    except TooManyError as error:
        raise Problem("conflict", str(error)) from error
    ACCOUNTS.info("%s subscribed webhook:%s", identity.who, made.id)
    if since is not None:
        courier.replay_since(made, since)
    return _told(made, courier.outbox.counts(), secret=made.secret)


@get("/v1/webhooks/{webhook:str}", summary="A webhook")
@threaded
def webhook(webhook: InPath, identity: GivenIdentity, parts: GivenParts) -> WebhookTold:
    """One subscription."""
    courier = _courier(parts)
    return _told(_need(courier, identity, webhook), courier.outbox.counts())


@put("/v1/webhooks/{webhook:str}", summary="Change a webhook")
@slow
def change_webhook(webhook: InPath, data: JSONBody[ChangedWebhook], identity: GivenIdentity, parts: GivenParts) -> WebhookTold:
    """Change where it goes and what it is told, stop it, or take it up again."""
    courier = _courier(parts)
    one = _need(courier, identity, webhook)
    fields: dict[str, Any] = {
        name: value for name in ("url", "label", "priority") if (value := getattr(data, name)) is not UNSET
    }  # fmt: skip
    if data.kinds is not UNSET:
        fields["kinds"] = tuple(data.kinds)
    if "url" in fields:
        _check_url(courier, fields["url"])
    if data.enabled is not UNSET:
        fields["disabled"] = None if data.enabled else f"stopped by {identity.name}"
    changed = courier.subscriptions.change(one, **fields)
    ACCOUNTS.info("%s changed webhook:%s", identity.who, one.id)
    return _told(changed, courier.outbox.counts())


@delete("/v1/webhooks/{webhook:str}", status_code=204, summary="Take a webhook away")
@threaded
def remove_webhook(webhook: InPath, identity: GivenIdentity, parts: GivenParts) -> None:
    """Nothing more is sent, and what waited is forgotten."""
    courier = _courier(parts)
    one = _need(courier, identity, webhook)
    courier.subscriptions.remove(one.id)
    if parts.desk is not None:
        parts.desk.trouble(f"webhook/{one.id}", Said("该推送已撤销", "this feed was taken away"), on=False)
    ACCOUNTS.info("%s removed webhook:%s", identity.who, one.id)


@post("/v1/webhooks/{webhook:str}/secret", summary="A new secret for a webhook")
@threaded
def rotate_secret(webhook: InPath, identity: GivenIdentity, parts: GivenParts) -> WebhookTold:
    """Make a new secret, told in this answer and nowhere else. For a day both sign, so that the receiver can change at its leisure."""
    courier = _courier(parts)
    changed = courier.subscriptions.rotate(_need(courier, identity, webhook))
    ACCOUNTS.info("%s made a new secret for webhook:%s", identity.who, changed.id)
    return _told(changed, courier.outbox.counts(), secret=changed.secret)


@post("/v1/webhooks/{webhook:str}/test", status_code=202, summary="Try a webhook")
@threaded
def try_webhook(webhook: InPath, identity: GivenIdentity, parts: GivenParts) -> DeliveryTold:
    """Send it an event that says nothing but that it is a test. What came of it stands among its deliveries."""
    courier = _courier(parts)
    one, name = _need(courier, identity, webhook), f"test_{secrets.token_hex(8)}"
    now = parts.now_us()
    said = {"specversion": "1.0", "id": name, "source": "urn:flowwatch:test", "type": f"{PREFIX}test.v1", "time": iso(now)}
    courier.offer(one, name, said | {"datacontenttype": "application/json", "data": {"test": True, "by": identity.name}})
    return next(_delivery(row) for row in courier.outbox.latest(one.id, 1000) if row.event == name)


@get("/v1/webhooks/{webhook:str}/deliveries", summary="What a webhook was sent")
@threaded
def webhook_deliveries(
    webhook: InPath,
    identity: GivenIdentity,
    parts: GivenParts,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    only: Annotated[State | None, QueryParameter()] = None,
) -> Deliveries:
    """The newest first; `only=dead` are those that were given up."""
    courier = _courier(parts)
    return Deliveries([_delivery(row) for row in courier.outbox.latest(_need(courier, identity, webhook).id, limit, only)])


@post("/v1/webhooks/{webhook:str}/replay", status_code=202, summary="Send again")
@slow
def replay_webhook(webhook: InPath, data: JSONBody[Replay], identity: GivenIdentity, parts: GivenParts) -> Replayed:
    """Send again, under the same ids, what it may have of the last 30 days: what was delivered or given up, and what was never sent to it."""
    courier = _courier(parts)
    one = _need(courier, identity, webhook)
    if (data.since is UNSET) == (data.ids is UNSET):
        raise Problem("invalid", "found both or none of since and ids, expected one of them")
    if data.since is not UNSET:
        return Replayed(courier.replay_since(one, micros(data.since, "since")))
    return Replayed(*courier.replay(one, [] if data.ids is UNSET else data.ids))


HANDLERS = [
    webhooks,
    add_webhook,
    webhook,
    change_webhook,
    remove_webhook,
    rotate_secret,
    try_webhook,
    webhook_deliveries,
    replay_webhook,
]


def _courier(parts: Parts) -> Courier:
    if parts.courier is None:
        raise Problem("not-supported", "this service sends no webhooks")
    return parts.courier


def _mine(courier: Courier, identity: Identity) -> list[Subscription]:
    return [one for one in courier.subscriptions.all() if identity.administers(one.areas)]


def _need(courier: Courier, identity: Identity, name: str) -> Subscription:
    mine = {one.id: one for one in _mine(courier, identity)}
    if name not in mine:
        raise unknown("unknown-name", "webhook", name, mine)
    return mine[name]


def _check_url(courier: Courier, url: str) -> None:
    """Raise `Problem` for an address that no webhook may go to, or that has none now."""
    try:
        courier.guard.goal(url)
    except ForbiddenError as error:
        raise Problem("invalid", f"url: {error}", field="url") from error
    except OSError as error:
        raise Problem("invalid", "url: its host cannot be found now", field="url") from error


def _told(one: Subscription, counts: dict[str, dict[str, int]], secret: str | None = None) -> WebhookTold:
    states = counts.get(one.id, {})
    return WebhookTold(
        id=one.id,
        url=one.url,
        label=one.label,
        areas=list(one.areas),
        sites=None if one.sites is None else list(one.sites),
        kinds=list(one.kinds),
        priority=one.priority,
        created_by=one.created_by,
        created_at=iso(one.created_us),
        disabled=one.disabled,
        waiting=states.get(State.WAITING, 0),
        delivered=states.get(State.DELIVERED, 0),
        dead=states.get(State.DEAD, 0),
        secret=secret,
    )


def _delivery(row: Delivery) -> DeliveryTold:
    return DeliveryTold(
        id=row.event,
        at=iso(row.at_us),
        state=row.state,
        failures=row.failures,
        next_at=iso(row.next_us) if row.state == State.WAITING else None,
        status=row.status,
        why=row.why,
        answered_at=None if row.answered_us is None else iso(row.answered_us),
    )
