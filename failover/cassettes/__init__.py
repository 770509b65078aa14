"""Recorded provider traffic in vcrpy's format: record, scrub, read, list, play."""
