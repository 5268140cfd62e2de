"""ZeroMQ as the plant uses it, CURVE keys, request and reply; a WebSocket to any venue, and its secret."""
