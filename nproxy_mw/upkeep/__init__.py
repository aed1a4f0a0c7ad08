"""What an operator does to a store beside serving it: check it, clear leftovers out of it, copy it to another back end.

All of it works while servers run on the store, holds no more in memory than a few packages at a time, and stands on
nothing but the storage port.
"""
