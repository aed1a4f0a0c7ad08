"""People who manage the registry: administrators, their sessions, and the slowing of guesses at passwords."""
