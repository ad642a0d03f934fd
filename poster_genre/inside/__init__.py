"""Inside the network: every number between a poster's pixels and its genres, and what made it."""
