"""Which seat tends to own AI governance, what it governs and what it misses: six patterns from the field.

The two columns of the product's table of ownership patterns, phrase by phrase, each with the rows of the matrix that
come nearest to it. A pattern is the 0/1 vector over the domains that it governs. No Django here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

# Somebody answers for at least so large a share of the live systems: the domain counts as answered for.
COVERED = 0.5
NAMED = 3


@dataclass(frozen=True)
class Pattern:
    """A seat that tends to own AI governance. `functions` are the rows of the map that it stands for."""

    name: str
    whom: str
    functions: tuple[str, ...]
    governs: Mapping[str, tuple[str, ...]]
    misses: Mapping[str, tuple[str, ...]]

    @cached_property
    def governed(self) -> frozenset[str]:
        """The domains where its vector is 1; everywhere else it is 0."""
        return frozenset(domain for domains in self.governs.values() for domain in domains)

    @cached_property
    def missed(self) -> tuple[str, ...]:
        """The domains that it usually misses, each once, in the order of the words."""
        return tuple(dict.fromkeys(domain for domains in self.misses.values() for domain in domains))


PATTERNS: tuple[Pattern, ...] = (
    Pattern(
        "CISO",
        "a CISO",
        ("ciso",),
        {
            "security posture": ("security-posture",),
            "data leakage": ("data-leakage", "incident-data-access"),
            "access controls": ("access-management", "agent-identity"),
            "compliance": ("regulatory-compliance", "audit-trail-evidence"),
        },
        {
            "cost attribution": ("cost-attribution", "acting-on-cost", "budget-caps", "incident-cost-spike"),
            "developer productivity": ("developer-tooling",),
            "the business layer": ("use-case-prioritisation", "intake-purpose"),
        },
    ),
    Pattern(
        "VP Engineering",
        "a VP Engineering",
        ("engineering",),
        {
            "developer tooling": ("developer-tooling",),
            "model access": ("model-access",),
            "build pipelines": ("build-pipelines", "release"),
            "developer productivity": ("developer-tooling",),
        },
        {
            "runtime agent governance": ("runtime-enforcement", "agent-permissions", "operate-monitor"),
            "security controls": ("security-posture", "data-leakage", "access-management"),
            "regulatory exposure": ("regulatory-compliance", "liability-reputation"),
        },
    ),
    Pattern(
        "CTO",
        "a CTO",
        ("cto",),
        {
            "AI strategy": ("ai-strategy",),
            "model selection": ("model-selection",),
            "architecture standards": ("architecture-standards",),
        },
        {"day-to-day enforcement": ("runtime-enforcement", "agent-permissions", "operate-monitor", "stop")},
    ),
    Pattern(
        "VP IT and Platform",
        "a VP IT and Platform",
        ("platform",),
        {
            "infrastructure": ("infrastructure-procurement",),
            "tooling procurement": ("infrastructure-procurement",),
            "access management": ("access-management", "agent-identity"),
        },
        {
            "application-layer AI behaviour": ("prompts-behaviour", "incident-harmful-decision"),
            "prompt governance": ("prompts-behaviour",),
            "agent permissions": ("agent-permissions",),
        },
    ),
    Pattern(
        "Head of AI",
        "a Head of AI",
        ("ai_lead",),
        {
            "model evaluation": ("model-selection", "independent-review"),
            "use-case prioritisation": ("use-case-prioritisation", "intake-purpose"),
            "AI roadmap": ("ai-strategy",),
        },
        {
            "security": ("security-posture", "data-leakage", "access-management"),
            "compliance": ("regulatory-compliance", "audit-trail-evidence"),
            "cost": ("cost-attribution", "acting-on-cost", "budget-caps"),
            "enforcement authority": ("runtime-enforcement", "stop"),
        },
    ),
    Pattern(
        "Board, General Counsel",
        "a board or a General Counsel",
        ("legal", "board"),
        {
            "EU AI Act compliance": ("regulatory-compliance", "notify"),
            "liability exposure": ("liability-reputation", "residual-risk"),
            "reputational risk": ("liability-reputation",),
        },
        {
            "everything below the boardroom": ("operate-monitor", "agent-permissions", "prompts-behaviour"),
            "the controls": ("security-posture", "access-management", "runtime-enforcement", "audit-trail-evidence"),
            "spend": ("cost-attribution", "acting-on-cost"),
        },
    ),
)

BLIND_SPOTS_OF: dict[str, frozenset[str]] = {
    function: frozenset(pattern.missed) for pattern in PATTERNS for function in pattern.functions
}


@dataclass(frozen=True)
class Likeness:
    """How like a pattern the organisation is, from 0 to 1."""

    pattern: Pattern
    cosine: float


def likenesses(shares: Mapping[str, float]) -> list[Likeness]:
    """All six, the most alike first; patterns equally alike come in the order of their names.

    `shares` has, per domain, the share of live systems for which somebody holds the A. The sums are exact
    (math.fsum), so that the order in which the shares come changes nothing.
    """
    found = [Likeness(pattern, cosine(shares, pattern.governed)) for pattern in PATTERNS]
    return sorted(found, key=lambda one: (-round(one.cosine, 9), one.pattern.name))


def resembled(shares: Mapping[str, float]) -> Likeness | None:
    """The most alike, or None where nothing is alike: a zero vector resembles none."""
    first = likenesses(shares)[0]
    return first if first.cosine > 0 else None


def cosine(shares: Mapping[str, float], governed: frozenset[str]) -> float:
    """The cosine of the angle between the shares and a 0/1 vector; 0 where either is all zero."""
    length = math.sqrt(math.fsum(share * share for share in shares.values()))
    if length == 0 or not governed:
        return 0.0
    return math.fsum(shares.get(domain, 0.0) for domain in governed) / (length * math.sqrt(len(governed)))


def explanation(shares: Mapping[str, float], names: Mapping[str, str], place: str = "The organisation") -> str:
    """Which pattern, how alike, and by what: one sentence. `names` has the domains in the order of the matrix."""
    found = resembled(shares)
    if found is None:
        return f"{place} looks like none of the six patterns: nobody is accountable for what any of them governs."
    pattern = found.pattern
    held = [name for key, name in names.items() if key in pattern.governed and shares.get(key, 0.0) >= COVERED]
    holes = [name for key, name in names.items() if key in pattern.missed and shares.get(key, 0.0) < COVERED]
    looks = f"{place} looks most like one that {pattern.whom} governs ({found.cosine:.2f})"
    if held and holes:
        return f"{looks}: {_listed(held)} {_is(held)} answered for; {_listed(holes)} {_is(holes)} not."
    if held:
        return f"{looks}: {_listed(held)} {_is(held)} answered for, and so is what that pattern usually misses."
    return f"{looks}, though for most systems nobody answers for what such a seat governs."


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _listed(names: Sequence[str]) -> str:
    """ "security posture, data leakage, and 2 more": a name can have "and" or a comma in it, so at most three."""
    words = [small(name) for name in names]
    if len(words) > NAMED:
        words = [*words[:NAMED], f"{len(words) - NAMED} more"]
    if len(words) == 1:
        return words[0]
    comma = "" if len(words) == 2 else ","
    return f"{', '.join(words[:-1])}{comma} and {words[-1]}"


def small(name: str) -> str:
    """A domain's name inside a sentence: "Data leakage" is "data leakage", "AI strategy" stays."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]
