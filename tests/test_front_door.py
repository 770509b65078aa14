"""The front door: a few names, each opened by whoever asks for it first."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import failover

ROOT = Path(__file__).parents[1]
WHOSE_FAULT = {
    "ConfigError",
    "RequestRejectedError",
    "NoEligibleTargetError",
    "AllTargetsFailedError",
    "DeadlineExceededError",
    "StreamInterruptedError",
    "LocalError",
}


@pytest.mark.parametrize("name", failover.__all__)
def test_a_name_opens_its_room_when_first_used(name):
    script = (
        "import sys, failover\n"
        f"thing = failover.{name}\n"
        f"assert thing.__name__ == {name!r}\n"
        "assert thing.__module__ in sys.modules\n"
        "assert 'litellm' not in sys.modules\n"
    )
    done = subprocess.run(  # noqa: S603  our own interpreter and our own words
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_importing_the_front_door_opens_no_room():
    script = "import sys, failover\nprint(*(name for name in sys.modules if name.startswith('failover.')))"
    done = subprocess.run(  # noqa: S603  our own interpreter and our own words
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_a_name_is_the_very_thing_of_its_room():
    assert failover.Router is importlib.import_module("failover.router").Router
    assert failover.ConfigError is importlib.import_module("failover.errors").ConfigError


@pytest.mark.parametrize("name", sorted(WHOSE_FAULT))
def test_every_error_a_call_raises_can_be_caught_by_a_name_of_the_front_door(name):
    assert issubclass(getattr(failover, name), failover.FailoverError)


def test_an_unknown_name_is_an_attribute_error_that_says_which():
    with pytest.raises(AttributeError, match=r"module 'failover' has no attribute 'Rooter'"):
        _ = failover.Rooter
