"""What an operator does to a store in addition to serving it: check it, repair it, clear it of leftovers, copy it.

All of it works while servers use the store, holds only a few packages at a time in memory, and needs nothing but the
storage port.
"""
