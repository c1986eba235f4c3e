#!/usr/bin/python3
"""The same job as a CGI in Python: judges two keys by their digests, writes a log line, starts the task by sudo."""
import hashlib
import hmac
import json
import os
import subprocess
import time

FLOOR = "/usr/local/remotetask-floor"
with open(f"{FLOOR}/digests.json") as file:
    digests = json.load(file)
keys = os.environ.get("PATH_INFO", "/").lstrip("/").split("/")
valid = len(keys) == 2 and all(
    hmac.compare_digest(hashlib.sha256(key.encode()).hexdigest(), digest) for key, digest in zip(keys, digests))
ran = valid and subprocess.run(["/usr/bin/sudo", "-n", f"{FLOOR}/starter"], stdin=subprocess.DEVNULL).returncode == 0
with open(f"{FLOOR}/log-python", "a") as log:
    log.write(f"{time.strftime('%F %T')} {'finished' if ran else 'refused'} from={os.environ.get('REMOTE_ADDR')}\n")
status, text = ("200 OK", "Task finished") if ran else ("404 Not Found", "no")
print(f"Status: {status}\r\nContent-Type: text/plain\r\n\r\n{text}")
