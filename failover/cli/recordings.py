"""The file of `failover record --plan`: what to record, from whom, into which file."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from failover.cassettes.record import Recording
from failover.config.values import Address, Credential, Folder, Name, Text, Whole
from failover.core.vocabulary import Target
from failover.documents import Complaints, Section, load_document, validate


class Entry(Section):
    """One exchange to record."""

    provider: Name = Field(description="Who is asked; the name of a config's provider.")
    model: Text = Field(description="The name litellm knows, such as anthropic/claude-sonnet-5.")
    prompt: Text = Field(description="The user's message.")
    out: Folder = Field(description="The file to write, relative to this one. Entries may share a file.")
    stream: bool = Field(default=False, strict=True, description="Whether the answer is streamed.")
    api_base: Address | None = Field(default=None, description="Where, if not the provider's own address.")
    credential: Credential | None = Field(default=None, description="env:NAME of the variable with the key.")
    max_tokens: Whole | None = Field(default=None, description="The longest answer in tokens.")
    recorded_from: Text | None = Field(default=None, description="What answers, if not the provider itself.")


class Recordings(Section):
    """A list of exchanges, recorded in this order."""

    recordings: list[Entry] = Field(min_length=1, description="What to record.")


def load_recordings(path: Path) -> list[Recording]:
    """The recordings that the YAML file at `path` asks for; raises `ConfigError` with every complaint."""
    complaints = Complaints()
    document = load_document(path, complaints)
    section = validate(document, Recordings, complaints) if document else None
    complaints.raise_if_any()
    # Without complaints there are both.
    assert section is not None  # noqa: S101 - narrows the type
    assert document is not None  # noqa: S101 - narrows the type
    folder = document.folder or Path()
    return [_recording(entry, folder) for entry in section.recordings]


def _recording(entry: Entry, folder: Path) -> Recording:
    target = Target(
        name=entry.model,
        provider=entry.provider,
        model=entry.model,
        credential=entry.credential or "",
        api_base=entry.api_base or "",
    )
    return Recording(
        target=target,
        prompt=entry.prompt,
        file=folder / entry.out,
        stream=entry.stream,
        max_tokens=entry.max_tokens,
        recorded_from=entry.recorded_from or "",
    )
