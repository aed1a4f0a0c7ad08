"""The ledger of installs: which version was fetched, by which token and address, when first, when last, how often."""
