"""What a user opens: connect, connection, a table as an object, watch, asyncio; today and history as one."""
