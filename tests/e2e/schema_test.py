"""The JSON Schemas of docs/schema are true: what the engine writes and the documents show fits them, what they refuse
the engine refuses, and the other way round."""

import json
import re

import chains
import jsonschema
from harness import OK, ROOT, USAGE, Case

SCHEMAS = ROOT / "docs/schema"


def validator(name):
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


REQUEST, RESULT = validator("scan_request"), validator("scan_result")
RESULT_KEYS = set(RESULT.schema["properties"])


def report_validator():
    """Of the command's output, whose schema refers to the result's: put in place, as resolvers differ by version."""
    report = validator("scan_report").schema
    start = RESULT.schema["$id"] + "#/properties/"
    for name, each in report["properties"].items():
        if each.get("$ref", "").startswith(start):
            report["properties"][name] = RESULT.schema["properties"][each["$ref"][len(start):]]
    report["$defs"] = RESULT.schema["$defs"]
    return jsonschema.Draft202012Validator(report)


REPORT = report_validator()

# Requests, and whether they are ones.
REQUESTS = [
    ({}, True),
    ({"symbol": "TST", "strategies": ["bull_put", "bear_call"], "limit": 20}, True),
    ({"strategies": []}, True),
    ({"filters": [{"type": "dte", "params": {"min": 20, "max": 60}},
                  {"type": "delta", "params": {"min": -0.3, "absolute": False, "legs": "all"}}]}, True),
    ({"weights": {"probability": 1, "liquidity": 0.5}}, True),
    ({"preset": "conservative", "fill": "mid", "fee_per_contract": 0}, True),
    ({"fill": 0.5, "delta_stance": "long", "vega_stance": "neutral", "rate": -0.01}, True),
    ({"as_of_ms": 1694721600000}, True),
    ({"version": 1, "volatility": "flat", "best_per": "expiry", "count": "exact", "candidates_max": 1000000}, True),
    ({"volatility": {"mode": "user", "value": 0.3}, "spot": 100.5, "rate_curve": [{"years": 1, "rate": 0.04}]}, True),
    ({"volatility": {"mode": "realised", "value": 0.3}}, True),
    ({"dividends": [{"ex_ms": 1695721600000, "amount": 0.5}],
      "events": [{"symbol": "TST", "moment_ms": 1695721600000, "kind": "earnings"}],
      "histories": [{"symbol": "TST", "closes": [100, 101, 100.5]}]}, True),
    ({"strategies": ["iron_condor", "call_calendar", "covered_call"],
      "filters": [{"type": "earnings", "params": {"before_expiry": False, "unknown": "pass"}},
                  {"type": "settlement", "params": {"at": "pm"}}, {"type": "ev_risk", "params": {"min": -1}}]}, True),
    ({"version": 2}, False),
    ({"volatility": "user"}, False),
    ({"volatility": {"mode": "smile", "value": 0.2}}, False),
    ({"volatility": {"mode": "user", "value": 0}}, False),
    ({"best_per": "strike"}, False),
    ({"count": "all"}, False),
    ({"candidates_max": 0}, False),
    ({"spot": 0}, False),
    ({"rate": 0.01, "rate_curve": [{"years": 1, "rate": 0.04}]}, False),
    ({"rate_curve": [{"rate": 0.04}]}, False),
    ({"dividends": [{"ex_ms": 1695721600000}]}, False),
    ({"events": [{"symbol": "TST", "moment_ms": 1695721600000}]}, False),
    ({"histories": [{"symbol": "TST", "closes": [0]}]}, False),
    ({"weights": {}}, False),
    ({"filters": [{"type": "dte", "params": {}}]}, False),
    ({"filters": [{"type": "dte", "params": {"mn": 1}}]}, False),
    ({"filters": [{"type": "settlement", "params": {"at": "noon"}}]}, False),
    ({"filters": [{"type": "delta_neutral", "params": {"min": 0}}]}, False),
    ({"strategies": ["bull_putt"]}, False),
    ({"strategies": "bull_put"}, False),
    ({"limt": 3}, False),
    ({"limit": 0}, False),
    ({"limit": 10001}, False),
    ({"limit": 2.5}, False),
    ({"preset": "balance"}, False),
    ({"preset": "balanced", "weights": {"probability": 1}}, False),
    ({"weights": {"probability": -1}}, False),
    ({"weights": {"probabilty": 1}}, False),
    ({"fill": 1.5}, False),
    ({"fill": "ask"}, False),
    ({"fee_per_contract": -1}, False),
    ({"rate": 5}, False),
    ({"as_of_ms": 0}, False),
    ({"delta_stance": "up"}, False),
    ({"filters": [{"type": "delt", "params": {"min": 0}}]}, False),
    ({"filters": [{"params": {}}]}, False),
    ({"filters": {"type": "dte"}}, False),
    ({"filters": [{"type": "dte", "params": {"min": [1]}}]}, False),
    ([], False),
]


class Schemas(Case):
    def accepted(self, request):
        file = self.dir / "request.json"
        file.write_text(json.dumps(request))
        answer = self.scanmq("scan", "--local", self.chain, "--request", file, "--json")
        self.assertIn(answer.code, (OK, USAGE), answer.err)
        if answer.code == OK:
            self.check_result(answer.json())
        return answer.code == OK

    def check_result(self, printed):
        result = {key: value for key, value in printed.items() if key in RESULT_KEYS}
        for schema, document in [(RESULT, result), (REPORT, printed)]:
            for error in schema.iter_errors(document):
                self.fail(f"{error.json_path}: {error.message[:300]}")

    def setUp(self):
        super().setUp()
        self.chain = self.dir / "vendor.csv"
        self.chain.write_text(chains.cboe())

    def test_engine_and_schema_agree_on_requests(self):
        for request, good in REQUESTS:
            with self.subTest(request=request):
                self.assertEqual(good, REQUEST.is_valid(request), [e.message for e in REQUEST.iter_errors(request)])
                self.assertEqual(good, self.accepted(request))

    def test_examples_of_the_documents_are_requests(self):
        text = (ROOT / "docs/SCAN_REQUEST.md").read_text(encoding="utf-8")
        examples = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
        self.assertGreater(len(examples), 0)
        for example in examples:
            REQUEST.validate(example)
            self.accepted({**example, "symbol": "TST"})

    def test_results_of_the_engine(self):
        self.ok("sample-market", "--symbols", 3, "--out", self.dir / "market")
        strategies = REQUEST.schema["$defs"]["strategy"]["enum"]
        self.assertGreater(len(strategies), 20)
        near = ("--dte", "5..16", "--filter", "delta:min=0.3,max=0.7,legs=all")
        for flags in [(), ("--width", "0.."), ("--fill", "mid", "--preset", "aggressive"), ("--pop", "0.9999.."),
                      *[("--strategy", name, *near) for name in strategies]]:
            with self.subTest(flags=flags):
                printed = self.ok("scan", "--local", self.dir / "market", "--limit", 200, "--json", *flags).json()
                self.check_result(printed)
        one = self.ok("scan", "--local", self.chain, "--limit", 200, "--filter", "width:max=1000", "--json").json()
        self.assertRegex(one["snapshot"], "^[0-9a-f]{64}$")
        self.check_result(one)

    def test_the_result_schema_is_not_empty_words(self):
        printed = self.ok("scan", "--local", self.chain, "--limit", 2, "--json").json()
        result = {key: value for key, value in printed.items() if key in RESULT_KEYS}
        self.assertTrue(RESULT.is_valid(result))
        for damage in [
            lambda r: r.pop("engine"),
            lambda r: r.update(extra=1),
            lambda r: r["spreads"][0].update(score=None),
            lambda r: r["spreads"][0]["legs"][0].update(right="kall"),
            lambda r: r["spreads"][0].update(pop=1.5),
            lambda r: r["spreads"][0]["components"].pop("width"),
            lambda r: r["counts"].update(candidates=-1),
        ]:
            for schema, document in [(RESULT, result), (REPORT, printed)]:
                copy = json.loads(json.dumps(document))
                damage(copy)
                self.assertFalse(schema.is_valid(copy))
        self.assertTrue(REPORT.is_valid(printed))
        for key in ["jobs", "cached", "seconds", "jobs_per_s", "latency_us", "failed"]:
            self.assertFalse(REPORT.is_valid({name: value for name, value in printed.items() if name != key}))

    def test_reports_with_failures_fit(self):
        request = self.dir / "request.json"
        request.write_text(json.dumps({"candidates_max": 1}))
        answer = self.scanmq("scan", "--local", self.chain, "--request", request, "--json")
        self.assertNotEqual(OK, answer.code)
        printed = answer.json()
        self.assertEqual("too_many_candidates", printed["failed"][0]["code"])
        for error in REPORT.iter_errors(printed):
            self.fail(f"{error.json_path}: {error.message[:300]}")
