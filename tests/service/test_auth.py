"""Log-ins, sessions, tokens, forgeries: what holds, how long, and what it tells."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher, extract_parameters

from flowwatch.journal.database import JournalError
from flowwatch.service.auth.authenticate import REMEMBERED_S
from flowwatch.service.auth.identity import EVERYWHERE, Areas, Grant, Role, Scope, covers
from flowwatch.service.auth.passwords import Passwords
from flowwatch.service.auth.rates import Rates
from flowwatch.service.auth.secrets import hash_of
from flowwatch.service.auth.sessions import IDLE_S, LONGEST_S, Sessions
from flowwatch.service.auth.slowdown import FREE, Slowdown
from flowwatch.service.auth.users import UserError
from tests.service.conftest import Run
from tests.service.place import ORIGIN, PASSWORD, Now, Place


class CountingHasher(PasswordHasher):
    """Remembers what it was asked to verify."""

    def __init__(self, **parameters: int) -> None:
        super().__init__(**parameters)  # type: ignore[arg-type]
        self.verified: list[str] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Any:  # noqa: A002 - as its base calls it
        self.verified.append(str(hash))
        return super().verify(hash, password)


async def log_in(place: Place, name: str, password: str, **headers: str) -> httpx.Response:
    answer = await place.client.post("/v1/session", json={"name": name, "password": password}, headers=headers)
    place.client.cookies.clear()
    return answer


async def who(place: Place, headers: dict[str, str]) -> int:
    return (await place.client.get("/v1/session", headers=headers)).status_code


def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(place: Place, run: Run) -> None:
    async def work() -> None:
        answer = await log_in(place, "operator", PASSWORD)
        name, _, rest = answer.headers["set-cookie"].partition("=")
        assert name == "flowwatch_session"
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(rest.split("; "))
        secured = httpx.AsyncClient(transport=place.client._transport, base_url="https://flowwatch.test")
        answer = await secured.post("/v1/session", json={"name": "operator", "password": PASSWORD})
        assert answer.headers["set-cookie"].startswith("__Host-flowwatch_session=")
        assert "Secure" in answer.headers["set-cookie"].split("; ")
        assert "strict-transport-security" in answer.headers

    run(work())


def test_a_session_ends_idle_and_ends_for_good(place: Place, run: Run) -> None:
    async def work() -> None:
        idle, used = await place.signed_in("operator"), await place.signed_in("viewer")
        for _ in range(0, LONGEST_S - IDLE_S, IDLE_S // 2):
            place.now.advance(IDLE_S / 2)
            assert await who(place, used) == 200
        assert await who(place, idle) == 401
        place.now.advance(IDLE_S)
        assert await who(place, used) == 401

    run(work())


def test_a_full_disk_shuts_nobody_out_who_is_signed_in(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    users, sessions = place.parts.users, place.parts.authenticator.sessions
    kept = users.matches("operator", PASSWORD)
    assert kept is not None
    cookies = [sessions.begin("operator", kept) for _ in range(2)]
    used, idle = (hash_of(cookie or "") for cookie in cookies)
    tries: list[Any] = []

    def full(work: Any) -> None:
        tries.append(work)
        raise JournalError("service.db: the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(place.store, "write", full)
        for _ in range(3):
            place.now.advance(IDLE_S / 2)
            assert [sessions.user_of(used) for _ in range(3)] == ["operator"] * 3
        assert len(tries) == 3, "no more than one a minute"
        assert sessions.user_of(idle) is None
    assert sessions.begin("operator", kept) is not None, "takes what is idle away"
    assert sessions.user_of(used) == "operator"
    place.now.advance(61)
    assert sessions.user_of(used) == "operator"
    assert Sessions(place.store, place.now).user_of(used) == "operator", "it is written now"
    place.now.advance(IDLE_S)
    assert sessions.user_of(used) is None


def test_logging_out_a_new_password_and_being_removed_end_sessions_at_once(place: Place, run: Run) -> None:
    async def work() -> None:
        first, second, admin = await place.signed_in("viewer"), await place.signed_in("viewer"), await place.signed_in("chief")
        assert (await place.client.delete("/v1/session", headers=first)).status_code == 204
        assert [await who(place, first), await who(place, second)] == [401, 200]
        body = {"old": PASSWORD, "new": "another good password"}
        assert (await place.client.put("/v1/session/password", json=body, headers=second)).status_code == 204
        assert await who(place, second) == 401
        assert (await log_in(place, "viewer", PASSWORD)).status_code == 401
        operator = await place.signed_in("operator")
        assert (await place.client.delete("/v1/users/operator", headers=admin)).status_code == 204
        assert await who(place, operator) == 401

    run(work())


def test_rights_that_are_taken_are_gone_at_once(place: Place, run: Run) -> None:
    async def work() -> None:
        operator, admin = await place.signed_in("operator"), await place.signed_in("chief")
        body = {"zone": "mall", "count": 5}
        assert (await place.client.post("/v1/sites/yuyuan/actions/recount", json=body, headers=operator)).status_code == 202
        grants = {"grants": [{"role": "viewer", "area": "huangpu"}]}
        assert (await place.client.put("/v1/users/operator/grants", json=grants, headers=admin)).status_code == 200
        assert (await place.client.post("/v1/sites/yuyuan/actions/recount", json=body, headers=operator)).status_code == 403
        assert (await place.client.get("/v1/sites/bund", headers=operator)).status_code == 200

    run(work())


def test_a_session_changes_nothing_without_its_csrf_text(place: Place, run: Run) -> None:
    async def work() -> None:
        mine, other = await place.signed_in("operator"), await place.signed_in("operator")
        path, body = "/v1/sites/yuyuan/actions/recount", {"zone": "mall", "count": 5}
        forged = [
            {"cookie": mine["cookie"]},
            mine | {"x-csrf-token": other["x-csrf-token"]},
            mine | {"x-csrf-token": ""},
            mine | {"origin": "https://evil.example"},
            mine | {"sec-fetch-site": "cross-site"},
            mine | {"sec-fetch-site": "same-site"},
        ]
        for headers in forged:
            answer = await place.client.post(path, json=body, headers=headers)
            assert answer.status_code == 403
            assert answer.json()["type"].endswith(":forged")
        good = mine | {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
        assert (await place.client.post(path, json=body, headers=good)).status_code == 202
        assert (await place.client.get("/v1/sites", headers={"cookie": mine["cookie"]})).status_code == 200

    run(work())


def test_no_other_site_logs_a_browser_in(place: Place, run: Run) -> None:
    async def work() -> None:
        assert (await log_in(place, "operator", PASSWORD, origin="https://evil.example")).status_code == 403
        form = {"content-type": "text/plain"}
        answer = await place.client.post("/v1/session", content=b'{"name":"operator","password":"x"}', headers=form)
        assert answer.status_code == 415

    run(work())


def test_failed_log_ins_slow_down_by_account_and_a_good_one_forgives_the_account(place: Place, run: Run) -> None:
    async def work() -> None:
        for _ in range(FREE["account"] + 1):
            assert (await log_in(place, "operator", "wrong password!")).status_code == 401
        answer = await log_in(place, "operator", PASSWORD)
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"
        place.now.advance(1)
        assert (await log_in(place, "operator", "wrong password!")).status_code == 401
        place.now.advance(1)
        assert (await log_in(place, "operator", PASSWORD)).status_code == 429
        place.now.advance(1)
        assert (await log_in(place, "operator", PASSWORD)).status_code == 201
        assert (await log_in(place, "operator", "wrong password!")).status_code == 401
        assert (await log_in(place, "operator", PASSWORD)).status_code == 201

    run(work())


def test_failed_log_ins_slow_down_by_address_whatever_the_account(place: Place, run: Run) -> None:
    async def work() -> None:
        for number in range(FREE["address"] + 1):
            assert (await log_in(place, f"name-{number}", "wrong password!")).status_code == 401
        assert (await log_in(place, "operator", PASSWORD)).status_code == 429

    run(work())


def test_a_restart_forgives_nothing(place: Place, run: Run) -> None:
    slow = Slowdown(place.store, place.now)
    for _ in range(FREE["account"] + 3):
        place.now.advance(slow.tries("li", "10.0.0.1"))
        slow.tries("li", "10.0.0.1")
    assert Slowdown(place.store, place.now).tries("li", "10.9.9.9") > 0


def test_a_clock_that_was_set_back_makes_nobody_wait_longer(place: Place) -> None:
    slow = Slowdown(place.store, place.now)
    slow.tries("li", "10.0.0.1")
    place.now.advance(-3600)
    assert slow.tries("wang", "10.0.0.1") == 0
    for _ in range(FREE["account"]):
        slow.tries("li", "10.0.0.1")
    place.now.advance(-3600)
    assert slow.tries("li", "10.0.0.1") == 1
    place.now.advance(1)
    assert slow.tries("li", "10.0.0.1") == 0


def test_attempts_side_by_side_are_no_more_than_one_after_another(place: Place) -> None:
    slow = Slowdown(place.store, place.now)
    assert [slow.tries("li", "10.0.0.1") > 0 for _ in range(FREE["account"] + 3)] == [False] * (FREE["account"] + 1) + [True] * 2


def test_a_good_log_in_takes_its_own_attempt_back_and_no_other_of_its_address(place: Place) -> None:
    slow = Slowdown(place.store, place.now)
    for number in range(FREE["address"]):
        slow.tries(f"name-{number}", "10.0.0.1")
    assert slow.tries("li", "10.0.0.1") == 0
    slow.succeeded("li", "10.0.0.1")
    assert slow.tries("li", "10.0.0.1") == 0
    assert slow.tries("li", "10.0.0.1") > 0


def test_a_log_in_whose_password_was_changed_meanwhile_begins_no_session(place: Place) -> None:
    users, sessions = place.parts.users, place.parts.authenticator.sessions
    kept = users.matches("operator", PASSWORD)
    assert kept is not None
    assert sessions.begin("operator", kept) is not None
    users.set_password("operator", "another long password")
    assert sessions.begin("operator", kept) is None
    users.remove("operator")
    assert sessions.begin("operator", kept) is None


def test_names_that_look_alike_are_not_two_people(place: Place) -> None:
    users = place.parts.users
    for name in ("Operator", "\uff4cee"):
        with pytest.raises(UserError, match=r"already a user|is no name"):
            users.add(name, PASSWORD, [Grant(Role.VIEWER)])


def test_nobody_is_called_as_records_call_what_no_person_did(place: Place) -> None:
    for name in ("flowwatch", "Flowwatch", "engine"):
        with pytest.raises(UserError, match="expected another name"):
            place.parts.users.add(name, PASSWORD, [])


def test_a_name_that_nobody_has_fails_alike_and_as_slowly(place: Place, run: Run) -> None:
    async def work() -> None:
        one, other = await log_in(place, "operator", "wrong password!"), await log_in(place, "nobody", "wrong password!")
        told = [{k: v for k, v in answer.json().items() if k != "instance"} for answer in (one, other)]
        assert told[0] == told[1]

    run(work())
    hasher = CountingHasher(time_cost=1, memory_cost=8, parallelism=1)
    passwords = Passwords(hasher)
    kept = passwords.kept("li", PASSWORD)
    for against in (kept, None):
        hasher.verified.clear()
        assert not passwords.matches(against, "wrong password!")
        assert [extract_parameters(hash_) for hash_ in hasher.verified] == [extract_parameters(kept)]


def test_a_token_is_good_until_it_is_revoked_or_over(place: Place, run: Run) -> None:
    async def work() -> None:
        tokens = place.parts.authenticator.tokens
        text, token = tokens.add("camera", [Scope.READ], days=2, by="test")
        headers = {"authorization": f"Bearer {text}"}
        assert text.startswith("fw_")
        assert (await place.client.get("/v1/sites", headers=headers)).status_code == 200
        tokens.revoke(token.id)  # as another process would
        place.now.advance(REMEMBERED_S)
        assert (await place.client.get("/v1/sites", headers=headers)).status_code == 401
        text, _ = tokens.add("camera", [Scope.READ], days=2, by="test")
        place.now.advance(2 * 86_400 - 1)
        assert (await place.client.get("/v1/sites", headers={"authorization": f"Bearer {text}"})).status_code == 200
        place.now.advance(REMEMBERED_S)
        assert (await place.client.get("/v1/sites", headers={"authorization": f"Bearer {text}"})).status_code == 401

    run(work())


def test_an_admin_makes_and_revokes_tokens_and_sees_the_secret_once(place: Place, run: Run) -> None:
    async def work() -> None:
        admin = await place.signed_in("admin")
        body = {"label": "turnstiles", "scopes": ["read"], "areas": ["huangpu/yuyuan"], "sites": ["yuyuan"], "days": 30}
        made = (await place.client.post("/v1/tokens", json=body, headers=admin)).json()
        headers = {"authorization": f"Bearer {made['token']}"}
        assert (await place.client.get("/v1/sites/yuyuan", headers=headers)).status_code == 200
        listed = (await place.client.get("/v1/tokens", headers=admin)).json()
        assert [token["id"] for token in listed] == [made["id"]]
        assert made["token"] not in str(listed)
        assert (await place.client.delete(f"/v1/tokens/{made['id']}", headers=admin)).status_code == 204
        assert (await place.client.get("/v1/sites/yuyuan", headers=headers)).status_code == 401
        wide = body | {"areas": [""]}
        assert (await place.client.post("/v1/tokens", json=wide, headers=admin)).status_code == 403

    run(work())


def test_an_admin_of_an_area_gives_nothing_beyond_it(place: Place, run: Run) -> None:
    async def work() -> None:
        admin = await place.signed_in("admin")
        new = {"name": "wang", "password": PASSWORD, "grants": [{"role": "admin", "area": "huangpu"}]}
        assert (await place.client.post("/v1/users", json=new, headers=admin)).status_code == 403
        assert (await place.client.get("/v1/users/chief", headers=admin)).status_code == 404
        assert (await place.client.put("/v1/users/chief/password", json={"password": PASSWORD}, headers=admin)).status_code == 404
        grants = {"grants": [{"role": "operator", "area": ""}]}
        assert (await place.client.put("/v1/users/viewer/grants", json=grants, headers=admin)).status_code == 403
        chief = await place.signed_in("chief")
        assert (await place.client.delete("/v1/users/chief", headers=chief)).status_code == 409
        assert (await place.client.put("/v1/users/chief/grants", json=grants, headers=chief)).status_code == 409

    run(work())


@pytest.mark.parametrize("sent", ["Bearer fw_wrong", "Bearer x", "Basic b3BlcmF0b3I6eA==", "Bearer", "fw_x"])
def test_credentials_that_are_not_good_are_told_alike(place: Place, run: Run, sent: str) -> None:
    async def work() -> None:
        answer = await place.client.get("/v1/sites", headers={"authorization": sent})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")

    run(work())


def test_weak_passwords_are_refused(place: Place, run: Run) -> None:
    async def work() -> None:
        admin = await place.signed_in("chief")
        for password in ("short", "aaaaaaaaaaaaaaaa", "administrator-li"):
            body = {"name": "administrator-li", "password": password, "grants": [{"role": "viewer"}]}
            assert (await place.client.post("/v1/users", json=body, headers=admin)).status_code == 422

    run(work())


def test_no_secret_is_in_the_log_or_the_database(place: Place, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> list[str]:
        with caplog.at_level(logging.DEBUG, "flowwatch"):
            session = await place.signed_in("operator")
            token = place.token(Scope.READ)
            await place.client.get("/v1/journal?site=yuyuan", headers=token)
            await place.client.get("/v1/sites", headers=session)
            await log_in(place, "operator", "wrong password!")
        secrets = [session["cookie"].partition("=")[2], session["x-csrf-token"], token["authorization"].partition(" ")[2]]
        return [*secrets, PASSWORD, "wrong password!"]

    secrets = run(work())
    log = "\n".join(record.getMessage() for record in caplog.records)
    assert "GET /v1/journal 200" in log
    assert "user:operator" in log
    kept = b"".join(path.read_bytes() for path in place.workspace.root.glob("service.db*"))
    for secret in secrets:
        assert secret not in log
        assert secret.encode() not in kept


def test_the_database_is_its_owners_alone(place: Place) -> None:
    assert (place.workspace.root / "service.db").stat().st_mode & 0o077 == 0


def test_an_identity_that_asks_too_often_waits() -> None:
    now = Now(0)
    rates = Rates(10, 20, now.seconds)
    assert [rates.take("one") for _ in range(20)] == [0.0] * 20
    assert rates.take("one") == pytest.approx(0.1)
    assert rates.take("other") == 0.0
    now.advance(0.1)
    assert rates.take("one") == 0.0
    assert rates.take("one", 5) == pytest.approx(0.5)


def test_areas_are_paths() -> None:
    areas = Areas({"yuyuan": "huangpu/yuyuan"})
    assert areas.of("yuyuan") == "huangpu/yuyuan/yuyuan"
    assert areas.of("alone") == "alone"
    assert covers("huangpu/yuyuan", areas.of("yuyuan"))
    assert not covers("huangpu/yu", areas.of("yuyuan"))
    assert covers(EVERYWHERE, areas.of("alone"))
    with pytest.raises(ValueError, match="expected a path"):
        Areas({"yuyuan": "/huangpu"})


def test_a_shift_says_who_has_a_duty_now(place: Place, run: Run) -> None:
    async def work() -> Any:
        head = await place.signed_in("supervisor")
        shift = {"duty": "officer_in_charge", "user": "operator", "from_at": "2026-10-01T06:00:00Z", "until_at": "2026-10-01T18:00:00Z"}
        made = await place.client.post("/v1/sites/yuyuan/roster", json=shift, headers=head)
        assert made.status_code == 201
        path = "/v1/sites/yuyuan/roster"
        then = await place.client.get(path, params={"at": "2026-10-01T18:00:00Z"}, headers=head)
        now = await place.client.get(path, params={"at": "2026-10-01T20:00:00+08:00"}, headers=head)
        assert (then.json(), [found["user"] for found in now.json()]) == ([], ["operator"])
        nobody = await place.client.post(path, json=shift | {"user": "operatr"}, headers=head)
        assert nobody.json()["did_you_mean"] == "operator"
        place.parts.users.add("far", PASSWORD, [Grant(Role.OPERATOR, "pudong")])
        assert (await place.client.post(path, json=shift | {"user": "far"}, headers=head)).status_code == 422
        backwards = shift | {"until_at": shift["from_at"]}
        assert (await place.client.post(path, json=backwards, headers=head)).status_code == 422
        assert (await place.client.delete(f"{path}/{made.json()['id']}", headers=head)).status_code == 204

    run(work())
