"""Being told of a task's end instead of asking. Run it with `python examples/webhook_receiver.py`.

A platform calls addresses of its own machine only where `webhook_allow_private` is set, so this example makes
the call to itself; yours would give its public address: `client.invoke(…, webhook_url="https://…")`.
"""

import json
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from nexusai import webhooks

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of `webhook_secret` in the platform's data directory


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = webhooks.parse(body, self.headers, SECRET)
        except webhooks.WebhookVerificationError as error:
            self.send_error(401, str(error))
            return
        print(event.type, event.data.task_id, event.data.output)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        call(f"http://127.0.0.1:{server.server_port}/")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def call(address: str) -> None:
    """As the platform calls."""
    task = {"task_id": "task_1", "status": "completed", "output": {"text": "你好"}}
    event = {"type": "task.completed", "timestamp": "2026-01-01T00:00:00Z", "data": task}
    body, moment = json.dumps(event).encode(), int(time.time())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(moment),
        "webhook-signature": webhooks.sign(body, "msg_1", moment, SECRET),
    }
    urllib.request.urlopen(urllib.request.Request(address, body, headers)).close()


if __name__ == "__main__":
    main()
