"""What changed in a row, in words: "A from VP Engineering to Head of Finance". No query is made here."""

from collections.abc import Mapping


def change_words(before: Mapping[str, str], after: Mapping[str, str], names: Mapping[str, str]) -> list[str]:
    """What is different, the A first. `names` says what each party is called."""

    def name(party: str) -> str:
        return names.get(party, "somebody who is not known here")

    lost = [party for party in before if "A" in before[party] and "A" not in after.get(party, "")]
    gained = [party for party in after if "A" in after[party] and "A" not in before.get(party, "")]
    words = _accountable([name(party) for party in lost], [name(party) for party in gained])
    for party in [*after, *(party for party in before if party not in after)]:
        words += _others(name(party), before.get(party, ""), after.get(party, ""))
    return words


def row_words(cells: Mapping[str, str], names: Mapping[str, str]) -> str:
    """A whole row: "A Head of Finance; R VP Engineering; C General Counsel, CISO"."""
    found = [
        f"{letter} {', '.join(names.get(party, 'somebody') for party in cells if letter in cells[party])}"
        for letter in "ARCI"
        if any(letter in letters for letters in cells.values())
    ]
    return "; ".join(found)


def _accountable(lost: list[str], gained: list[str]) -> list[str]:
    if len(lost) == 1 and len(gained) == 1:
        return [f"A from {lost[0]} to {gained[0]}"]
    if lost and gained:
        return [f"A from {_list(lost)} to {_list(gained)}"]
    return [f"A added for {who}" for who in gained] + [f"A taken from {who}" for who in lost]


def _others(who: str, before: str, after: str) -> list[str]:
    """R, C and I of one party. An A that came or went is told already, and what it took the place of is plain."""
    was, now = before.replace("A", ""), after.replace("A", "")
    if was == now or ("A" in after and "A" not in before and not now):
        return []
    if was and now:
        return [f"{who} from {was} to {now}"]
    return [f"{now} added for {who}"] if now else [f"{was} taken from {who}"]


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
