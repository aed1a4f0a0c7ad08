"""The search index: what search and lists of packages are answered from. Derived from the records, never the truth."""
