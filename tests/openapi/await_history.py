"""Waits until the pipeline has promoted something, so that every route has something to tell."""

import json
import os
import time
import urllib.request

request = urllib.request.Request(
    os.environ["URL"] + "/api/v1/pipelines",
    headers={"Authorization": "Bearer " + os.environ["FRESHET_TOKEN"]},
)
for _ in range(600):
    with urllib.request.urlopen(request) as answer:
        (pipeline,) = json.load(answer)["items"]
    if pipeline["promotions"] > 0:
        break
    time.sleep(0.2)
else:
    raise SystemExit("nothing was promoted within two minutes")
