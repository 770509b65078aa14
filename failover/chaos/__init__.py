"""The harness: recorded traffic, virtual time, seeded injections, and a judge."""
