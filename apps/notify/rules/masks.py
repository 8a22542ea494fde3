"""How an address is shown to those whom it does not concern. No Django here."""

SHOWN = 3


def masked(address: str) -> str:
    """ "a…@example.org", "…0142", "#claims…": enough to know which one, too little to use it."""
    name, at, host = address.strip().rpartition("@")
    if at and name:
        return f"{name[0]}…@{host}"
    digits = [sign for sign in address if sign.isdigit()]
    if len(digits) > 6:
        return "…" + "".join(digits[-4:])
    text = address.strip()
    return text[:SHOWN] + "…" if len(text) > SHOWN else "…"
