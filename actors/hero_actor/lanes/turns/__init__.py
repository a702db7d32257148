"""How a lane settles and claims: its turns, and those that it sends ahead."""
