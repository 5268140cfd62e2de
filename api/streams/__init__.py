"""What comes, as it comes: subscriptions of any number of clients over one subscriber to the plant."""
