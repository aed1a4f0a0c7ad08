"""Load on one path: as many requests as fit into some seconds."""
