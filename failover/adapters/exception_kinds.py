"""Which kind of failure an exception is by its class alone: tables from class names, litellm not imported.

Names are looked up along the exception's MRO, so the closest class decides: litellm's
`ContextWindowExceededError` before its parent `BadRequestError`, `Timeout` before `APIConnectionError`.
"""

from __future__ import annotations

import re

from failover.core.failures import FailureKind, Phase

_K = FailureKind

# fmt: off
TRANSPORT: dict[str, tuple[FailureKind, Phase | None]] = {
    # httpx and httpcore
    "ConnectTimeout": (_K.TIMEOUT, Phase.CONNECT),
    "PoolTimeout": (_K.TIMEOUT, Phase.CONNECT),
    "ReadTimeout": (_K.TIMEOUT, Phase.IDLE),
    "WriteTimeout": (_K.TIMEOUT, Phase.TOTAL),
    "TimeoutException": (_K.TIMEOUT, Phase.TOTAL),
    "ConnectError": (_K.CONNECTION, None),
    "ReadError": (_K.CONNECTION, None),
    "WriteError": (_K.CONNECTION, None),
    "CloseError": (_K.CONNECTION, None),
    "NetworkError": (_K.CONNECTION, None),
    "ProxyError": (_K.CONNECTION, None),
    "RemoteProtocolError": (_K.CONNECTION, None),
    "DecodingError": (_K.MALFORMED_REPLY, None),
    "TooManyRedirects": (_K.SERVER_ERROR, None),
    "LocalProtocolError": (_K.LOCAL, None),
    "UnsupportedProtocol": (_K.LOCAL, None),
    "InvalidURL": (_K.LOCAL, None),
    "TransportError": (_K.CONNECTION, None),
    # aiohttp
    "ConnectionTimeoutError": (_K.TIMEOUT, Phase.CONNECT),
    "SocketTimeoutError": (_K.TIMEOUT, Phase.IDLE),
    "ServerTimeoutError": (_K.TIMEOUT, Phase.IDLE),
    "ClientPayloadError": (_K.TRUNCATED_STREAM, None),
    "ContentLengthError": (_K.TRUNCATED_STREAM, None),
    "TransferEncodingError": (_K.TRUNCATED_STREAM, None),
    "ClientConnectionError": (_K.CONNECTION, None),
    # urllib3, requests and botocore
    "ConnectTimeoutError": (_K.TIMEOUT, Phase.CONNECT),
    "ReadTimeoutError": (_K.TIMEOUT, Phase.IDLE),
    "IncompleteRead": (_K.TRUNCATED_STREAM, None),
    "EndpointConnectionError": (_K.CONNECTION, None),
    "ConnectionClosedError": (_K.CONNECTION, None),
    "ChunkedEncodingError": (_K.TRUNCATED_STREAM, None),
    "ChecksumMismatch": (_K.TRUNCATED_STREAM, None),
    "InvalidHeadersLength": (_K.TRUNCATED_STREAM, None),
    "InvalidPayloadLength": (_K.TRUNCATED_STREAM, None),
    "NoCredentialsError": (_K.UNAUTHORIZED, None),
    "PartialCredentialsError": (_K.UNAUTHORIZED, None),
    # google.auth
    "DefaultCredentialsError": (_K.UNAUTHORIZED, None),
    "RefreshError": (_K.UNAUTHORIZED, None),
    # Python's own
    "JSONDecodeError": (_K.MALFORMED_REPLY, None),
    "SSLError": (_K.CONNECTION, None),
    "gaierror": (_K.CONNECTION, None),
    "TimeoutError": (_K.TIMEOUT, Phase.TOTAL),
    "ConnectionError": (_K.CONNECTION, None),
    "FileNotFoundError": (_K.LOCAL, None),
    "FileExistsError": (_K.LOCAL, None),
    "PermissionError": (_K.LOCAL, None),
    "IsADirectoryError": (_K.LOCAL, None),
    "NotADirectoryError": (_K.LOCAL, None),
    "ChildProcessError": (_K.LOCAL, None),
    "OSError": (_K.CONNECTION, None),
}
"""What the transport says of itself: the strongest evidence, wherever in the chain of causes it lies."""

CLIENT: dict[str, tuple[FailureKind, Phase | None]] = {
    # litellm
    "ContextWindowExceededError": (_K.CONTEXT_LENGTH, None),
    "ContentPolicyViolationError": (_K.CONTENT_FILTERED, None),
    "RejectedRequestError": (_K.CONTENT_FILTERED, None),
    "GuardrailRaisedException": (_K.CONTENT_FILTERED, None),
    "BlockedPiiEntityError": (_K.CONTENT_FILTERED, None),
    "ModifyResponseException": (_K.CONTENT_FILTERED, None),
    "SensitiveDataRouteException": (_K.CONTENT_FILTERED, None),
    "PaymentRequiredError": (_K.QUOTA_EXHAUSTED, None),
    "BudgetExceededError": (_K.QUOTA_EXHAUSTED, None),
    "UnsupportedParamsError": (_K.UNSUPPORTED_PARAMETER, None),
    "LiteLLMUnknownProvider": (_K.LOCAL, None),
    "ModelNotMappedError": (_K.LOCAL, None),
    "ImageFetchError": (_K.BAD_REQUEST, None),
    "VectorStoreSearchError": (_K.BAD_REQUEST, None),
    "InvalidRequestError": (_K.BAD_REQUEST, None),
    "JSONSchemaValidationError": (_K.MALFORMED_REPLY, None),
    "APIResponseValidationError": (_K.MALFORMED_REPLY, None),
    "Timeout": (_K.TIMEOUT, Phase.TOTAL),
    "RateLimitError": (_K.RATE_LIMITED, None),
    "ServiceUnavailableError": (_K.OVERLOADED, None),
    "BadGatewayError": (_K.SERVER_ERROR, None),
    "AwsAuthError": (_K.UNAUTHORIZED, None),
    # the openai SDK
    "APITimeoutError": (_K.TIMEOUT, Phase.TOTAL),
    "APIConnectionError": (_K.CONNECTION, None),
    "ContentFilterFinishReasonError": (_K.CONTENT_FILTERED, None),
    "LengthFinishReasonError": (_K.MALFORMED_REPLY, None),
    "AuthenticationError": (_K.UNAUTHORIZED, None),
    "PermissionDeniedError": (_K.UNAUTHORIZED, None),
    "NotFoundError": (_K.MODEL_GONE, None),
    "BadRequestError": (_K.BAD_REQUEST, None),
    "UnprocessableEntityError": (_K.BAD_REQUEST, None),
    "ConflictError": (_K.SERVER_ERROR, None),
    "InternalServerError": (_K.SERVER_ERROR, None),
    "WebSocketConnectionClosedError": (_K.CONNECTION, None),
    "WebSocketQueueFullError": (_K.LOCAL, None),
}
"""What a client library made of it: weaker, litellm shows a reset as a 500 and a bug as no connection."""

MORE_TELLING = frozenset({
    _K.CONTEXT_LENGTH, _K.CONTENT_FILTERED, _K.QUOTA_EXHAUSTED, _K.UNSUPPORTED_PARAMETER, _K.LOCAL,
    _K.MALFORMED_REPLY, _K.UNAUTHORIZED, _K.MODEL_GONE,
})
"""Kinds of a client's class that say more than a bare 400 or 500 does."""

CANCELLATIONS = frozenset({"CancelledError", "GeneratorExit", "KeyboardInterrupt", "SystemExit"})
PROGRAMMING = frozenset({
    "TypeError", "AttributeError", "LookupError", "ValueError", "AssertionError", "NameError", "ImportError",
    "ArithmeticError", "NotImplementedError", "RecursionError",
})
"""Mistakes in code: ours or the adapter's, unless the code was reading a reply."""

CUT = re.compile(
    r"payload is not completed|incomplete chunked read|without sending complete message body|incomplete read",
    re.IGNORECASE,
)
"""How httpx and aiohttp say that a body ended too early."""
# fmt: on


def names_of(error: BaseException) -> list[str]:
    """Class names along the MRO, closest first, without the roots that say nothing."""
    named = (cls.__name__ for cls in type(error).__mro__)
    return [name for name in named if name not in {"object", "BaseException", "Exception"}]
