"""Where prices come from, and which of several wins.

From the weakest: a price list (litellm's bundled map, or genai-prices), the dated facts that this package
carries, the user's price file, the target's own `prices`. Nothing here asks the network.
"""

from failover.price_sources.book import PriceRecord, price_as_of, price_book, price_records

__all__ = ["PriceRecord", "price_as_of", "price_book", "price_records"]
