"""Which kind of failure a refusal is: one ordered table, the first row that matches decides.

A row matches when the status fits and one of its codes or phrases occurs; a row with neither goes by
status alone. Status codes lie, so the rows that read codes and prose come first. An in-band error without
a status of its own (0) fits every row that reads codes or prose. Sources: the providers' error pages, and
recorded exchanges.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from failover.adapters.evidence import Evidence
from failover.core.failures import FailureKind

_K = FailureKind
_OF_THE_REQUEST = range(400, 500)
_LIMIT_AND_REQUESTED = re.compile(r"limit:? (\d{1,15})\b.{0,80}?requested:? (\d{1,15})\b", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: `statuses` empty means any; `provider` empty means every one."""

    kind: FailureKind
    statuses: frozenset[int] = frozenset()
    codes: frozenset[str] = frozenset()
    says: re.Pattern[str] | None = None
    shows: Callable[[Evidence], bool] | None = None
    provider: str = ""

    def matches(self, evidence: Evidence) -> bool:
        """Whether this row decides the kind of `evidence`."""
        if self.provider and not evidence.provider.startswith(self.provider):
            return False
        by_status_alone = not self.codes and self.says is None and self.shows is None
        if self.statuses and evidence.status not in self.statuses and (evidence.status or by_status_alone):
            return False
        return (
            by_status_alone
            or not self.codes.isdisjoint(evidence.codes)
            or (self.says is not None and self.says.search(evidence.prose) is not None)
            or (self.shows is not None and self.shows(evidence))
        )


def kind_of(evidence: Evidence) -> FailureKind:
    """The kind of the first matching row; total."""
    for rule in REFUSALS:
        if rule.matches(evidence):
            return rule.kind
    return _remaining(evidence)


def _remaining(evidence: Evidence) -> FailureKind:
    if evidence.status in _OF_THE_REQUEST:
        return _K.SERVER_ERROR if evidence.html else _K.BAD_REQUEST
    return _K.TRUNCATED_STREAM if evidence.streamed else _K.SERVER_ERROR


def _asks_more_than_the_limit(evidence: Evidence) -> bool:
    """Like "Limit 200000, Requested 2500013": waiting never helps; the rest of such limits pass."""
    match = _LIMIT_AND_REQUESTED.search(evidence.prose)
    return match is not None and int(match[2]) > int(match[1])


def _refused_with_a_full_budget(evidence: Evidence) -> bool:
    """Anthropic refuses for good, though nothing of the input budget is used."""
    remaining = evidence.headers.get("anthropic-ratelimit-input-tokens-remaining", "")
    limit = evidence.headers.get("anthropic-ratelimit-input-tokens-limit", "")
    full = remaining.isdigit() and remaining == limit
    return full and evidence.headers.get("x-should-retry", "").lower() == "false"


def _waits_for_a_minute_quota(evidence: Evidence) -> bool:
    return any("perminute" in code for code in evidence.codes)


def _waits_for_a_day_quota(evidence: Evidence) -> bool:
    return any("perday" in code or "permonth" in code for code in evidence.codes)


def _says(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases))


def _any(*codes: str) -> frozenset[str]:
    return frozenset(codes)


_THROTTLED = frozenset({403, 429, *range(500, 600)})
_REFUSED = frozenset({400, 401, 402, 403, 404, 412, 422, 429})
_REJECTED = frozenset({400, 404, 409, 413, 422})
_FORBIDDEN = frozenset({400, 401, 403, 451})
_MISSING = frozenset({400, 403, 404, 410, 422})
_BUSY = frozenset({408, 409, 424, 425, 429, *range(500, 600)})

# fmt: off
REFUSALS: tuple[Rule, ...] = (
    # The model wrote something that its own provider could not use: asking again can succeed.
    Rule(_K.MALFORMED_REPLY, codes=_any("tool_use_failed", "json_validate_failed", "output_parse_failed")),

    # Where the caller may not be.
    Rule(_K.REGION_BLOCKED, codes=_any("unsupported_country_region_territory", "region_not_supported")),
    Rule(_K.REGION_BLOCKED, _FORBIDDEN, says=_says(
        r"country, region,? or territory not supported", r"user location is not supported",
        r"unsupported (countries|country|region)",
        r"not (available|supported) in your (country|region|location)",
        r"from your (country|region|location)\b", r"error code: 1009")),
    Rule(_K.REGION_BLOCKED, frozenset({451})),

    # How fast the use grows, rather than how much it is.
    Rule(_K.ACCELERATION_LIMITED, _THROTTLED, _any("slow_down", "acceleration_limit_exceeded"), _says(
        r"acceleration limit", r"usage increase rate", r"sudden increase in your request rate",
        r"scale up your .{0,40}more gradually")),

    # This request alone is larger than the whole limit.
    Rule(_K.REQUEST_TOO_LARGE, frozenset({400, 413, 429}), _any("request_too_large"), _says(
        r"request too large", r"request entity too large", r"payload too large",
        r"request body (is )?too large",
        r"request exceeds the maximum (allowed )?(size|number of bytes)"), _asks_more_than_the_limit),
    Rule(_K.REQUEST_TOO_LARGE, frozenset({429}), shows=_refused_with_a_full_budget),

    # The account has nothing left to spend.
    Rule(_K.QUOTA_EXHAUSTED, frozenset({402})),
    Rule(_K.QUOTA_EXHAUSTED, codes=_any(
        "insufficient_quota", "billing_error", "billing_hard_limit_reached", "billing_not_active",
        "insufficient_balance", "insufficient_credits", "insufficient_funds", "payment_required",
        "spend_limit_reached", "credits_exhausted")),
    Rule(_K.QUOTA_EXHAUSTED, frozenset({429}), shows=_waits_for_a_day_quota),
    Rule(_K.RATE_LIMITED, frozenset({429}), shows=_waits_for_a_minute_quota),
    Rule(_K.QUOTA_EXHAUSTED, codes=_any("1113"), provider="zai"),
    Rule(_K.QUOTA_EXHAUSTED, _REFUSED, says=_says(
        r"credit balance is too low", r"exceeded your current quota",
        r"insufficient (account )?(balance|credit|quota|fund)",
        r"billing hard limit", r"spend(ing)? (limit|cap)", r"(run|ran) out of credits", r"out of credits",
        r"(doesn't|does not) have any credits", r"account .{0,80}is suspended, .{0,40}spending limit",
        r"too many tokens per day",
        r"used all (of your )?(available )?credits", r"reached your specified api usage limits",
        r"calls ?(/|per) ?month", r"monthly (limit|quota|usage|credits)", r"check your (plan and )?billing")),

    # The provider has no room, whatever this account may use.
    Rule(_K.OVERLOADED, codes=_any(
        "overloaded_error", "overloaded", "engine_overloaded", "service_tier_capacity_exceeded", "3505",
        "model_capacity_exhausted", "capacity_exceeded", "nocapacity", "modelnotreadyexception",
        "serviceunavailableexception", "service_unavailable", "serviceunavailable", "unavailable")),
    Rule(_K.OVERLOADED, codes=_any("1305"), provider="zai"),
    Rule(_K.OVERLOADED, _BUSY, says=_says(
        r"\boverloaded\b", r"no capacity available",
        r"capacity (limit )?(has been |is )?(reached|exceeded|exhausted)",
        r"experiencing (high|heavy) (demand|load|traffic)", r"\bat (full )?capacity\b",
        r"is currently loading",
        r"server is (too )?busy")),

    # What safety rules forbid.
    Rule(_K.CONTENT_FILTERED, codes=_any(
        "content_filter", "content_filtered", "content_policy_violation", "responsibleaipolicyviolation",
        "moderation_blocked", "data_inspection_failed", "prohibited_content", "safety",
        "contentpolicyviolation")),
    Rule(_K.CONTENT_FILTERED, codes=_any("1301"), provider="zai"),
    Rule(_K.CONTENT_FILTERED, frozenset({400, 403, 422}), says=_says(
        r"content management policy", r"content[ _]policy", r"content filter", r"safety system",
        r"\bflagged\b",
        r"usage polic(y|ies)", r"content exists risk", r"(sensitive|inappropriate) content",
        r"blocked by .{0,40}(guardrail|moderation|safety|policy)", r"requires moderation")),

    # Who the caller is. Before the models: a wrong key is no news about a model.
    Rule(_K.UNAUTHORIZED, frozenset({401})),
    Rule(_K.UNAUTHORIZED, _FORBIDDEN | {404}, _any(
        "invalid_api_key", "api_key_invalid", "authentication_error", "unauthenticated", "unauthorized",
        "invalid_authentication", "invalid_authentication_error", "permission_error", "account_deactivated",
        "unrecognizedclientexception", "expiredtokenexception", "invalidsignatureexception",
        "incompletesignature", "missingauthenticationtoken", "missingauthenticationtokenexception",
        "invalidclienttokenid", "access_token_expired", "access_token_type_unsupported"), _says(
        r"\bapi[ _-]?key (is |was )?(not valid|not found|invalid|expired|missing|required|incorrect)",
        r"(incorrect|invalid|wrong|no|missing|expired) (x-)?api[ _-]?key", r"no auth credentials",
        r"security token .{0,40}(invalid|expired)", r"invalid (bearer|access|auth\w*) (token|credentials?)",
        r"authorization token missing")),
    Rule(_K.UNAUTHORIZED, codes=_any("1000", "1001", "1002", "1003", "1004"), provider="zai"),

    # Something that is missing, but not the model.
    Rule(_K.BAD_REQUEST, _REJECTED, _any("previous_response_not_found", "template_error"), _says(
        r"\b(item|file|thread|conversation|assistant|vector store|batch|container|previous response)s? "
        r"(object |with id |id )?.{0,120}?(not found|does not exist)", r"no such file")),

    # What is gone, or never was. It comes as 404, 410 and 400.
    Rule(_K.MODEL_GONE, codes=_any(
        "model_not_found", "model_decommissioned", "model_deprecated", "deploymentnotfound", "invalid_model",
        "model_not_available", "unknown_model", "model_not_supported", "model_removed", "model_not_exist")),
    Rule(_K.MODEL_GONE, codes=_any("1211"), provider="zai"),
    Rule(_K.MODEL_GONE, _MISSING, says=_says(
        r"\bmodel\b.{0,160}?(does not exist|doesn't exist|not exist|not found"
        r"|has been (deprecated|decommissioned|retired|removed)|was (removed|retired)"
        r"|is no longer (available|supported)|has reached (its|the) end)",
        r"model identifier is invalid", r"invalid model(?! (output|response|parameter))",
        r"not a valid model",
        r"unknown model", r"no endpoints found(?! that)", r"on-demand throughput isn't supported",
        r"deployment .{0,60}does not exist", r"end of its life",
        r"\bmodel ['\"`]?[\w./:@-]+['\"`]? is not supported\b(?! (with|when|for))",
        r"allowed now, your model")),

    # Amazon's word for a rate: its prose ("Too many tokens, please wait") sounds like a full window.
    Rule(_K.RATE_LIMITED, _THROTTLED | {400}, _any("throttlingexception")),

    # Too much for the model's window. URLs are cut out first: one documentation page is named so.
    Rule(_K.CONTEXT_LENGTH, codes=_any("context_length_exceeded", "model_max_prompt_tokens_exceeded")),
    Rule(_K.CONTEXT_LENGTH, codes=_any("3051"), provider="mistral"),
    Rule(_K.CONTEXT_LENGTH, codes=_any("1261"), provider="zai"),
    Rule(_K.CONTEXT_LENGTH, frozenset({400, 408, 413, 422, 429, 500}), says=_says(
        r"maximum context", r"context (length|window|limit|size)\b", r"prompt is too long",
        r"input is too long",
        r"too many total text bytes", r"\binput token count\b.{0,80}exceed", r"prompt contains \d+ tokens")),
    Rule(_K.CONTEXT_LENGTH, frozenset({400, 413, 422}), says=_says(
        r"too many (input )?tokens", r"reduce the length of", r"prompt (is )?too long",
        r"(tokens?|prompt|input).{0,80}exceeds? .{0,60}(limit|maximum|max\b).{0,60}tokens?",
        r"maximum (allowed )?(input|prompt) (tokens|length)", r"longer than the .{0,40}maximum")),

    # A parameter that this model does not take; another may.
    Rule(_K.UNSUPPORTED_PARAMETER, frozenset({400, 404, 422}), _any(
        "unsupported_parameter", "unsupported_value", "unknown_parameter", "extra_forbidden"), _says(
        r"unsupported (parameter|value)",
        r"(unrecognized|unrecognised|unknown) (request )?(parameter|argument)",
        r"unexpected keyword argument", r"extra inputs are not permitted", r"extraneous key",
        r"unknown name .{0,120}cannot find field",
        r"not supported (with|by|for|on|in) (this|the) .{0,60}\bmodel",
        r"model (does not|doesn't) support", r"maximum allowed number of output tokens",
        r"max(_completion)?_tokens is too large", r"no endpoints found that support")),

    # How much the account may use in a time.
    Rule(_K.RATE_LIMITED, frozenset({429})),
    Rule(_K.RATE_LIMITED, _THROTTLED | {400}, _any(
        "rate_limit_exceeded", "rate_limit_error", "ratelimitreached", "too_many_requests",
        "resource_exhausted",
        "too_many_requests_error", "throttling", "throttling_error",
        "toomanyrequestsexception", "request_quota_exceeded"), _says(
        r"rate[ -]?limit", r"too many requests", r"rate exceeded", r"\bthrottled\b", r"token rate limit")),

    # What is left goes by status.
    Rule(_K.UNAUTHORIZED, frozenset({403})),
    Rule(_K.MODEL_GONE, frozenset({404, 410})),
    Rule(_K.TIMEOUT, frozenset({408})),
    Rule(_K.CONNECTION, frozenset({407})),
    Rule(_K.REQUEST_TOO_LARGE, frozenset({413, 414, 431})),
    Rule(_K.OVERLOADED, frozenset({498, 503, 529})),
    Rule(_K.SERVER_ERROR, frozenset({409, 421, 424, 425, 499})),
)
# fmt: on
