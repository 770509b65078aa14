"""The edge to providers: send, cancel, stream, classify. Nothing above it knows whose client is used."""
