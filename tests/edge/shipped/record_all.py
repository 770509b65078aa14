"""Makes the shipped cassettes anew: `python tests/edge/shipped/record_all.py`.

It starts llmock's local server, tells it which faults come next, and runs `failover record --plan` with the
entries of `recordings.yaml`: first the answers, then the refusals. What they hold is a mock's: the shapes of
errors and streams, not the words, the speed or the failure rates of the providers.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from llmock.scenarios import Fail
from llmock.testing import LLMockServer

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PORT = 47113
VARIABLE = "LLMOCK_KEY"
KEY = "sk-" + "mock0" * 6
"""Of a key's shape: scrubbing it is part of what is recorded."""


def entries() -> list[dict[str, Any]]:
    """The entries of `recordings.yaml`: those of `failover record --plan`, and the `fault` to queue."""
    listed: list[dict[str, Any]] = yaml.safe_load((HERE / "recordings.yaml").read_text("utf-8"))["recordings"]
    return listed


def queue_fault(server: Any, entry: dict[str, Any]) -> None:
    """The next request that no earlier fault takes is answered with the entry's."""
    if entry.get("fault"):
        server.state.scenarios.add(Fail(**entry["fault"]))


def plan_of(listed: Sequence[dict[str, Any]], address: str, folder: Path) -> dict[str, Any]:
    """What `failover record --plan` reads, for a server at `address` and files below `folder`."""
    return {
        "recordings": [
            {
                **{name: value for name, value in entry.items() if name != "fault"},
                "api_base": address + entry["api_base"],
                "credential": f"env:{VARIABLE}",
                "out": str(folder.resolve() / entry["out"]),
            }
            for entry in listed
        ]
    }


def run_command(plan: dict[str, Any]) -> None:
    """`failover record --plan`, as anyone would run it."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "plan.yaml"
        file.write_text(yaml.safe_dump(plan), "utf-8")
        command = [sys.executable, "-m", "failover", "record", "--plan", str(file), "--overwrite"]
        environment = {**os.environ, VARIABLE: KEY, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, check=True, env=environment)  # noqa: S603 - our own command line


def main() -> None:
    """Record every entry into the shipped folder."""
    listed = entries()
    with LLMockServer(port=PORT) as server:
        for refused in (False, True):
            batch = [entry for entry in listed if bool(entry.get("fault")) is refused]
            for entry in batch:
                queue_fault(server, entry)
            run_command(plan_of(batch, server.url, ROOT / "cassettes"))


if __name__ == "__main__":
    main()
