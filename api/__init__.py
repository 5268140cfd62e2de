"""The service: the plant for other front ends, over HTTP and WebSocket; it keeps no state of its own."""
