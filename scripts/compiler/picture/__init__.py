"""A flow as an SVG picture: boxes in the order of running, arrows between them."""
