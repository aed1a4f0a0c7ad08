"""Internal packages: what is stored of each, how it changes, and whether it is still what was published."""
