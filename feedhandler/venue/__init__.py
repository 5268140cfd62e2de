"""What every venue needs: connections, subscriptions, order, holes and their healing, history, capture."""
