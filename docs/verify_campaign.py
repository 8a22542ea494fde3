"""Verify the export of a sealed campaign. Needs nothing but Python 3.10 or later: no portal, no database, no network.

    python3 verify_campaign.py 2026Q4.zip [--sha256 HASH]

HASH is the manifest's hash as it was printed on the report, or kept elsewhere: with it the export is the very one that
was sealed. Exit code 1 and a line for each fault where anything is not as it was signed. docs/verify.md says what is
compared.
"""

import argparse
import json
import sys
import zipfile
from hashlib import sha256
from math import ceil

FIELDS = (
    "value",
    "comment",
    "plan",
    "plan_date",
    "severity",
    "control",
    "plan_owner",
    "text",
    "person",
    "day",
    "fact",
    "contradiction",
    "explanation",
)


def hashed(content):
    """SHA-256 of bytes or of a text in UTF-8."""
    return sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def canonical(value):
    """JSON by RFC 8785 for what is used here: texts, whole numbers, true, false, null, and keys in ASCII."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def plain(value):
    """A value as both sides have it: a person is their id, nothing is empty."""
    return str(value.get("id", "")) if isinstance(value, dict) else str(value or "")


def say(text):
    """One line on the terminal."""
    sys.stdout.write(f"{text}\n")


def no_float(text):
    """Floating point has no place in what is hashed."""
    raise ValueError(f"{text} is no whole number")


class Export:
    """One export, what was compared in it, and every fault."""

    def __init__(self, path):
        self.zip = zipfile.ZipFile(path)
        self.compared, self.faults = 0, []
        self.manifest = self.canonical("manifest.json", self.zip.read("manifest.json"))
        self.kinds = {one["sha256"]: one["kind"] for one in self.manifest["signatures"]}
        self.payloads = {}

    def compare(self, what, expected, found):
        """Count it; a difference is a fault."""
        self.compared += 1
        if expected != found:
            self.faults.append(f"{what}: expected {str(expected)[:200]}, found {str(found)[:200]}")

    def canonical(self, what, content):
        """Read JSON, which has to be canonical: then equal content has equal bytes."""
        try:
            text = content.decode()
            value = json.loads(text, parse_float=no_float)
        except ValueError as error:
            self.faults.append(f"{what}: {error}")
            return {}
        if canonical(value) != text:
            self.faults.append(f"{what}: expected canonical JSON, found other bytes")
        return value

    def lines(self, name):
        """The lines of a member, without their ends."""
        with self.zip.open(name) as member:
            for line in member:
                yield line.rstrip(b"\n")

    def pairs(self, name, rows):
        """Lines beside the entries of the manifest that they belong to."""
        lines = self.lines(name)
        for row in rows:
            yield row, next(lines, b"")
        self.compare(f"{name}, lines that the manifest does not know", 0, sum(1 for _ in lines))

    def check(self):
        """Everything, in the order in which it happened."""
        for part in (self.facts, self.sampling, self.answers, self.signatures, self.nodes, self.documents, self.counts):
            part()

    def facts(self):
        """What was frozen about each system, and the hash of the scope."""
        scope = ""
        self.tiers = {}
        for row, line in self.pairs("facts.jsonl", self.manifest["systems"]):
            known = self.canonical(f"facts of {row['key']}", line)
            self.compare(f"facts of {row['key']}", row["facts_sha256"], hashed(line))
            self.compare(f"facts of {row['key']}, key", row["key"], known.get("key"))
            if not row["supplement"]:
                scope += f"{row['key']} {row['facts_sha256']}\n"
                self.tiers[row["key"]] = known.get("tier")
        self.compare("scope", self.manifest["scope_sha256"], hashed(scope))

    def sampling(self):
        """Which systems were sampled follows from the seed, whose hash was shown when the campaign opened."""
        seed, campaign = self.manifest["sampling"]["seed"], self.manifest["campaign"]
        if not seed or campaign["is_event"]:
            return
        self.compare("sampling, commitment", self.manifest["sampling"]["commitment"], hashed(seed))
        others = sorted(hashed(f"{seed}:{key}") for key, tier in self.tiers.items() if tier != "critical")
        low = set(others[: ceil(len(others) * campaign["terms"]["sampling_percent"] / 100)])
        for row in self.manifest["systems"]:
            if not row["supplement"]:
                drawn = "random" if hashed(f"{seed}:{row['key']}") in low else ""
                expected = "critical" if self.tiers[row["key"]] == "critical" else drawn
                self.compare(f"sampling of {row['key']}", expected, row["sampled"])

    def answers(self):
        """The answers of each system; what each one says is kept to be compared with the signature."""
        self.said = {}
        for row, line in self.pairs("answers.jsonl", self.manifest["systems"]):
            self.compare(f"answers of {row['key']}", row["answers_sha256"], hashed(line))
            for one in self.canonical(f"answers of {row['key']}", line).get("answers", []):
                place = (row["key"], row["number"], one["question"])
                self.said[place] = {name: hashed(plain(one[name]))[:16] for name in FIELDS}
            files = self.zip.NameToInfo
            for name in row["evidence"]:
                found = hashed(self.zip.read(f"evidence/{name}")) if f"evidence/{name}" in files else "no file"
                self.compare(f"evidence of {row['key']}", name, found)

    def signatures(self):
        """The chain, each payload, and what is signed under each system."""
        chain, links = self.manifest["signatures"], []
        for one in chain:
            if links:
                self.compare(f"chain at {one['sha256'][:12]}", links[-1], one["previous"])
            links.append(one["sha256"])
        under = {}
        for row in self.manifest["systems"]:
            own = [name for name in row["signatures"] if self.kinds.get(name) == "attestation"]
            if row["state"] == "sealed":
                self.compare(f"a signature under {row['key']}", True, bool(own))
            if own and row["state"] == "sealed":
                under[own[-1]] = row
        accepted = set()
        mine = [one for one in chain if one["kind"] != "elsewhere"]
        for one, line in self.pairs("signatures.jsonl", mine):
            what = f"signature {one['sha256'][:12]}"
            said = self.canonical(what, line)
            self.compare(what, one["sha256"], hashed(line))
            self.compare(f"{what}, the one before", one["previous"], said.get("previous"))
            self.compare(f"{what}, meaning", one["meaning"], said.get("meaning"))
            if one["kind"] == "rollup":
                self.payloads[one["sha256"]] = said
            for review in said.get("reviews", []):
                accepted.add(review["attestation"])
            if one["sha256"] in under:
                self.attestation(under[one["sha256"]], said)
        for name, row in under.items():
            self.compare(f"{row['key']} was reviewed under a signature", True, name in accepted)

    def attestation(self, row, said):
        """What was signed under one system against its facts, its answers and its result."""
        key = row["key"]
        self.compare(f"{key}, facts under its signature", row["facts_sha256"], said.get("facts_sha256"))
        self.compare(
            f"{key}, scope under its signature",
            self.manifest["scope_sha256"],
            said.get("campaign", {}).get("scope_sha256"),
        )
        result = "clean" if said.get("meaning") == "certify" else "qualified"
        self.compare(f"{key}, result", result, row["result"])
        for part in said.get("sections", []):
            for one in part["answers"]:
                stored = self.said.get((key, row["number"], one["key"]), {})
                for name in FIELDS:
                    if name in one:
                        self.compare(f"{key}, {one['key']}, {name}", hashed(plain(one[name]))[:16], stored.get(name))
                for file in one.get("evidence", []):
                    self.compare(f"{key}, file {file['name']}", True, file["sha256"] in row["evidence"])

    def nodes(self):
        """Each signature of the roll-up against what was below it; nothing clean over anything that is not."""
        nodes = {node["id"]: node for node in self.manifest["nodes"]}
        place = {name: number for number, name in enumerate(one["sha256"] for one in self.manifest["signatures"])}
        for node in nodes.values():
            what = f"roll-up, {node['level']} {node['unit'] or ''}".strip()
            last = max((place[name] for name in node["signatures"]), default=-1)
            if node["level"] == "unit":
                below = [row for row in self.manifest["systems"] if row["unit"] in node["units"]]
                lines = [self.child(row, place, last) for row in below]
                clean = all(row["state"] == "sealed" and row["result"] == "clean" for row in below)
            else:
                below = [one for one in nodes.values() if one["parent"] == node["id"]]
                lines = sorted(self.under(one) for one in below)
                clean = all(one["state"] == "signed_clean" for one in below)
            meanings = []
            for name in node["signatures"]:
                said = self.payloads.get(name, {})
                meanings.append(said.get("meaning"))
                self.compare(f"{what}, below", said.get("below", {}).get("sha256"), hashed("".join(lines)))
                self.compare(f"{what}, level", said.get("node", {}).get("level"), node["level"])
            state = (
                "declined"
                if "decline" in meanings
                else ("signed_clean" if set(meanings) == {"certify"} else "signed_qualified")
            )
            self.compare(f"{what}, state", state, node["state"])
            if node["state"] == "signed_clean":
                self.compare(f"{what}, nothing below forbids it", True, clean)

    def under(self, node):
        """One node as a line under another."""
        return f"{node['level']} {node['unit'] or '-'} {node['state']} {','.join(node['signatures']) or '-'}\n"

    def child(self, row, place, last):
        """One system as a line under a unit, as it stood when the unit was signed."""
        own = [
            name
            for name in row["signatures"]
            if self.kinds.get(name) in ("attestation", "supplement") and place[name] < last
        ]
        state = "accepted" if row["state"] == "sealed" else row["state"]
        return f"{row['key']} {state} {row['result'] or '-'} {own[-1] if own else '-'}\n"

    def documents(self):
        """The questions, and the closing that names who did not attest."""
        campaign = self.manifest["campaign"]
        self.compare("questions", campaign["questions_sha256"], hashed(self.zip.read("questions.json")))
        closing = self.zip.read("closing.json")
        self.compare("closing", campaign["closing_sha256"], hashed(closing))
        named = [one["key"] for one in self.canonical("closing", closing).get("not_attested", [])]
        missing = [row["key"] for row in self.manifest["systems"] if row["state"] == "not_attested"]
        self.compare("closing, who did not attest", sorted(missing), sorted(named))

    def counts(self):
        """The numbers at the top of the manifest."""
        rows = self.manifest["systems"]
        self.compare(
            "counts",
            self.manifest["counts"],
            {
                "systems": len(rows),
                "clean": sum(row["result"] == "clean" for row in rows),
                "qualified": sum(row["result"] == "qualified" for row in rows),
                "late": sum(bool(row["late_days"]) for row in rows),
                "not_attested": sum(row["state"] == "not_attested" for row in rows),
            },
        )


def main():
    """Verify, and say what was found."""
    parser = argparse.ArgumentParser(description="Verify the export of a sealed campaign.")
    parser.add_argument("export")
    parser.add_argument("--sha256", help="the manifest's hash, as it was printed or kept elsewhere")
    given = parser.parse_args()
    try:
        export = Export(given.export)
        if given.sha256:
            export.compare("manifest", given.sha256, hashed(export.zip.read("manifest.json")))
        export.check()
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, OSError) as error:
        say(f"The export can't be read: {type(error).__name__}: {error}")
        return 1
    for fault in export.faults:
        say(fault)
    manifest, code = hashed(export.zip.read("manifest.json")), export.manifest["campaign"]["code"]
    verdict = f"{len(export.faults)} FAULTS" if export.faults else "VERIFIED"
    numbers = f"{len(export.manifest['systems'])} systems, {len(export.manifest['signatures'])} signatures"
    say(f"{verdict}: {code}, {numbers}, {export.compared} comparisons. Manifest SHA-256 {manifest}")
    return 1 if export.faults else 0


if __name__ == "__main__":
    sys.exit(main())
