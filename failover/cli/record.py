"""`failover record`: cassettes from real endpoints, scrubbed, with timing."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from failover.cli.exits import HOLDS, INVALID, run
from failover.errors import CassetteError, ConfigError

if TYPE_CHECKING:
    from failover.cassettes.record import Recorded, Recording

_FILE = click.Path(path_type=Path)


@click.command(name="record")
@click.option("--plan", type=_FILE, help="A list of recordings (YAML); then no other source is named.")
@click.option("--config", type=_FILE, help="The config that describes the targets.")
@click.option(
    "--target", "targets", multiple=True, metavar="NAME", help="A target of the config; repeatable."
)
@click.option("--prompt", metavar="TEXT", help="The user's message.")
@click.option(
    "--out", type=_FILE, metavar="FOLDER", help="Writes FOLDER/<provider>/<target>-<whole|stream>.yaml."
)
@click.option("--stream/--no-stream", default=False, help="Whether the answer is streamed.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="The longest answer in tokens.")
@click.option("--append", "existing", flag_value="append", help="Add to files that exist.")
@click.option("--overwrite", "existing", flag_value="overwrite", help="Replace files that exist.")
def command(
    plan: Path | None,
    config: Path | None,
    targets: tuple[str, ...],
    prompt: str | None,
    out: Path | None,
    *,
    stream: bool,
    max_tokens: int | None,
    existing: str | None,
) -> None:
    """Record cassettes from real endpoints: `--plan FILE`, or `--config --target --prompt --out`.

    Refusals and cut streams are recorded like answers. Keys, cookies and the ids of organisations and
    users are replaced by REDACTED; prompts and answers are kept, so ask nothing private.

    Exit code: 0 when every exchange was recorded, 2 when one was not or the input is invalid.
    """

    def body() -> int:
        if plan is None:
            recordings = _from_config(config, targets, prompt, out, stream=stream, max_tokens=max_tokens)
        else:
            recordings = _from_plan(plan, config, targets, prompt, out)
        if existing is None:
            _refuse_existing(recordings)
        return _record_all(recordings, append=existing == "append")

    run(body)


def _from_plan(plan: Path, *others: object) -> list[Recording]:
    from failover.cli.recordings import load_recordings

    if any(others):
        raise CassetteError("--plan says everything: leave out --config, --target, --prompt and --out")
    return load_recordings(plan)


def _from_config(
    path: Path | None,
    names: Sequence[str],
    prompt: str | None,
    out: Path | None,
    *,
    stream: bool,
    max_tokens: int | None,
) -> list[Recording]:
    from failover.cassettes.record import Recording
    from failover.config import load_config

    if path is None or not names or not prompt or out is None:
        raise CassetteError("name a --plan, or all of --config, --target, --prompt and --out")
    known = load_config(path).targets
    unknown = [name for name in names if name not in known]
    if unknown:
        raise CassetteError(f"{path} has no target {', '.join(unknown)}; it has {', '.join(known)}")
    functions = [name for name in names if known[name].callable]
    if functions:
        raise CassetteError(f"a callable cannot be recorded: {', '.join(functions)}")
    ending = "stream" if stream else "whole"
    return [
        Recording(
            target=known[name],
            prompt=prompt,
            file=out / known[name].provider / f"{name}-{ending}.yaml",
            stream=stream,
            max_tokens=max_tokens,
        )
        for name in names
    ]


def _refuse_existing(recordings: Sequence[Recording]) -> None:
    existing = sorted({str(recording.file) for recording in recordings if recording.file.exists()})
    if existing:
        raise CassetteError(f"exists already: {', '.join(existing)}; say --append or --overwrite")


def _record_all(recordings: Sequence[Recording], *, append: bool) -> int:
    _quiet_litellm()
    code = HOLDS
    begun: set[Path] = set()
    for recording in recordings:
        try:
            recorded = asyncio.run(_record(recording, append=append or recording.file in begun))
        except (CassetteError, ConfigError) as error:
            click.echo(str(error), err=True)
            code = INVALID
        except OSError as error:
            click.echo(f"{recording.file}: {error.strerror}", err=True)
            code = INVALID
        else:
            begun.add(recording.file)
            click.echo(_line(recorded))
    return code


async def _record(recording: Recording, *, append: bool) -> Recorded:
    from failover.cassettes.record import record

    return await record(recording, append=append)


def _line(recorded: Recorded) -> str:
    outcome = recorded.failure.kind.value if recorded.failure else "success"
    what = f"{recorded.events} events" if recorded.recording.stream else "whole"
    return (
        f"recorded {recorded.recording.file}: {recorded.recording.target.model}, {recorded.status} {outcome},"
        f" {what}, {recorded.total_s:.3f} s"
    )


def _quiet_litellm() -> None:
    """This process is ours: litellm's advice on errors is not for whoever records them on purpose."""
    from failover.adapters.loading import load_litellm

    # To count tokens litellm would look for a tokenizer on the network.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    load_litellm().suppress_debug_info = True
    logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
