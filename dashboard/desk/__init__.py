"""What the pages of trading share: what the plant has of it, what a person writes, and how both are shown."""
