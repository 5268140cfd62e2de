"""Routes of trading: strategies, orders, positions, money, risk, permissions."""
