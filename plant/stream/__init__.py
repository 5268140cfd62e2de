"""Publishing and following: gathering, outbox, publisher; stream, divergence, subscriber."""
