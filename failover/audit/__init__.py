"""The audit trail: which target saw data of which class, when, under which terms. It holds no content."""
