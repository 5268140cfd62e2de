"""One table in memory: names, chunk, block, revisions, selection, and the snapshot that answers are made of."""
