"""Ingests a note, asks about it, and deletes it. Usage: smoke.py ADDRESS SECONDS."""

import json
import sys
import time
import urllib.error
import urllib.request
import uuid

ADDRESS, SECONDS = sys.argv[1].rstrip("/"), float(sys.argv[2])
DEADLINE = time.monotonic() + SECONDS
WORD = "lantern" + uuid.uuid4().hex[:12]
COLLECTION = "smoke-test"


def call(method, path, body=None, kind="application/json"):
    request = urllib.request.Request(ADDRESS + path, body, {"Content-Type": kind}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read().decode()
    return json.loads(text) if text.startswith(("{", "[")) else text


def until(what, attempt):
    reason = ""
    while time.monotonic() < DEADLINE:
        try:
            found = attempt()
            if found:
                return found
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code}: {error.read().decode()[:500]}"
        except OSError as error:
            reason = str(error)
        time.sleep(0.5)
    sys.exit(f"{what} did not come within {SECONDS:.0f} s. {reason}")


def upload():
    mark = uuid.uuid4().hex
    body = (
        f'--{mark}\r\nContent-Disposition: form-data; name="collection"\r\n\r\n{COLLECTION}\r\n'
        f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="{WORD}.txt"\r\n'
        f"Content-Type: text/plain\r\n\r\nThe {WORD} was lit in 1852 by the keeper of the lighthouse.\r\n--{mark}--\r\n"
    )
    return call("POST", "/api/documents", body.encode(), f"multipart/form-data; boundary={mark}")


def ended(job_id):
    job = call("GET", f"/api/jobs/{job_id}")
    if job["status"] in ("failed", "cancelled"):
        sys.exit(f"The note was not ingested: {json.dumps(job)}")
    return job["status"] == "done" and job


until("readiness", lambda: call("GET", "/readyz") == "ok")
job_id = until("the upload", upload)["job_ids"][0]
document_id = until("a worker", lambda: ended(job_id))["document_id"]
question = json.dumps({"message": f"When was the {WORD} lit?", "collection": COLLECTION}).encode()
answer = until("an answer", lambda: call("POST", "/api/chat", question))
try:
    if answer["abstained"] or document_id not in [item["document_id"] for item in answer["citations"]]:
        sys.exit(f"The answer does not cite the note: {json.dumps(answer)[:1000]}")
    print(
        f"{answer['answer']}\nAn answer with its citation, {SECONDS - (DEADLINE - time.monotonic()):.1f} s after the start."
    )
finally:
    call("DELETE", f"/api/conversations/{answer['conversation_id']}")
    call("DELETE", f"/api/documents/{document_id}")
