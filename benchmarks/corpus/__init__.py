"""What the upstream serves: packuments and tarballs, generated or recorded, in a folder."""
