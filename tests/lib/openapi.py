"""data/openapi.yaml as a judge of real answers."""
import json
import re

import jsonschema
import yaml

from lib.programs import ROOT

PATH = ROOT / "data/openapi.yaml"
METHODS = ("get", "head", "post", "options")
# What the web server adds by itself, or the protocol needs.
NOT_OURS = {"content-length", "content-type", "date", "server", "connection", "transfer-encoding", "accept-ranges"}


class Document:
    def __init__(self):
        self.root = yaml.safe_load(PATH.read_text(encoding="utf-8"))
        self.resolver = jsonschema.RefResolver("", self.root)
        self.seen, self.codes = set(), set()         # (method, path, status) and (method, path, code) of judged answers

    def at(self, node):
        while "$ref" in node:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def judge_value(self, schema, value, what):
        faults = list(jsonschema.Draft202012Validator(schema, resolver=self.resolver).iter_errors(value))
        assert not faults, f"{what}: {value!r}\n" + "\n".join(f"{'/'.join(map(str, f.absolute_path))}: {f.message}" for f in faults)

    def path_of(self, path):
        """The template that a path fits."""
        for template in self.root["paths"]:
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                return template
        return None

    def documented(self):
        """Every (method, path, status) the document has, 405 of other methods as method "other"."""
        found = {(method, path, int(status)) for path, item in self.root["paths"].items() for method in METHODS if method in item
                 for status in item[method]["responses"]}
        return found | {("other", path, 405) for path in self.root["paths"]}

    def documented_codes(self):
        """Every (method, path, code) the document has."""
        found = set()
        for path, item in self.root["paths"].items():
            all_of = {(m, s): r for m in METHODS for s, r in item.get(m, {}).get("responses", {}).items()}
            for (method, _), response in {**all_of, ("other", "405"): item["x-other-methods"]}.items():
                for content in self.at(response).get("content", {}).values():
                    for part in content["schema"].get("allOf", []):
                        found |= {(method, path, code) for code in part.get("properties", {}).get("code", {}).get("enum", [])}
        return found

    def judge(self, method, path, answer):
        """The answer is one that the document promises: status, headers, body. Returns it."""
        template = self.path_of(path)
        assert template, f"{path} is not in the document: {answer}"
        item = self.root["paths"][template]
        method = method.lower() if method.lower() in item else "other"
        promised = {405: item["x-other-methods"]} if method == "other" else {int(s): r for s, r in item[method]["responses"].items()}
        assert answer.status in promised, f"{method} {template} has no {answer.status}: {answer}"
        response = self.at(promised[answer.status])
        self.judge_headers(response.get("headers", {}), answer)
        self.judge_body(response.get("content", {}), answer, head=method == "head")
        self.seen.add((method, template, answer.status))
        if answer.body and answer.code:
            self.codes.add((method, template, answer.code))
        return answer

    def judge_headers(self, promised, answer):
        for name, header in promised.items():
            header, value = self.at(header), answer.header(name)
            assert value is not None or not header.get("required"), f"{name} is missing: {answer}"
            if value is not None:
                self.judge_value(header["schema"], value, name)
        for name, _ in answer.headers:
            assert name.lower() in NOT_OURS or name in promised, f"{name} is not in the document: {answer}"

    def judge_body(self, content, answer, head):
        kind = (answer.header("Content-Type") or "").split(";")[0]
        if head or not content:
            assert answer.body == b"", str(answer)
            return
        assert kind in content, f"{kind!r} is not in the document: {answer}"
        value = answer.body.decode() if kind == "text/plain" else json.loads(answer.body)
        self.judge_value(content[kind]["schema"], value, kind)

    def examples(self):
        """(where, schema, value) of every example."""
        def walk(node, at):
            if isinstance(node, dict):
                if "schema" in node:
                    values = {"": node["example"]} if "example" in node else {k: v["value"] for k, v in node.get("examples", {}).items()}
                    for name, value in values.items():
                        yield f"{at}/{name}", node["schema"], value
                for name, value in node.items():
                    yield from walk(value, f"{at}/{name}")
            elif isinstance(node, list):
                for i, value in enumerate(node):
                    yield from walk(value, f"{at}/{i}")
        yield from walk(self.root, "")
