"""The front door of the test kit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import failover.testing

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text("utf-8")


@pytest.mark.parametrize("name", failover.testing.__all__)
def test_every_name_is_there_says_what_it_is_and_stands_on_the_page(name) -> None:
    assert getattr(failover.testing, name).__doc__
    assert name in PAGE


def test_a_name_that_is_not_there_is_an_error_as_usual() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = failover.testing.nothing


@pytest.mark.parametrize(
    ("names", "unwanted"),
    [
        ("scripted_router, drilled_router, assert_survives", {"litellm"}),
        ("run_virtual, VirtualTime, outage", {"litellm", "pydantic", "httpx", "rich", "vcr"}),
        ("__all__", {"litellm", "pydantic", "httpx", "failover.router"}),
    ],
)
def test_what_is_heavy_loads_when_it_is_needed(names, unwanted) -> None:
    script = f"from failover.testing import {names}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(  # noqa: S603  our own interpreter and our own words
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not unwanted & set(done.stdout.split())
