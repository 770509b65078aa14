"""The two modes of a drill: calls simulated in virtual time, and the shipping router replayed."""
