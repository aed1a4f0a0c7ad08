"""The page that a run writes: tables in Markdown, and pictures."""
