"""The catalogue: one small file each, and one registration here."""

from typing import Annotated

from pydantic import Field

from failover.chaos.injections.auth_revoked import AuthRevoked
from failover.chaos.injections.base import Encounter, Gate, Images, Injection
from failover.chaos.injections.brownout import Brownout
from failover.chaos.injections.capacity import Capacity
from failover.chaos.injections.cold_standby import ColdStandby
from failover.chaos.injections.content_filter import ContentFilter
from failover.chaos.injections.deprecation import Deprecation
from failover.chaos.injections.empty_reply import EmptyReply
from failover.chaos.injections.flap import Flap
from failover.chaos.injections.in_band_error import InBandError
from failover.chaos.injections.malformed_reply import MalformedReply
from failover.chaos.injections.outage import Outage
from failover.chaos.injections.price_change import PriceChange
from failover.chaos.injections.quota_exhausted import QuotaExhausted
from failover.chaos.injections.rate_limit import RateLimit
from failover.chaos.injections.region_block import RegionBlock
from failover.chaos.injections.slowdown import Slowdown
from failover.chaos.injections.stall import Stall
from failover.chaos.injections.terms_change import TermsChange
from failover.chaos.injections.tokenizer_change import TokenizerChange
from failover.chaos.injections.truncated_stream import TruncatedStream
from failover.chaos.injections.wrong_model import WrongModel

Availability = Outage | Brownout | Flap | Slowdown | Stall
Limits = RateLimit | QuotaExhausted | Capacity | ColdStandby
Answers = MalformedReply | TruncatedStream | InBandError | EmptyReply | WrongModel | ContentFilter
Terms = AuthRevoked | RegionBlock | Deprecation | PriceChange | TermsChange | TokenizerChange

AnyInjection = Annotated[Availability | Limits | Answers | Terms, Field(discriminator="kind")]

__all__ = ["AnyInjection", "Encounter", "Gate", "Images", "Injection"]
