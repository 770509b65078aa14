"""The names of what is written: OpenTelemetry's where it has one, `failover.` and our own word elsewhere.

Source: the semantic conventions for generative AI, status *Development*, as of v1.41.0: the last
versions before v1.42.0 moved them, as they were, to the repository `semantic-conventions-genai`. There
`gen_ai.provider.name` stands for the older `gen_ai.system`, and a client's time to the first token is
`gen_ai.client.operation.time_to_first_chunk`; `gen_ai.server.time_to_first_token` is for who serves a
model. `error.type` and `http.response.status_code` are stable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from failover.core.vocabulary import Operation, Target

OPERATION_NAME = "gen_ai.operation.name"
PROVIDER_NAME = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
TOKEN_TYPE = "gen_ai.token.type"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
ERROR_TYPE = "error.type"
STATUS_CODE = "http.response.status_code"

OPERATIONS: Mapping[str, str] = {
    Operation.COMPLETION: "chat",
    Operation.RESPONSES: "chat",
    Operation.EMBEDDING: "embeddings",
}
"""The well-known values of `gen_ai.operation.name`. The others have no word there, and keep their own.

OpenAI's two APIs of conversation are one operation; the conventions tell them apart by `openai.api.type`.
"""

PROVIDERS = {
    "anthropic": "anthropic",
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "deepseek": "deepseek",
    "gemini": "gcp.gemini",
    "groq": "groq",
    "mistral": "mistral_ai",
    "openai": "openai",
    "perplexity": "perplexity",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""The well-known values of `gen_ai.provider.name`, by litellm's prefix; any other prefix stays as it is."""

DURATION_BUCKETS_S = (
    *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64),
    *(1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
)
TOKEN_BUCKETS = (
    *(1, 4, 16, 64, 256, 1024, 4096, 16384, 65536),
    *(262144, 1048576, 4194304, 16777216, 67108864),
)
"""The boundaries that the conventions ask for."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A counter, or a histogram where it has `buckets`. `unit` is UCUM's, or `USD`, which UCUM has not."""

    name: str
    unit: str
    description: str
    buckets: tuple[float, ...] = ()


OPERATION_DURATION = Metric(
    "gen_ai.client.operation.duration", "s", "How long an attempt took.", DURATION_BUCKETS_S
)
FIRST_CHUNK = Metric(
    "gen_ai.client.operation.time_to_first_chunk",
    "s",
    "From the start of a streamed attempt to its first token.",
    DURATION_BUCKETS_S,
)
TOKEN_USAGE = Metric(
    "gen_ai.client.token.usage",
    "{token}",
    "Tokens of an attempt, as its provider counted them.",
    TOKEN_BUCKETS,
)
CALL_DURATION = Metric(
    "failover.call.duration",
    "s",
    "How long a call took, with all its attempts and waits.",
    DURATION_BUCKETS_S,
)
CALLS = Metric("failover.calls", "{call}", "Calls that ended.")
ATTEMPTS = Metric("failover.attempts", "{attempt}", "Attempts that ended.")
FALLBACKS = Metric("failover.fallbacks", "{attempt}", "Attempts at a next target after a failure.")
COST = Metric("failover.cost", "USD", "Charges of attempts whose price is known.")
COST_UNKNOWN = Metric("failover.cost.unknown", "{attempt}", "Attempts that used tokens at an unknown price.")
BREAKER_CHANGES = Metric("failover.breaker.changes", "{change}", "Moves of a target's breaker.")
COOLDOWNS = Metric("failover.cooldowns", "{cooldown}", "Cooldowns that began, per target.")
RETIRED = Metric("failover.targets.retired", "{target}", "Targets given up until the config is reloaded.")
SPEND_REFUSED = Metric("failover.spend.refused", "{attempt}", "Attempts that a budget or a cap kept away.")
BUDGET_SPENT = Metric("failover.budget.reached", "{budget}", "Times that a share of a budget was spent.")

METRICS = (
    *(OPERATION_DURATION, FIRST_CHUNK, TOKEN_USAGE, CALL_DURATION, CALLS, ATTEMPTS, FALLBACKS),
    *(COST, COST_UNKNOWN, BREAKER_CHANGES, COOLDOWNS, RETIRED, SPEND_REFUSED),
    BUDGET_SPENT,
)

Attributes = dict[str, str]


def operation_name(operation: str) -> str:
    """The conventions' word for one of ours, where they have any."""
    return OPERATIONS.get(operation, str(operation))


def provider_name(target: Target) -> str:
    """Whose API it is: litellm's prefix, unless that is OpenAI's dialect at somebody else's address."""
    prefix, slash, _ = target.model.partition("/")
    borrowed = prefix == "openai" and target.api_base
    name = prefix if slash and not borrowed else target.provider
    return PROVIDERS.get(name, name)


def target_attributes(name: str, target: Target | None) -> Attributes:
    """Who a target is, in both vocabularies. Only configured names, so their number is bounded.

    `target` None: the config does not know it any more.
    """
    attributes = {"failover.target": name}
    if target is not None:
        attributes["failover.provider"] = target.provider
        attributes[PROVIDER_NAME] = provider_name(target)
        if target.model:
            attributes[REQUEST_MODEL] = target.model.partition("/")[2] or target.model
    return attributes
