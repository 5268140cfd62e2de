"""Between a strategy and the market: what it asks for as orders, what happened as books and rows."""
