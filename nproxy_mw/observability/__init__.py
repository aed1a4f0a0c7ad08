"""What an operator sees of a running registry: its log."""
