"""The service with one more endpoint, which only reads the body and answers 204: what ingestion is compared with."""

from __future__ import annotations

import sys

from fastapi import Request, Response

from app.main import create_app
from app.server import Server, listen
from app.settings import settings


async def no_op(request: Request) -> Response:
    """Reads the body, does nothing."""
    await request.body()
    return Response(status_code=204)


async def serve(port: int) -> None:
    """Serve without a pipeline until told to stop."""
    app = create_app(settings(), run_pipeline="--pipeline" in sys.argv)
    app.router.add_route("/no-op", no_op, methods=["POST"])
    await Server(app, listen("127.0.0.1", port), settings(), lambda: print("ready", flush=True)).until_stopped()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(int(sys.argv[1])))
