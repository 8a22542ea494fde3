"""Words that stand where a system's key stands in the portal's addresses: a system keyed so could not be reached."""

# Under /systems/ and under /attestations/<campaign>/. tests/portal/test_addresses.py holds them against the URLs.
FIXED_WORDS = frozenset({
    "cancel", "closing", "export.csv", "figures", "import", "nominate", "quality", "register", "remind", "report",
    "report.csv", "report.json", "responsibilities", "reviews", "rollup", "sealed.zip", "snooze", "together", "views",
})  # fmt: skip


def why_no_key(key: str) -> str:
    """Why a system can't be called so; empty where it can."""
    return f"{key} is a word in the portal's own addresses. Use another key." if key in FIXED_WORDS else ""
