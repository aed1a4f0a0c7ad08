"""The upstream registry: how it is asked, what is believed of it, and what is kept and judged of what it says."""
