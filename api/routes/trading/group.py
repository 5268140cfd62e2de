"""All routes of trading; fixed paths stand ahead of those with an id."""

from api.routes.trading import account, orders, performance, permissions, positions, risk, running, runs, strategies

ROUTERS = (
    running.router,
    strategies.router,
    performance.router,
    runs.router,
    orders.router,
    positions.router,
    account.router,
    risk.router,
    permissions.router,
)
"""For api.app."""
