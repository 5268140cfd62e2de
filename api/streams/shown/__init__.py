"""What subscriptions are shown: channels, their rows as they come, at first, and from the journal."""
