"""Looking for the smallest fault schedule that breaks a config: generated, drilled, shrunk, written down."""
