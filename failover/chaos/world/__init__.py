"""The simulated outside: what each attempt meets, as a pure function of seed and time."""
