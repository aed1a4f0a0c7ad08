"""The firewall of one organization: its rules over what comes from the upstream, their record, and their reasons."""
