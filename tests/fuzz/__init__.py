"""Whatever stands in a configuration, comes from a server or is said by a relay: a clear end, and no secret in it."""
