"""A small HTTP/1.1 client, so that the load costs little and needs no package."""
