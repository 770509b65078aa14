"""Whether a target can do the job of a request: what it lacks, and which reasons stand for good."""

from __future__ import annotations

from failover.core.capabilities import Capability, Needs, equivalent
from failover.core.vocabulary import Reason, Target

WINDOW_MARGIN = 1.5
"""A prompt is too long only when its estimate is that many times the window: the estimate errs.

It counts a token for every four characters; measured with OpenAI's cl100k, English and Python have 4.9 and
indented JSON 5.5, which the margin covers. Passing over a target that could serve costs the request; asking
one that could not costs a refusal, after which `context_length` goes on to those with a larger window.
"""

BARRING = frozenset(
    {
        Reason.OTHER_VECTOR_SPACE,
        Reason.WINDOW_TOO_SMALL,
        Reason.OUTPUT_TOO_SHORT,
        Reason.PARAMETER_UNSUPPORTED,
        *(Reason(f"no_{capability}") for capability in Capability),
    }
)
"""Reasons of a decision that no waiting removes: such a target is not asked by any path of the call."""

_LACKS = {capability: Reason(f"no_{capability}") for capability in Capability}


def misfit(target: Target, needs: Needs) -> Reason | None:
    """Why `target` cannot serve such a request, as far as is known; None: it can, or nobody knows."""
    has = target.capabilities
    if not needs.capabilities.isdisjoint(has.unable):
        return next(reason for each, reason in _LACKS.items() if each in needs.capabilities & has.unable)
    window_tokens = target.context_window_tokens
    if window_tokens is not None and needs.tokens_in > window_tokens * WINDOW_MARGIN:
        return Reason.WINDOW_TOO_SMALL
    if has.output_tokens_max is not None and needs.tokens_out > has.output_tokens_max:
        return Reason.OUTPUT_TOO_SHORT
    if not needs.parameters.isdisjoint(has.unsupported_parameters) and _refused(target, needs):
        return Reason.PARAMETER_UNSUPPORTED
    return None


def _refused(target: Target, needs: Needs) -> bool:
    unsupported = target.capabilities.unsupported_parameters
    refused = needs.parameters & unsupported
    # A plain function is called with what the caller gave: nobody translates for it.
    return bool(target.callable) or not all(
        equivalent(parameter, needs.parameters, unsupported) for parameter in refused
    )
