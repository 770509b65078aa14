"""Settings every test runs under."""

from __future__ import annotations

import os

from hypothesis import settings

# A red build must be red again for whoever reproduces it, and a slow machine is no bug.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("here", deadline=None)
# litellm counts the tokens of replies without usage, and would look for tokenizers on the network.
os.environ["HF_HUB_OFFLINE"] = "1"
settings.load_profile("ci" if os.environ.get("CI") else "here")
