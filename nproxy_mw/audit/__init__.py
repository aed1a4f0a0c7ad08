"""The audit trail: events in hash chains, an index by time, signed checkpoints, and their verification."""
