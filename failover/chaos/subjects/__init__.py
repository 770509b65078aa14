"""Other clients in the router's place: the same worlds, the same verdict."""
