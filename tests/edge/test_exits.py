"""Every command ends in a code and in words, never in a traceback."""

from __future__ import annotations

from typing import NoReturn

import pytest

from failover.cli.exits import run
from failover.errors import CassetteError, Complaint, ConfigError

TWO = [Complaint("a.yaml", 1, "x", "is wrong"), Complaint("a.yaml", 2, "y", "is wrong too")]


def raises(error: BaseException) -> NoReturn:
    raise error


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            ConfigError(TWO),
            2,
            "a.yaml:1: x: is wrong\na.yaml:2: y: is wrong too\n2 complaints; nothing was done\n",
        ),
        (ConfigError(TWO[:1]), 2, "a.yaml:1: x: is wrong\n1 complaint; nothing was done\n"),
        (CassetteError("tape.yaml: is no cassette"), 2, "tape.yaml: is no cassette\n"),
        (ModuleNotFoundError("No module named 'vcr'", name="vcr"), 2, "vcr is not installed: pip install"),
        (KeyboardInterrupt(), 130, ""),
    ],
    ids=["complaints", "one complaint", "cassette", "extra", "interrupted"],
)
def test_what_is_raised_becomes_a_code_and_words(capsys, error, code, words) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(lambda: raises(error))
    assert exit_.value.code == code
    assert capsys.readouterr().err.startswith(words)


def test_a_body_that_returns_ends_with_its_own_code() -> None:
    with pytest.raises(SystemExit) as exit_:
        run(lambda: 1)
    assert exit_.value.code == 1


@pytest.mark.parametrize("error", [ModuleNotFoundError("no", name="failover.nowhere"), ZeroDivisionError()])
def test_a_bug_of_ours_is_not_hidden(error) -> None:
    with pytest.raises(type(error)):
        run(lambda: raises(error))
