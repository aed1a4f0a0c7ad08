"""A registry that replays a corpus: fast, read only, and as slow, poor or broken as it is asked to be."""
