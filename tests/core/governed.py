"""Stories under governance: who may have which data is told in a line, and may be told anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from failover.core.governance import Governance, Newest, Oversight
from failover.core.terms import Requirement, Terms
from failover.core.vocabulary import Target
from tests.core.story import Story

SECRET = Requirement(retention_days=0)
KEEPS = Terms(retention_days=30)
FORGETS = Terms(retention_days=0)


def governance(targets: Mapping[str, Target], /, **terms: Terms | tuple[Terms, ...]) -> Governance:
    """Data are `secret` or `public`; who is not named forgets at once."""
    told = dict.fromkeys(targets, FORGETS) | terms
    layers = {name: each if isinstance(each, tuple) else (each,) for name, each in told.items()}
    return Governance(targets, layers, {"secret": SECRET, "public": Requirement()})


def governed(story: Story, **terms: Terms | tuple[Terms, ...]) -> Story:
    """The same story, under such terms."""
    targets = {target.name: target for target in story.route.targets()}
    own = governance(targets, **terms)
    story.facts = replace(story.facts, oversight=Oversight(own, Newest(own)))
    return story


def told_anew(story: Story, **terms: Any) -> None:
    """A later config is in force, which says this; calls under way keep theirs."""
    newest = story.facts.oversight.newest
    newest.put(governance(newest.governance.targets, **terms))
