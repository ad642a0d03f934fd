"""A poster's way through a network, layer by layer, number by number."""
