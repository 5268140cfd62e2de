"""The page Orders: the ticket, what is open and held, what it earned, and the kill switch."""
