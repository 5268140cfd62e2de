"""The journal, byte for byte, in a replicated stream of NATS JetStream: beside the plant, never in its way."""
