"""For tests of your own: doubles, documents and contracts."""
