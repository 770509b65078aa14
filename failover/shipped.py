"""The cassettes and scenarios that come with the package."""

from __future__ import annotations

from pathlib import Path


def shipped_folder(name: str) -> Path:
    """`cassettes` or `scenarios`: inside an installed package, else beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "shipped" / name
    return installed if installed.is_dir() else package.parent / name
