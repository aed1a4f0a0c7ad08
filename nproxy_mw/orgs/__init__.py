"""What one organization is made of: its settings, requests, tokens, keys and audit trail, each on Storage.

Every change is recorded in the audit trail: see `nproxy_mw.audit.audited`.
"""
