#!/usr/bin/python3
"""The same job as a resident Flask program, of the original's shape: root, one process, the keys in the path."""
import hashlib
import hmac
import json
import logging
import subprocess

from flask import Flask, abort

FLOOR = "/usr/local/remotetask-floor"
with open(f"{FLOOR}/digests.json") as file:
    DIGESTS = json.load(file)
logging.getLogger("werkzeug").disabled = True
logging.basicConfig(filename=f"{FLOOR}/log-flask", level=logging.INFO, format="%(asctime)s %(message)s")
app = Flask(__name__)


@app.route("/<magickey>/<identifier>")
def start(magickey, identifier):
    valid = [hmac.compare_digest(hashlib.sha256(key.encode()).hexdigest(), digest)
             for key, digest in zip([magickey, identifier], DIGESTS)]
    if not all(valid) or subprocess.run(["/bin/true"], stdin=subprocess.DEVNULL).returncode:
        app.logger.info("refused")
        abort(404)
    app.logger.info("finished")
    return "Task finished\n"


app.run("127.0.0.1", 10812, threaded=True)
