"""The service: the plant for other front ends, over HTTP and WebSockets."""
