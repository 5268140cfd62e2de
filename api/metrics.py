"""What the service counts of itself, as Prometheus has it."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """Counts in a registry of the service's own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("tickplant_api_requests", "requests answered", labels, registry=self.registry)
        self._seconds = Histogram(
            "tickplant_api_request_seconds", "time until the end of an answer", ("route",), registry=self.registry
        )
        self.connections = Gauge("tickplant_api_connections", "streams that are open", registry=self.registry)
        self.seq = Gauge(
            "tickplant_api_seq", "journal sequence number that the service has seen", registry=self.registry
        )
        self.up = Gauge("tickplant_up", "1: a process of the plant answers", ("process",), registry=self.registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        known = method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return all of it as text."""
        return generate_latest(self.registry)
