"""A Python client of the scan API, standard library only, and the two servers that it works against unchanged."""

import hashlib
import http.client
import json

from harness import Case, wait_until

PATIENCE_S = 60


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status = status
        self.error = body["error"]


class ScanClient:
    """One connection; each call returns the answer's JSON or raises Refused."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=PATIENCE_S)

    def call(self, method, path, body=None, headers=None, raw=False):
        data = json.dumps(body) if isinstance(body, (dict, list)) else body
        self.connection.request(method, path, data, headers or {})
        answer = self.connection.getresponse()
        text = answer.read()
        if raw:
            return answer.status, answer.headers, text
        value = json.loads(text)
        if answer.status >= 400 and "error" in value:
            raise Refused(answer.status, value)
        return value

    def scan(self, **request):
        return self.call("POST", "/api/v1/scan", request)["spreads"]

    def batch(self, symbols, **request):
        return self.call("POST", "/api/v1/scan/batch", {"symbols": symbols, **request})

    def get(self, job_id):
        return self.call("GET", "/api/v1/scan/" + job_id)

    def delete(self, job_id):
        return self.call("DELETE", "/api/v1/scan/" + job_id)

    def wait(self, job_id):
        over = ("completed", "failed", "cancelled")
        return wait_until(lambda: (state := self.get(job_id))["status"] in over and state, f"scan {job_id} ended")

    def put_snapshot(self, data):
        name = hashlib.blake2b(data, digest_size=32).hexdigest()
        return self.call("PUT", "/api/v1/snapshots/" + name, data)

    def filters(self):
        return self.call("GET", "/api/v1/filters")["filters"]

    def presets(self):
        return self.call("GET", "/api/v1/filters/presets")["presets"]

    def validate(self, filters):
        return self.call("POST", "/api/v1/filters/validate", {"filters": filters})

    def health(self):
        return [self.call("GET", path)["status"] for path in ("/health", "/healthz")]

    def metrics(self):
        """As JSON and as text."""
        numbers = self.call("GET", "/metrics", headers={"Accept": "application/json"})
        return numbers, self.call("GET", "/metrics", headers={"Accept": "text/plain"}, raw=True)[2].decode()

    def close(self):
        self.connection.close()


class Servers(Case):
    """Starts either server; the rest of a test does not know which it is."""

    def client(self, address):
        client = ScanClient(address)
        self.addCleanup(client.close)
        return client

    def scanner(self, *arguments):
        return self.client(self.start_scanner(*arguments)[1])

    def gateway(self, *arguments):
        """A broker and a worker."""
        self.start_broker("--http", "127.0.0.1:0", *arguments)
        self.start_worker()
        return self.client(self.http)

    def market(self, symbols):
        """Snapshots of made-up chains, as bytes by symbol."""
        self.ok("sample-market", "--symbols", symbols, "--out", self.dir / "market")
        return {file.stem: file.read_bytes() for file in sorted((self.dir / "market").iterdir())}
