"""Whose API a recorded request went to, and what it asked for: tables over host, path and body."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

# fmt: off
_HOSTS: tuple[tuple[str, str], ...] = (
    (r"\.(openai|cognitiveservices|(services|models|inference)\.ai)\.azure\.com$", "azure-openai"),
    (r"(^|\.)openai\.com$", "openai"),
    (r"(^|\.)anthropic\.com$|(^|\.)claude\.com$", "anthropic"),
    (r"generativelanguage\.googleapis\.com$", "google-gemini"),
    (r"aiplatform\.googleapis\.com$", "google-vertex"),
    (r"^bedrock[\w-]*\..*(amazonaws\.com(\.cn)?|api\.aws)$", "bedrock"),
    (r"(^|\.)mistral\.ai$", "mistral"),
    (r"(^|\.)groq\.com$", "groq"),
    (r"(^|\.)cohere\.(com|ai)$", "cohere"),
    (r"(^|\.)openrouter\.ai$", "openrouter"),
    (r"(^|\.)deepseek\.com$", "deepseek"),
    (r"(^|\.)perplexity\.ai$", "perplexity"),
    (r"(^|\.)together\.(xyz|ai)$", "together"),
    (r"(^|\.)fireworks\.ai$", "fireworks"),
    (r"(^|\.)cerebras\.ai$", "cerebras"),
    (r"(^|\.)x\.ai$", "xai"),
    (r"(^|\.)z\.ai$|(^|\.)bigmodel\.cn$", "zai"),
    (r"(^|\.)huggingface\.(co|cloud)$", "huggingface"),
    (r"(^|\.)hyperbolic\.xyz$", "hyperbolic"),
    (r"(^|\.)voyageai\.com$", "voyage"),
    (r"(^|\.)databricks(\.|$)|(^|\.)azuredatabricks\.net$", "databricks"),
    (r"(^|\.)snowflakecomputing\.com$", "snowflake"),
    (r"(^|\.)sambanova\.ai$", "sambanova"),
    (r"(^|\.)nebius\.(ai|com)$", "nebius"),
    (r"(^|\.)novita\.ai$", "novita"),
    (r"(^|\.)crusoecloud\.com$", "crusoe"),
    (r"(^|\.)writer\.com$", "writer"),
    (r"(^|\.)ollama\.com$", "ollama"),
)
_PATHS: tuple[tuple[str, str], ...] = (
    (r"/openai/deployments/", "azure-openai"),
    (r"/publishers/[^/]+/models/", "google-vertex"),
    (r"/serving-endpoints/", "databricks"),
)
_PREFIXES: dict[str, str] = {
    "gemini": "google-gemini", "google": "google-gemini", "vertex": "google-vertex",
    "vertex_ai": "google-vertex",
    "azure": "azure-openai", "aws": "bedrock", "together_ai": "together", "fireworks_ai": "fireworks",
}
_ENDPOINTS: tuple[tuple[str, str], ...] = (
    (r"/chat/completions$", "chat.completions"),
    (r"/api/chat$", "ollama.chat"),
    (r"/api/generate$", "ollama.generate"),
    (r"/responses(/[^/]+)?$", "responses"),
    (r"/messages/count_tokens$", "count_tokens"),
    (r"/messages$", "messages"),
    (r"/completions$|/complete$", "completions"),
    (r"/embeddings$|/embed$", "embeddings"),
    (r"/converse-stream$", "converse-stream"),
    (r"/converse$", "converse"),
    (r"/invoke-with-response-stream$", "invoke-stream"),
    (r"/invoke$", "invoke"),
    (r"/chat$", "chat"),
    (r"/images/generations$", "images.generations"),
    (r"/audio/transcriptions$", "audio.transcriptions"),
    (r"/audio/speech$", "audio.speech"),
)
_OF_ENDPOINT: dict[str, str] = {
    "messages": "anthropic", "count_tokens": "anthropic", "ollama.chat": "ollama",
    "ollama.generate": "ollama",
    "converse": "bedrock", "converse-stream": "bedrock", "invoke": "bedrock", "invoke-stream": "bedrock",
    "generateContent": "google-gemini", "streamGenerateContent": "google-gemini",
    "countTokens": "google-gemini",
    "embedContent": "google-gemini", "chat.completions": "openai", "completions": "openai",
    "responses": "openai",
    "embeddings": "openai", "chat": "cohere",
}
# fmt: on
_KNOWN = frozenset(name for _, name in _HOSTS)
_STREAMED = frozenset({"streamGenerateContent", "converse-stream", "invoke-stream"})
_STREAMED_UNLESS_REFUSED = frozenset({"ollama.chat", "ollama.generate"})
_IN_PATH = re.compile(r"/deployments/([^/:]+)|/models?/(.+?)(?::\w+$|/(?:converse|invoke|v1/)|$)")
_IN_REPLY = re.compile(r'"(?:model|modelVersion)"\s*:\s*"([^"\\]{1,200})"')
_REPLY_CHARS = 20_000
_SECRET = re.compile(r"key|token|signature|secret|credential|password|^sig$", re.IGNORECASE)
_OLLAMA_PORT = 11434
_LOCAL = re.compile(r"^(localhost|127\.|0\.0\.0\.0|::1|host\.docker\.internal|\d+\.\d+\.\d+\.\d+$)")


def endpoint_of(url: str) -> str:
    """What was asked for: `chat.completions`, `messages`, `generateContent`, `converse`, …"""
    path = _split(url).path.rstrip("/")
    verb = path.rpartition("/")[2].partition(":")[2]
    if verb and "/model/" not in path:
        return verb
    found = (name for pattern, name in _ENDPOINTS if re.search(pattern, path))
    return next(found, path.rpartition("/")[2])


def provider_of(url: str, endpoint: str) -> str:
    """Whose API: by host, then by path, then, on a local address, by prefix, port or dialect."""
    split = _split(url)
    host = (split.hostname or "").lower()
    for pattern, name in _HOSTS:
        if re.search(pattern, host):
            return name
    for pattern, name in _PATHS:
        if re.search(pattern, split.path):
            return name
    prefix = split.path.strip("/").partition("/")[0].lower()
    if prefix in _PREFIXES or prefix in _KNOWN:
        return _PREFIXES.get(prefix, prefix)
    if _port(split) == _OLLAMA_PORT:
        return "ollama"
    labels = [label for label in host.split(".") if label]
    named = len(labels) > 1 and not _LOCAL.match(host)
    return labels[-2] if named else _OF_ENDPOINT.get(endpoint, host or "unknown")


def model_of(url: str, asked: Any, answered: bytes) -> str:
    """The model as the request's body names it, else its path, else the reply."""
    model = asked.get("model") or asked.get("modelId") if isinstance(asked, Mapping) else None
    if isinstance(model, str) and model:
        return model
    in_path = _IN_PATH.search(unquote(_split(url).path))
    if in_path is not None:
        return (in_path[1] or in_path[2] or "").rpartition("models/")[2]
    in_reply = _IN_REPLY.search(answered[:_REPLY_CHARS].decode("utf-8", "replace"))
    return in_reply[1] if in_reply else ""


def is_streamed(endpoint: str, url: str, asked: Any, content_type: str) -> bool:
    """Whether a stream was asked for, or came."""
    if endpoint in _STREAMED or "alt=sse" in _split(url).query:
        return True
    wanted = asked.get("stream") if isinstance(asked, Mapping) else None
    if wanted is None and endpoint in _STREAMED_UNLESS_REFUSED:
        return True
    return wanted is True or content_type.startswith(
        ("text/event-stream", "application/vnd.amazon.eventstream")
    )


def without_credentials(url: str) -> str:
    """The URL without user, password and the query's keys and tokens (Gemini takes its key there)."""
    split = _split(url)
    kept = [(name, value) for name, value in parse_qsl(split.query) if not _SECRET.search(name)]
    host = split.netloc.rpartition("@")[2]
    return split._replace(netloc=host, query=urlencode(kept), fragment="").geturl()


def json_of(body: bytes) -> Any:
    """The body as JSON, None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _port(split: SplitResult) -> int | None:
    try:
        return split.port
    except ValueError:
        return None
