"""`plan key`, `plan sign`, what `check` says of signatures, and the whole way from a key to a plan that runs."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flowwatch.cli.exits import Exit
from tests.approval.people import BOTH, key_of, loaded, roster_text, sign_all, write_roster
from tests.cli.conftest import Invoke, objects
from tests.pipeline.test_acceptance import lead_people_onto_the_bridge
from tests.places import yuyuan


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The site Yuyuan with a roster, and the private keys of all in it in keys/NAME.pem."""
    root = yuyuan(tmp_path / "places")
    write_roster(root)
    (tmp_path / "keys").mkdir()
    for name in ("wang", "li", "zhao", "stranger"):
        pem = key_of(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / "keys" / f"{name}.pem").write_bytes(pem)
    return root


def pen(root: Path, role: str, by: str, key: str | None = None) -> list[str | Path]:
    """The arguments by which somebody signs."""
    file = root.parent / "keys" / f"{by if key is None else key}.pem"
    return ["plan", "sign", "yuyuan", "--as", role, "--by", by, "--key", file, "--documents", root]


def test_a_key_is_made_for_its_owner_alone_and_never_over_another(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "wang.pem"
    line = invoke("plan", "key", "wang", "--out", file).stdout
    assert line.startswith('  wang: {may: [write], key: "')
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    assert "a key is never overwritten" in invoke("plan", "key", "wang", "--out", file, code=Exit.USAGE).stderr
    assert file.read_bytes() == before
    assert 'found the name "wang li"' in invoke("plan", "key", "wang li", "--out", tmp_path / "other", code=Exit.USAGE).stderr
    assert not (tmp_path / "other").exists()


def test_the_line_that_is_printed_is_one_of_a_roster(invoke: Invoke, tmp_path: Path) -> None:
    lines = [invoke("plan", "key", name, "--out", tmp_path / name).stdout for name in ("wang", "li")]
    root = yuyuan(tmp_path / "places")
    write_roster(root, "approval: required\npeople:\n" + lines[0] + lines[1].replace("[write]", "[approve]"))
    assert "approval is required; 1 may write, 1 may approve" in invoke("check", "--documents", root).stdout


def test_a_key_with_a_passphrase_is_read_with_it_only(invoke: Invoke, root: Path, tmp_path: Path) -> None:
    sealed = tmp_path / "keys" / "chen.pem"
    line = invoke("plan", "key", "chen", "--out", sealed, "--passphrase", env={"FLOWWATCH_PASSPHRASE": "九曲桥"}).stdout
    assert b"ENCRYPTED" in sealed.read_bytes()
    write_roster(root, roster_text() + line)
    wrong = invoke(*pen(root, "author", "chen"), env={"FLOWWATCH_PASSPHRASE": "bridge"}, code=Exit.USAGE)
    assert "a wrong passphrase, or a damaged file" in wrong.stderr
    assert "signed by chen as author" in invoke(*pen(root, "author", "chen"), env={"FLOWWATCH_PASSPHRASE": "九曲桥"}).stdout


def test_signing_tells_what_is_signed_and_what_is_missing_then(invoke: Invoke, root: Path) -> None:
    version = loaded(root).digest
    first = invoke(*pen(root, "author", "wang")).stdout
    assert f"yuyuan: version {version}\n" in first
    assert "config/sites/yuyuan.yaml\n" in first
    assert "rules/yuyuan/plan.yaml\n" in first
    assert "not approved yet: signed by wang as author; expected the signature of an approver other than wang (li or zhao)" in first
    second = invoke(*pen(root, "approver", "li")).stdout
    assert second.endswith("\napproved\n")
    assert "yuyuan: approved: signed by wang as author, by li as approver" in invoke("check", "--documents", root).stdout


def test_signing_keeps_what_others_said_of_this_version_and_drops_what_was_said_of_others(invoke: Invoke, root: Path) -> None:
    file = sign_all(root, *BOTH)
    plan = root / "rules" / "yuyuan" / "plan.yaml"
    plan.write_text(plan.read_text(encoding="utf-8").replace("enter: 1500", "enter: 1400"), encoding="utf-8")
    for who in (("author", "wang"), ("approver", "zhao"), ("author", "wang")):
        invoke(*pen(root, *who))
    text = file.read_text(encoding="utf-8")
    assert text.count("  - site:") == text.count(loaded(root).digest) == 2
    assert "li" not in text.split()


def test_somebody_with_a_new_key_signs_over_the_old_signature(invoke: Invoke, root: Path) -> None:
    sign_all(root, *BOTH)
    write_roster(root, roster_text(keys={"wang": "stranger"}))
    assert "signatures[0].signature" in invoke("check", "--documents", root, code=Exit.DOCUMENTS).stdout
    assert "signatures[0].signature" in invoke(*pen(root, "approver", "zhao"), code=Exit.DOCUMENTS).stderr
    assert invoke(*pen(root, "author", "wang", "stranger")).stdout.endswith("\napproved\n")


@pytest.mark.parametrize(
    ("role", "by", "key", "told"),
    [
        ("author", "wamg", "wang", 'expected one of wang, li, zhao; did you mean "wang"?'),
        ("author", "li", "li", "li may approve, but not sign as author; wang or zhao may"),
        ("author", "wang", "li", "found the key of li, expected that of wang"),
        ("author", "wang", "stranger", "which is nobody's in"),
    ],
)
def test_who_may_not_sign_so_is_told_why(invoke: Invoke, root: Path, role: str, by: str, key: str, told: str) -> None:
    assert told in invoke(*pen(root, role, by, key), code=Exit.USAGE).stderr
    assert not (root / "config" / "signatures").exists()


def test_what_is_no_key_is_told(invoke: Invoke, root: Path) -> None:
    file = root.parent / "keys" / "wang.pem"
    file.write_text("no key", encoding="utf-8")
    assert "found no private key, expected a private Ed25519 key" in invoke(*pen(root, "author", "wang"), code=Exit.USAGE).stderr
    file.write_bytes(Ed448PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert "found a key of another kind" in invoke(*pen(root, "author", "wang"), code=Exit.USAGE).stderr


def test_documents_with_faults_are_not_signed(invoke: Invoke, root: Path) -> None:
    lead_people_onto_the_bridge(root)
    assert "one_way_without_return" in invoke(*pen(root, "author", "wang"), code=Exit.DOCUMENTS).stderr
    (root / "rules" / "yuyuan" / "plan.yaml").write_text("plan: yuyuan\n", encoding="utf-8")
    assert "plan.yaml:1:1: site: " in invoke(*pen(root, "author", "wang"), code=Exit.DOCUMENTS).stderr
    assert not (root / "config" / "signatures").exists()


def test_without_a_roster_nobody_can_sign_and_check_says_nothing_of_it(invoke: Invoke, root: Path) -> None:
    (root / "config" / "approvers.yaml").unlink()
    assert "found no roster" in invoke(*pen(root, "author", "wang"), code=Exit.USAGE).stderr
    assert "approv" not in invoke("check", "--documents", root).stdout


def test_check_names_what_is_missing_as_a_note_and_as_data(invoke: Invoke, root: Path, tmp_path: Path) -> None:
    assert "yuyuan: note: not approved: found no signature of this version" in invoke("check", "--documents", root).stdout
    sign_all(root, ("wang", "author"))
    (report,) = objects(invoke("check", "--documents", root, "--format", "json"))
    assert report["approval"]["signed"] == [{"by": "wang", "as": "author", "at": "2026-10-01T09:00:00+08:00"}]
    assert (report["approval"]["approved"], "other than wang" in report["approval"]["missing"]) == (False, True)
    write_roster(root, roster_text(approval="off"))
    off = invoke("check", "--documents", root).stdout
    assert "yuyuan: signed by wang as author" in off
    assert "missing" not in off
    named = tmp_path / "named.yaml"
    named.write_text(roster_text(), encoding="utf-8")
    assert "note: not approved" in invoke("check", "--documents", root, "--approvers", named).stdout
    assert "does not exist" in invoke("check", "--documents", root, "--approvers", tmp_path / "nobody", code=Exit.USAGE).stderr


def test_check_names_the_faults_of_a_roster_beside_all_others(invoke: Invoke, root: Path) -> None:
    write_roster(root, roster_text(keys={"li": "wang"}))
    plan = root / "rules" / "yuyuan" / "plan.yaml"
    plan.write_text(plan.read_text(encoding="utf-8") + "\nno_such_key: 1\n", encoding="utf-8")
    faults = objects(invoke("check", "--documents", root, "--format", "json", code=Exit.DOCUMENTS))
    assert {Path(fault["file"]).name for fault in faults} == {"approvers.yaml", "plan.yaml"}


@pytest.mark.slow
def test_from_a_key_to_a_plan_that_runs(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = yuyuan(tmp_path / "places")
    monkeypatch.chdir(tmp_path)

    def flowwatch(*arguments: str | Path, code: int = Exit.OK) -> str:
        done = invoke(*arguments, code=code)
        return done.stdout + done.stderr

    def run(*arguments: str | Path) -> str:
        """The engine is a process of its own, as are its workers."""
        command = [sys.executable, "-m", "flowwatch", "run", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == Exit.OK, (command, done.stdout, done.stderr)
        return done.stdout + done.stderr

    keys = [
        flowwatch("plan", "key", name, "--out", f"{name}.pem").splitlines()[0].replace("[write]", f"[{may}]")
        for name, may in (("wang", "write"), ("li", "approve"))
    ]
    roster = tmp_path / "approvers.yaml"
    roster.write_text("\n".join(["approval: required", "people:", *keys, ""]), encoding="utf-8")
    flowwatch("log", "create", "--data", "live", "--clock", "event")
    (tmp_path / "counts.ndjson").write_text(
        '{"counter": "yuyuan/turnstile-1", "at": "2026-10-01T09:00:00+08:00", "in": 12, "out": 3}\n'
        '{"counter": "yuyuan/turnstile-1", "at": "2026-10-01T09:05:00+08:00", "in": 12, "out": 3}\n',
        encoding="utf-8",
    )

    def sign() -> None:
        for name, role in (("wang", "author"), ("li", "approver")):
            who = ["--as", role, "--by", name, "--key", f"{name}.pem"]
            flowwatch("plan", "sign", "yuyuan", *who, "--documents", root, "--approvers", roster)

    into: list[str | Path] = ["--data", "live", "--documents", root, "--approvers", roster]
    assert "is not approved: found no signature" in flowwatch("ingest", *into, "counts.ndjson", code=Exit.DOCUMENTS)
    sign()
    assert "accepted, written by wang, approved by li" in flowwatch("ingest", *into, "counts.ndjson")
    ran = run(*into, "--until-end")
    assert "accepted" not in ran
    approved = "written by wang, approved by li"
    assert approved in flowwatch("explain", "--data", "live", "--lang", "en", "yuyuan-3")
    site = root / "config" / "sites" / "yuyuan.yaml"
    site.write_text(site.read_text(encoding="utf-8").replace("egress_min_per_min: 240", "egress_min_per_min: 250"), encoding="utf-8")
    ran = run(*into, "--until-end")
    assert "but 2 of others: the documents have changed since" in ran
    assert "the last good document stays in force" in ran
    assert "identical" in flowwatch("replay", "--data", "live")
    sign()
    assert f"accepted, {approved}" in run(*into, "--until-end")
