"""`flowwatch grafana export`: what is written, what is not written over, and what it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import yaml

from flowwatch.grafana import dashboards
from flowwatch.words import Language
from tests.cli.conftest import Invoke

LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
NAMES: Final = sorted(dashboards.read("en"))
languages = pytest.mark.parametrize("lang", LANGUAGES)


@languages
def test_all_are_written_with_what_provisions_them(tmp_path: Path, invoke: Invoke, lang: Language) -> None:
    folder = tmp_path / "out"
    assert "8 files, 8 of them written" in invoke("grafana", "export", folder, "--lang", lang).output
    for name in NAMES:
        written = json.loads((folder / lang / f"{name}.json").read_text(encoding="utf-8"))
        assert written == dashboards.read(lang)[name]
    provider = yaml.safe_load((folder / "provisioning" / "dashboards" / "flowwatch.yml").read_text(encoding="utf-8"))
    assert provider["providers"][0]["options"]["path"] == str(folder.resolve())
    source = yaml.safe_load((folder / "provisioning" / "datasources" / "flowwatch.yml").read_text(encoding="utf-8"))
    assert source["datasources"][0]["type"] == "prometheus"
    assert "8 files, 0 of them written" in invoke("grafana", "export", folder, "--lang", lang).output


def test_both_languages_go_into_one_folder(tmp_path: Path, invoke: Invoke) -> None:
    invoke("grafana", "export", tmp_path, "--lang", "en")
    assert "8 files, 6 of them written" in invoke("grafana", "export", tmp_path, "--lang", "zh").output
    uids = {json.loads(file.read_text(encoding="utf-8"))["uid"] for file in tmp_path.rglob("*.json")}
    assert len(uids) == 12


def test_what_somebody_changed_is_not_written_over(tmp_path: Path, invoke: Invoke) -> None:
    invoke("grafana", "export", tmp_path, "--lang", "en")
    file = tmp_path / "en" / "plan.json"
    file.write_text("{}")
    told = invoke("grafana", "export", tmp_path, "--lang", "en", code=2).output
    assert "en/plan.json is there and different; --force writes over" in told
    assert file.read_text() == "{}"
    assert "1 of them written" in invoke("grafana", "export", tmp_path, "--lang", "en", "--force").output
    assert json.loads(file.read_text(encoding="utf-8"))["uid"] == "flowwatch-plan-en"


def test_with_an_address_they_lead_to_the_run_books_and_without_one_nowhere(tmp_path: Path, invoke: Invoke) -> None:
    invoke("grafana", "export", tmp_path / "with", "--lang", "en", "--console", "https://flowwatch.example.cn/")
    invoke("grafana", "export", tmp_path / "without", "--lang", "en")
    for name in NAMES:
        links = json.loads((tmp_path / "with" / "en" / f"{name}.json").read_text(encoding="utf-8"))["links"]
        assert [link["url"] for link in links if link["type"] == "link"] == ["https://flowwatch.example.cn/runbooks"]
        assert "/runbooks" not in (tmp_path / "without" / "en" / f"{name}.json").read_text(encoding="utf-8")


def test_an_address_that_is_none_is_refused(tmp_path: Path, invoke: Invoke) -> None:
    assert (
        'flowwatch: --console: "flowwatch" is no address' in invoke("grafana", "export", tmp_path, "--console", "flowwatch", code=2).output
    )


def test_giving_them_out_needs_no_sdk(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['grafana_foundation_sdk'] = None\n"
        f"from flowwatch.cli.main import main; main(['grafana', 'export', {str(tmp_path / 'out')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "8 files" in done.stderr, done.stderr
