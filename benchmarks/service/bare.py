"""The plainest service there can be, to be measured beside ours: FastAPI on uvicorn, constant bytes, no plant.

    python -m benchmarks.service.bare PORT BYTES

GET /bare and POST /bare answer so many bytes; what is sent to POST /push goes to all who follow WS /ws as it is.
"""

import sys

import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect


def made(size: int) -> FastAPI:
    """Return the app; its answers have `size` bytes."""
    app, body, following = FastAPI(), b"x" * size, set[WebSocket]()

    @app.get("/bare")
    @app.post("/bare")
    async def bare() -> Response:
        return Response(body, media_type="application/json")

    @app.post("/push")
    async def push(request: Request) -> Response:
        text = (await request.body()).decode()
        for websocket in list(following):
            await websocket.send_text(text)
        return Response(b"")

    @app.websocket("/ws")
    async def follow(websocket: WebSocket) -> None:
        await websocket.accept()
        following.add(websocket)
        try:
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            following.discard(websocket)

    return app


def main() -> None:
    """Serve, until stopped."""
    port, size = map(int, sys.argv[1:])
    options = {"ws": "websockets-sansio", "ws_per_message_deflate": False, "access_log": False, "log_level": "error"}
    uvicorn.run(made(size), host="127.0.0.1", port=port, http="h11", **options)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
