"""What the runs of one account have in common: what was told them, what others hold, and its run of orders by hand."""
