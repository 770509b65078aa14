"""The pure core: it decides, and never waits, reads a clock, draws a random number or does I/O."""
