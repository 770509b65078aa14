"""The service of docs/example-service: its own tests pass, and docs/testing.md shows what stands there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kit.test_pytest_plugin import PLUGIN

if TYPE_CHECKING:
    import pytest

pytest_plugins = "pytester"

DOCS = Path(__file__).parents[2] / "docs"
SERVICE = DOCS / "example-service"


def test_its_tests_pass_as_a_reader_runs_them(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process of its own: they load litellm, which must not be loaded twice in one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "remembered"))
    shutil.copytree(SERVICE, pytester.path / "service", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(pytester.path / "service")
    result = pytester.runpytest_subprocess(*PLUGIN, "-p", "no:cacheprovider", "-W", "error")
    result.assert_outcomes(passed=7)


def test_the_page_shows_it_as_it_is() -> None:
    page = (DOCS / "testing.md").read_text("utf-8")
    shown = re.findall(r"(?<!<!-- runs -->\n)^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    tests = (SERVICE / "test_service.py").read_text("utf-8")
    assert len(shown) == 2
    assert all(block in tests for block in shown)


def test_nothing_in_it_needs_this_repository() -> None:
    """A reader copies the folder, and has nothing else of ours but the package."""
    assert {file.name for file in SERVICE.rglob("*") if file.is_file() and file.suffix != ".pyc"} == {
        "failover.yaml",
        "primary-goes-dark.yaml",
        "pytest.ini",
        "service.py",
        "test_service.py",
    }
