"""What one organization is made of: its settings, tokens, keys and audit trail, each on Storage.

Whatever changes here tells of it in the audit trail. Two objects cannot be written in one step, so what is changed
carries the event that tells of it, written in the same step; then the event is hung into the chain. A crash between the
two leaves an event that `Trail.settle` finds and hangs in later, at the next change or by ``check``.
"""
