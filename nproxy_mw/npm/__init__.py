"""What npm says: names, versions, routes, packuments, publish documents. Pure: nothing in here does I/O."""
