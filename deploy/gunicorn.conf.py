"""gunicorn, in the demo and in the container. WEB_CONCURRENCY and BIND change it per machine."""

import os

bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# Threads, because a browser opens connections ahead of need: an idle one must not hold a whole worker.
worker_class = "gthread"
threads = 4
preload_app = True
timeout = 60
graceful_timeout = 20
keepalive = 5
# Memory that a long report took is given back in the end.
max_requests = 5000
max_requests_jitter = 500
# Nobody steers it by a socket, and two on one machine would fight for its place in the home folder.
control_socket_disable = True
