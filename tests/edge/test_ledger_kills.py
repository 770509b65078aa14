"""A short run of `python -m benchmarks.ledger`: processes that spend are killed, and everything adds up."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ledger import Notes, Run, main

if TYPE_CHECKING:
    import pytest


def test_killed_writers_lose_no_charge_overshoot_no_budget_and_leave_nothing_reserved(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--writers", "8", "--processes", "4", "--requests", "800", "--kill-every-s", "0.3"]
    code = main(words)
    told = capsys.readouterr().out
    assert code == 0, told
    assert "holds: ledger = sum of usage x price" in told


def test_it_notices_a_charge_that_is_lost_and_one_that_nobody_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.ledger.LASTS_S", 0.0)
    asked = argparse.Namespace(writers=2, processes=1, requests=40, kill_every_s=99.0, seed=1)
    run, notes = Run(tmp_path, asked), Notes()
    run.to_the_end()
    notes.read(run.folder)
    lost = next(iter(notes.begun))
    del notes.begun[lost]
    notes.settled["nobody-1"] = 5
    run.judge(notes)
    assert [each.split()[0] for each in run.complaints] == ["nobody-1", lost]
