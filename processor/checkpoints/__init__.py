"""What the processor knows, written to disk now and then, so that a restart need not learn it again."""
