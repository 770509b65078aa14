"""What tokens cost by their kind, in whole nano-dollars per million tokens."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from decimal import Decimal
from fractions import Fraction
from math import floor

from failover.core.vocabulary import Usage

NUSD_PER_USD = 1_000_000_000
TOKENS_PER_MTOK = 1_000_000

_HALF = Fraction(1, 2)


def usd_to_nusd(usd: Decimal | str | float) -> int:
    """Dollars as nano-dollars, exactly as written (`0.15` is 150 000 000), rounded half up."""
    # Not with Decimal: its products are rounded to the precision of whoever embeds us.
    return floor(Fraction(str(usd)) * NUSD_PER_USD + _HALF)


def scaled_nusd(nusd: int, factor: Fraction) -> int:
    """So many times a rate, rounded half up to whole nano-dollars."""
    return floor(nusd * factor + _HALF)


def as_factor(factor: Decimal | Fraction | str | float) -> Fraction:
    """A factor exactly as it is written: 1.1 is eleven tenths, and not the nearest float."""
    return factor if isinstance(factor, Fraction) else Fraction(str(factor))


def _beyond(rate: int | None, plain: int) -> int:
    """What a token of a kind costs more than a plain one, or less."""
    return 0 if rate is None else rate - plain


@dataclass(frozen=True, slots=True)
class KindRates:
    """Rates of the kinds of tokens that cost otherwise than a plain one of their side.

    None: billed as a plain token. Of a cache: read from it, written to it for minutes, or for an hour.
    """

    cached_input_nusd_per_mtok: int | None = None
    cache_write_nusd_per_mtok: int | None = None
    cache_write_1h_nusd_per_mtok: int | None = None
    audio_input_nusd_per_mtok: int | None = None
    audio_output_nusd_per_mtok: int | None = None
    reasoning_nusd_per_mtok: int | None = None

    def product(self, usage: Usage, input_nusd: int, output_nusd: int) -> int:
        """Tokens times rates, with the plain rates of both sides: nano-dollars times a million.

        Each kind takes of what is left of its side, in the order below, and the rest is plain: whatever
        a provider counts twice (cached audio, say) is billed once.
        """
        left_in, left_out = usage.tokens_in, usage.tokens_out
        total = left_in * input_nusd + left_out * output_nusd
        tokens = usage.tokens_in_cached
        if tokens:
            billed = min(tokens, left_in)
            left_in -= billed
            total += billed * _beyond(self.cached_input_nusd_per_mtok, input_nusd)
        tokens = usage.tokens_in_cache_written
        if tokens:
            billed = min(tokens, left_in)
            left_in -= billed
            total += billed * _beyond(self.cache_write_nusd_per_mtok, input_nusd)
        tokens = usage.tokens_in_cache_written_1h
        if tokens:
            billed = min(tokens, left_in)
            left_in -= billed
            total += billed * _beyond(self.cache_write_1h_nusd_per_mtok, input_nusd)
        tokens = usage.tokens_in_audio
        if tokens:
            total += min(tokens, left_in) * _beyond(self.audio_input_nusd_per_mtok, input_nusd)
        tokens = usage.tokens_out_audio
        if tokens:
            billed = min(tokens, left_out)
            left_out -= billed
            total += billed * _beyond(self.audio_output_nusd_per_mtok, output_nusd)
        tokens = usage.tokens_out_reasoning
        if tokens:
            total += min(tokens, left_out) * _beyond(self.reasoning_nusd_per_mtok, output_nusd)
        return total

    def scaled(self, factor: Fraction) -> KindRates:
        """All of them times `factor`."""
        told = {each.name: getattr(self, each.name) for each in fields(self)}
        return KindRates(
            **{name: None if rate is None else scaled_nusd(rate, factor) for name, rate in told.items()}
        )


@dataclass(frozen=True, slots=True)
class LengthTier:
    """What *all* tokens of a request cost whose prompt is longer than `above_tokens`.

    So bill Anthropic, Google and OpenAI; nobody bills only the tokens above the mark otherwise.
    """

    above_tokens: int
    input_nusd_per_mtok: int
    output_nusd_per_mtok: int
    kinds: KindRates | None = None


def scaled_tier(tier: LengthTier, factor: Fraction) -> LengthTier:
    """Its rates times `factor`."""
    return replace(
        tier,
        input_nusd_per_mtok=scaled_nusd(tier.input_nusd_per_mtok, factor),
        output_nusd_per_mtok=scaled_nusd(tier.output_nusd_per_mtok, factor),
        kinds=None if tier.kinds is None else tier.kinds.scaled(factor),
    )
