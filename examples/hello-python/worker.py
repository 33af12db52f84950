"""Writes a line now and then, until it is told to stop."""

import os
import signal
import sys
import time

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
interval_s = float(os.environ.get("WORKER_INTERVAL", "5"))
count = 0
while True:
    count += 1
    print(f"{os.environ.get('DYNO', 'worker')}: tick {count}", flush=True)
    time.sleep(interval_s)
