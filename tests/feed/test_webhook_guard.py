"""Where a webhook may go, in every form in which an address can be written; and how long it waits."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.feed.webhooks import ladder
from flowwatch.feed.webhooks.guard import ForbiddenError, Guard, addresses, parts

OPEN = "93.184.216.34"
INSIDE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1",
    "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    "2002:a00:1::", "2001:db8::1", "fec0::1", "168.63.129.16", "192.88.99.1", "2620:4f:8000::1", "3fff::1",
]  # fmt: skip


def guard(*found: str, allow: list[str] | None = None) -> Guard:
    return Guard([ipaddress.ip_network(one) for one in allow or []], lambda host, port: list(found))


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_of_our_own_house_is_called_under_any_name(address: str) -> None:
    with pytest.raises(ForbiddenError, match="open internet"):
        guard(address).goal("https://hooks.example/x")


@pytest.mark.parametrize("address", INSIDE)
def test_one_bad_address_of_several_is_enough(address: str) -> None:
    with pytest.raises(ForbiddenError):
        guard(OPEN, address).goal("https://hooks.example/x")


def test_what_is_connected_to_is_the_address_and_what_is_asked_for_the_name() -> None:
    goal = guard(OPEN).goal("https://hooks.example/x?y=1")
    assert (goal.url, goal.authority, goal.host) == (f"https://{OPEN}:443/x?y=1", "hooks.example", "hooks.example")
    assert guard("2606:2800::1").goal("https://hooks.example:8443").url == "https://[2606:2800::1]:8443/"


def test_a_network_that_is_allowed_may_be_called_in_the_clear_and_the_internet_may_not() -> None:
    assert guard("10.0.0.5", allow=["10.0.0.0/24"]).goal("http://sms.internal/x").address == "10.0.0.5"
    with pytest.raises(ForbiddenError, match="https"):
        guard(OPEN).goal("http://hooks.example/x")
    with pytest.raises(ForbiddenError, match="open internet"):
        guard("10.0.1.5", allow=["10.0.0.0/24"]).goal("http://sms.internal/x")


@pytest.mark.parametrize("port", [22, 25, 53, 444, 1023])
def test_no_other_service_of_the_internet_is_made_to_hear_us(port: int) -> None:
    with pytest.raises(ForbiddenError, match=f"port {port}, which is another service's"):
        guard(OPEN).goal(f"https://hooks.example:{port}/")
    assert guard("10.0.0.5", allow=["10.0.0.0/24"]).goal(f"https://sms.internal:{port}/").port == port


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "017700000001", "127.1", "localhost"])
def test_other_ways_to_write_this_machine_are_seen_through(host: str) -> None:
    try:
        found = addresses(host, 443)
    except OSError:
        return  # a resolver that does not read it cannot be led there either
    with pytest.raises(ForbiddenError):
        guard(*found).goal(f"https://{host}/")


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "https://", "https://user:pw@a.example/", "https://a.example/#x", "https://a.example:0/", "https://a.example:99999/",
     "https://a.example/ x", "https://例子.example/", "javascript:alert(1)", "//a.example/", "https://[::1/"],
)  # fmt: skip
def test_what_is_no_plain_address_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenError):
        parts(url)


@pytest.mark.parametrize("url", ["https://a..b/", "https://.a/", f"https://{'x' * 64}.com/"])
def test_a_name_that_no_host_has_is_refused_and_no_fault(url: str) -> None:
    with pytest.raises(ForbiddenError, match="no name of a host"):
        Guard().goal(url)


def test_who_asks_is_not_told_where_a_name_of_our_own_house_leads() -> None:
    with pytest.raises(ForbiddenError) as caught:
        guard("10.11.12.13").goal("https://files.internal/")
    assert "10.11" not in str(caught.value)


@given(st.text(max_size=60))
def test_no_text_breaks_the_guard(text: str) -> None:
    try:
        guard("127.0.0.1").goal(text)
    except ForbiddenError:
        return
    raise AssertionError(text)


@given(st.text(max_size=20), st.integers(1, 40), st.none() | st.floats(0, 1e9))
def test_waits_grow_and_end_and_are_the_same_each_time(name: str, failures: int, retry_after: float | None) -> None:
    wait = ladder.wait_us(name, failures, retry_after)
    assert wait == ladder.wait_us(name, failures, retry_after)
    if failures > len(ladder.STEPS_S):
        assert wait is None
    else:
        assert wait is not None
        step = ladder.STEPS_S[failures - 1] * ladder.SECOND
        assert step <= wait <= max(1.1 * step, (retry_after or 0) * ladder.SECOND + 1)
        assert wait <= 1.1 * ladder.LONGEST_S * ladder.SECOND


def test_the_ladder_reaches_over_three_days() -> None:
    assert sum(ladder.STEPS_S) > 3 * 86_400
    assert list(ladder.STEPS_S) == sorted(ladder.STEPS_S)
