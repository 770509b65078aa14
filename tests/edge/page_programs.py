"""The program of a page of the documentation, as its readers copy it, beside providers on loopback."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import yaml

from failover.adapters.loading import load_litellm

if TYPE_CHECKING:
    import pytest
    from llmock.testing import LLMockServer

PAGES = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^<!-- writes (?P<name>\S+) -->\n+```\w*\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)


def copied(
    page: str, servers: dict[str, LLMockServer], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """The page's one program, imported where its files lie; `servers` stand in for providers by their names.

    Its config is the page's own, but for the addresses.
    """
    files = {found["name"]: found["text"] for found in BLOCK.finditer((PAGES / page).read_text("utf-8"))}
    config: dict[str, Any] = yaml.safe_load(files["failover.yaml"])
    for name, provider in config["providers"].items():
        provider["api_base"] = servers[name].base_url(name)
        monkeypatch.setenv(provider["credential"].removeprefix("env:"), f"made-up-for-{name}")
    (folder / "failover.yaml").write_text(yaml.safe_dump(config), "utf-8")
    [program] = [name for name in files if name.endswith(".py")]
    (folder / program).write_text(files[program], "utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(load_litellm(), "suppress_debug_info", True)
    return _imported(folder / program)


def _imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
