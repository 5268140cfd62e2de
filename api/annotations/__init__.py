"""What of the service is about annotations alone: the command `plant annotations`."""
