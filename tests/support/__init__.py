"""What tests share: registries and platforms to ask, real programs, and documents to send."""
