"""Two people, each with their own key and the right to it, for exactly this version: nothing less is an approval."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowwatch.approval.base64s import raw, text
from flowwatch.approval.policy import ROSTER, Policy
from flowwatch.approval.signatures import Signature, file_of, load_signatures, write_signatures
from flowwatch.approval.verdict import judge
from flowwatch.documents import DocumentErrors, Loaded
from tests.approval.people import AT, BOTH, RIGHTS, key_of, loaded, roster_text, sign_all, signed, write_roster
from tests.places import yuyuan


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The site Yuyuan with a roster."""
    write_roster(yuyuan(tmp_path))
    return tmp_path


def missing(root: Path) -> str:
    """What is missing for the present documents; empty when they are approved."""
    return Policy.of(root).verdict(loaded(root)).missing


def put(root: Path, *signatures: Signature) -> Path:
    write_signatures(file_of(root, "yuyuan"), signatures)
    return file_of(root, "yuyuan")


def faults(root: Path) -> list[str]:
    with pytest.raises(DocumentErrors) as caught:
        missing(root)
    return [str(fault).removeprefix(f"{file_of(root, 'yuyuan')}:") for fault in caught.value.faults]


@pytest.mark.parametrize("who", [BOTH, BOTH[::-1], (("zhao", "author"), ("li", "approver")), (*BOTH, ("zhao", "approver"))])
def test_an_author_and_another_person_as_approver_approve(root: Path, who: Sequence[tuple[str, str]]) -> None:
    sign_all(root, *who)
    pair = Policy.of(root).approved(loaded(root))
    assert pair is not None
    assert (pair[0].as_, pair[1].as_) == ("author", "approver")
    assert pair[0].by != pair[1].by


def test_somebody_who_signed_as_both_is_the_one_that_the_other_needs(root: Path) -> None:
    sign_all(root, ("zhao", "author"), ("zhao", "approver"), ("wang", "author"))
    pair = Policy.of(root).approved(loaded(root))
    assert pair is not None
    assert [s.by for s in pair] == ["wang", "zhao"]


APPROVER = "expected the signature of an approver other than {} ({}): `flowwatch plan sign yuyuan --as approver --by NAME --key FILE`"
AUTHOR = "expected the signature of an author other than {} ({}): `flowwatch plan sign yuyuan --as author --by NAME --key FILE`"


@pytest.mark.parametrize(
    ("who", "found", "expected"),
    [
        (BOTH[:1], "signed by wang as author", APPROVER.format("wang", "li or zhao")),
        (BOTH[1:], "signed by li as approver", AUTHOR.format("li", "wang or zhao")),
        (
            (("zhao", "author"), ("zhao", "approver")),
            "signed by zhao as author, by zhao as approver",
            APPROVER.format("zhao", "li"),
        ),
        (
            (("wang", "author"), ("wang", "approver")),
            "signed by wang as author; that of wang as approver does not count, since wang may write only",
            APPROVER.format("wang", "li or zhao"),
        ),
        (
            (("li", "author"), ("li", "approver")),
            "signed by li as approver; that of li as author does not count, since li may approve only",
            AUTHOR.format("li", "wang or zhao"),
        ),
        (
            (("wang", "author"), ("lin", "approver")),
            'signed by wang as author; that of lin as approver does not count, since the roster has no lin; did you mean "li"?',
            APPROVER.format("wang", "li or zhao"),
        ),
    ],
)
def test_what_is_missing_is_told_with_what_to_type(root: Path, who: Sequence[tuple[str, str]], found: str, expected: str) -> None:
    sign_all(root, *who)
    assert missing(root) == f"{found}; {expected}"
    with pytest.raises(DocumentErrors, match=r"yuyuan.yaml:1:1: signatures: version [0-9a-f]{12} is not approved: "):
        Policy.of(root).approved(loaded(root))


def test_without_signatures_both_are_missing(root: Path) -> None:
    both = "expected the signatures of an author (wang or zhao) and of another person as approver (li or zhao): "
    told = f"found no signature of this version; {both}`flowwatch plan sign yuyuan --as author --by NAME --key FILE`"
    assert missing(root) == told
    sign_all(root)
    assert missing(root) == told


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("config/sites/yuyuan.yaml", "capacity: 3000", "capacity: 3001"),
        ("config/sites/yuyuan.yaml", "lanes: 6", "lanes: 7"),
        ("rules/yuyuan/plan.yaml", "enter: 3000", "enter: 3100"),
        ("rules/yuyuan/plan.yaml", "三进五出：由此进入", "三进五出：由此 进入"),
    ],
)
def test_what_changes_after_the_signing_is_not_approved(root: Path, file: str, old: str, new: str) -> None:
    sign_all(root, *BOTH)
    changed = (root / file).read_text(encoding="utf-8").replace(old, new, 1)
    (root / file).write_text(changed, encoding="utf-8")
    assert "but 2 of others: the documents have changed since" in missing(root)


def test_a_case_that_is_added_or_changed_after_the_signing_is_not_approved(root: Path) -> None:
    case = root / "rules" / "yuyuan" / "rain.plan.yaml"
    case.write_text(
        "plan: rain\nsite: yuyuan\ncase: {effect: tighten}\ntitle: {zh: 雨, en: Rain}\n"
        "stages: [{stage: wet, title: {zh: 雨, en: Wet}, gates: {gate-1: out}}]\n",
        encoding="utf-8",
    )
    sign_all(root, *BOTH)
    assert missing(root) == ""
    case.write_text(case.read_text(encoding="utf-8").replace("gate-1: out", "gate-2: out"), encoding="utf-8")
    assert "have changed since" in missing(root)
    case.unlink()
    assert "have changed since" in missing(root)


def test_comments_and_spacing_leave_an_approval_as_it_is(root: Path) -> None:
    sign_all(root, *BOTH)
    plan = root / "rules" / "yuyuan" / "plan.yaml"
    plan.write_text("# a remark\n\n" + plan.read_text(encoding="utf-8"), encoding="utf-8")
    assert missing(root) == ""


def test_signatures_of_an_older_version_are_ignored_even_if_they_are_wrong(root: Path) -> None:
    version = loaded(root).digest
    put(root, signed("wang", "author", "0a" * 32, key="li"), *(signed(by, role, version) for by, role in BOTH))
    assert missing(root) == ""


@pytest.mark.parametrize("key", ["li", "zhao", "nobody"])
def test_a_signature_by_another_key_is_a_fault_with_its_place(root: Path, key: str) -> None:
    version = loaded(root).digest
    put(root, signed("wang", "author", version, key=key), signed("li", "approver", version))
    (fault,) = faults(root)
    assert fault.startswith(
        "8:16: signatures[0].signature: found a signature that wang did not give for this version as author at this time"
    )


def test_a_signature_in_another_role_of_another_time_or_name_is_a_fault(root: Path) -> None:
    version = loaded(root).digest
    given = signed("zhao", "author", version)
    other = {"as": signed("zhao", "approver", version), "at": signed("zhao", "author", version, at="2026-10-01T09:00:01+08:00")}
    for replayed in (*other.values(), signed("wang", "author", version)):
        put(root, Signature(**{f: getattr(replayed, f) for f in ("site", "version", "as_", "by", "at")}, signature=given.signature))
        assert len(faults(root)) == 1
    put(root, given)
    assert missing(root).startswith("signed by zhao as author")


def test_a_signature_for_another_site_is_a_fault(root: Path) -> None:
    version = loaded(root).digest
    put(root, signed("wang", "author", version, "yuyuan-2"), signed("li", "approver", version))
    assert faults(root)[0] == '3:11: signatures[0].site: found "yuyuan-2", expected "yuyuan", whose file this is'
    replayed = signed("wang", "author", version, "yuyuan-2").signature
    put(root, Signature(site="yuyuan", version=version, as_=signed("wang", "author", version).as_, by="wang", at=AT, signature=replayed))
    assert "did not give" in faults(root)[0]


def test_two_names_with_one_key_are_one_person(root: Path) -> None:
    write_roster(root, roster_text(RIGHTS | {"wang2": "approve"}, keys={"wang2": "wang"}))
    version = loaded(root).digest
    put(root, signed("wang", "author", version), signed("wang2", "approver", version, key="wang"))
    with pytest.raises(DocumentErrors, match="two names with one key are one person"):
        Policy.of(root)


def test_a_file_with_faults_is_told_with_their_places(root: Path) -> None:
    file = sign_all(root, *BOTH)
    good = file.read_text(encoding="utf-8")
    for old, new, told in [
        ('as: "author"', 'as: "auther"', '5:9: signatures[0].as: found "auther", expected one of author, approver; did you mean "author"?'),
        ("by:", "buy:", '6:5: signatures[0].buy: found the unknown key "buy"'),
        ("2026-10-01T09", "2026-10-01 09", '7:9: signatures[0].at: found "2026-10-01 09:00:00+08:00", expected a time with its offset'),
        ("2026-10-01T09", "2026-10-41T09", '7:9: signatures[0].at: found "2026-10-41T09:00:00+08:00", expected a time with its offset'),
        ("signatures:", "signature:", '2:1: signature: found the unknown key "signature"'),
    ]:
        file.write_text(good.replace(old, new, 1), encoding="utf-8")
        assert any(fault.startswith(told) for fault in faults(root)), faults(root)


def test_a_roster_that_is_off_or_missing_asks_nobody(root: Path) -> None:
    file = write_roster(root, roster_text(approval="off"))
    assert Policy.of(root).approved(loaded(root)) is None
    assert "approval is off in" in Policy.of(root).unsigned
    file.unlink()
    assert Policy.of(root).approved(loaded(root)) is None
    assert Policy.of(root).unsigned.startswith("there is no ")


def test_a_link_to_a_roster_that_is_gone_is_a_fault_and_switches_nothing_off(root: Path) -> None:
    write_roster(root).unlink()
    (root / ROSTER).symlink_to(root / "gone.yaml")
    with pytest.raises(DocumentErrors, match="cannot be read"):
        Policy.of(root)


def test_a_roster_that_is_named_must_be_there_and_wins(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DocumentErrors, match="cannot be read"):
        Policy.of(root, tmp_path / "nobody.yaml")
    other = tmp_path / "other.yaml"
    other.write_text(roster_text(approval="off"), encoding="utf-8")
    assert not Policy.of(root, other).required


@pytest.fixture(scope="module")
def approved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Loaded]:
    """The signed place, for tests that change nothing of it."""
    root = tmp_path_factory.mktemp("approved")
    write_roster(yuyuan(root))
    sign_all(root, *BOTH)
    return root, loaded(root)


@given(data=st.data())
def test_any_byte_of_the_compiled_documents_that_changes_ends_the_approval(approved: tuple[Path, Loaded], data: st.DataObject) -> None:
    root, good = approved
    at = data.draw(st.integers(0, len(good.payload) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != good.payload[at]))
    changed = Loaded(good.site, good.payload[:at] + bytes([byte]) + good.payload[at + 1 :], good.version)
    policy = Policy.of(root)
    assert policy.approved(good) is not None
    assert policy.verdict(changed).pair is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_byte_of_a_signature_that_changes_is_a_forgery(approved: tuple[Path, Loaded], tmp_path: Path, data: st.DataObject) -> None:
    root, good = approved
    roster = Policy.of(root).roster
    assert roster is not None
    there = load_signatures(file_of(root, "yuyuan"), "yuyuan", good.digest, roster)
    assert judge(roster, "yuyuan", good.digest, there).pair is not None
    which, at = data.draw(st.integers(0, 1)), data.draw(st.integers(0, 63))
    whole = raw(there[which].signature, 64)
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != whole[at]))
    spoilt = [signed(s.by, s.as_.value, s.version) for s in there]
    fields = {f: getattr(there[which], f) for f in ("site", "version", "as_", "by", "at")}
    spoilt[which] = Signature(**fields, signature=text(whole[:at] + bytes([byte]) + whole[at + 1 :]))
    write_signatures(tmp_path / "yuyuan.yaml", spoilt)
    with pytest.raises(DocumentErrors, match="did not give"):
        load_signatures(tmp_path / "yuyuan.yaml", "yuyuan", good.digest, roster)


def test_the_key_of_a_person_is_the_one_in_the_roster(root: Path) -> None:
    sign_all(root, *BOTH)
    write_roster(root, roster_text(keys={"wang": "wang's new key"}))
    assert len(faults(root)) == 1
    assert key_of("wang") is not None
