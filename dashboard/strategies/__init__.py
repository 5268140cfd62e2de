"""The page Strategies: what there is, what is to run, and what became of it."""
