"""Pure decisions of runbooks: the most specific one, what is wrong with a draft, what nobody goes without."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from apps.registry.rules.breaches import Level

# A runbook is looked at by a person this often. Only a recorded answer resets the date, a reminder never does.
REVIEW_EVERY = timedelta(days=90)
MOST_STEPS = 30
MANY_STEPS = 12
TITLE_LENGTH = 80
INSTRUCTION_LENGTH = 1200
# Who a step can be for, beside the codes of functions.
ROLE_WORDS = {"lead": "Lead of the response", "deputy": "Deputy", "owner": "Owner of the system"}
LEGAL = "legal"
# The fields that one step of a draft has, in the order of the form.
FIELDS = (
    "phase", "does", "title", "instruction", "expected_result", "if_not", "role", "required", "evidence_required",
    "target_minutes", "legal_gate",
)  # fmt: skip
FIELD_WORDS = {
    "phase": "Part",
    "does": "What it means to the rules",
    "title": "Title",
    "instruction": "What to do",
    "expected_result": "Then",
    "if_not": "If not",
    "role": "Who",
    "required": "Has to be done",
    "evidence_required": "Needs evidence",
    "target_minutes": "Minutes",
    "legal_gate": "General Counsel agrees",
}


@dataclass(frozen=True)
class StepText:
    """What one step says, wherever it is kept."""

    title: str = ""
    instruction: str = ""
    phase: str = "assess"
    does: str = ""
    expected_result: str = ""
    if_not: str = ""
    role: str = "lead"
    required: bool = True
    evidence_required: bool = False
    target_minutes: int | None = None
    legal_gate: bool = False

    @property
    def needs_two(self) -> bool:
        """Whether one person does it and another confirms: whatever starts a system again."""
        return needs_two(self.phase, self.does)


def needs_two(phase: str, does: str) -> bool:
    """Whether a step is done by one person and confirmed by another: a change that brings the system back."""
    return phase == "recover" and does == "changes_system"


# What is done where no runbook can be found: an incident is never without them.
WITHOUT_RUNBOOK = (
    StepText(
        title="Stop it without destroying evidence",
        instruction="Pause the system or cut off what it does. Do not delete, redeploy or change it.",
        phase="contain",
        does="containment",
        if_not="Call who may stop it, then whoever runs the gateway.",
        evidence_required=True,
        target_minutes=15,
    ),
    StepText(
        title="Freeze the evidence",
        instruction=(
            "Copy prompts, inputs, outputs, tool calls, logs and the model's exact version before anything is changed."
        ),
        phase="preserve",
        does="evidence_freeze",
        if_not="Write down what could not be copied, and why.",
        role="deputy",
        evidence_required=True,
        target_minutes=30,
    ),
    StepText(
        title="Tell the CISO and the General Counsel",
        instruction="Call both, and write the hour into the timeline: legal deadlines may count from it.",
        phase="tell",
        if_not="Call the deputy, or who holds the mandate.",
        target_minutes=60,
    ),
)


@dataclass(frozen=True)
class Candidate:
    """A runbook that is in use, by its scope: how far up its unit stands, where it is a unit's."""

    pk: int
    system_id: int | None = None
    operating_model: str = ""
    unit_id: int | None = None


def most_specific(
    candidates: Iterable[Candidate], *, system_id: int | None, operating_model: str, units: Sequence[int]
) -> int | None:
    """The runbook that stands: the system's own, its operating model's, its nearest unit's, the organisation's.

    `units` are the unit of the system and those above it, the nearest first.
    """
    best: tuple[int, int] | None = None
    for one in candidates:
        place = _place(one, system_id, operating_model, units)
        if place is not None and (best is None or place < best[0]):
            best = (place, one.pk)
    return best[1] if best else None


def _place(one: Candidate, system_id: int | None, operating_model: str, units: Sequence[int]) -> int | None:
    """0 is the most specific; None does not apply."""
    if one.system_id is not None:
        return 0 if one.system_id == system_id else None
    if one.operating_model:
        return 1 if one.operating_model == operating_model else None
    if one.unit_id is not None:
        return 2 + units.index(one.unit_id) if one.unit_id in units else None
    return 2 + len(units)


@dataclass(frozen=True)
class Fault:
    """What is wrong with a draft, at which step (0: the whole), and what puts it right."""

    level: Level
    step: int
    text: str
    remedy: str

    @property
    def blocks(self) -> bool:
        """Whether it can't be published like this."""
        return self.level == Level.BLOCK


@dataclass
class _Lint:
    """Gathers faults."""

    steps: Sequence[StepText]
    roles: Collection[str]
    faults: list[Fault] = field(default_factory=list)

    def block(self, step: int, text: str, remedy: str) -> None:
        self.faults.append(Fault(Level.BLOCK, step, text, remedy))

    def warn(self, step: int, text: str, remedy: str) -> None:
        self.faults.append(Fault(Level.WARN, step, text, remedy))

    def numbered(self, does: str) -> list[int]:
        return [number for number, step in enumerate(self.steps, 1) if step.does == does]


def lint(steps: Sequence[StepText], roles: Collection[str]) -> list[Fault]:
    """What is wrong with these steps, what blocks first. `roles`: those that a step can be for."""
    found = _Lint(steps, roles)
    _whole(found)
    _order(found)
    titles: dict[str, int] = {}
    for number, step in enumerate(steps, 1):
        _one_step(found, number, step)
        earlier = titles.setdefault(step.title.casefold(), number)
        if earlier != number and step.title:
            found.warn(number, f"Steps {earlier} and {number} have the same title.", "Say what is different.")
    return sorted(found.faults, key=lambda fault: (not fault.blocks, fault.step))


def _whole(found: _Lint) -> None:
    if not found.steps:
        found.block(0, "There is no step.", "Write what is done first.")
        return
    if len(found.steps) > MOST_STEPS:
        found.block(0, f"There are {len(found.steps)} steps.", f"Keep it to {MOST_STEPS}, or write a second runbook.")
    elif len(found.steps) > MANY_STEPS:
        found.warn(0, f"There are {len(found.steps)} steps.", f"Under stress nobody reads more than {MANY_STEPS}.")
    if not any(step.phase == "tell" for step in found.steps):
        found.warn(0, "No step tells anybody.", "Say who has to know, and by when.")
    contains = found.numbered("containment")
    if not contains:
        found.block(0, "No step contains the incident.", "Mark the step that stops it as “Contains the incident”.")
    for number in contains[1:]:
        found.warn(number, "A second step contains the incident.", "Mark the one after which it does no more harm.")
    if contains and not found.steps[contains[0] - 1].if_not:
        found.warn(contains[0], "Nothing is said for when stopping fails.", "Say what to do then.")


def _order(found: _Lint) -> None:
    """Evidence before change: Article 73(6) of Regulation (EU) 2024/1689."""
    freezes = found.numbered("evidence_freeze")
    if not freezes and found.steps:
        found.block(0, "No step freezes the evidence.", "Add one that copies it, before anything is changed.")
    for number in found.numbered("changes_system"):
        if freezes and number < freezes[0]:
            remedy = f"Move it below step {freezes[0]}: nothing alters the system before the evidence is safe."
            found.block(number, "It changes the system before the evidence is frozen.", remedy)
    for number in (*freezes[:1], *found.numbered("containment")[:1]):
        if not found.steps[number - 1].required:
            found.block(number, "It may be left out.", "Stopping and freezing the evidence have to be done.")


def _one_step(found: _Lint, number: int, step: StepText) -> None:
    if not step.title.strip() or not step.instruction.strip():
        found.block(number, "It says nothing.", "Give it a title and say what to do, or remove it.")
    if len(step.title) > TITLE_LENGTH:
        found.block(number, f"Its title has {len(step.title)} characters.", f"Keep it to {TITLE_LENGTH}.")
    if len(step.instruction) > INSTRUCTION_LENGTH:
        remedy = f"Keep it to {INSTRUCTION_LENGTH}, or make two steps of it."
        found.warn(number, f"What to do has {len(step.instruction):,} characters.", remedy)
    if step.role not in found.roles:
        found.block(number, f"Nobody is a “{step.role}”.", "Choose who does it.")
    if step.legal_gate and step.role != LEGAL:
        found.warn(number, "The General Counsel agrees, and somebody else does it.", "Make it a step of Legal.")
    if step.does == "evidence_freeze" and not step.evidence_required:
        found.warn(number, "Evidence is frozen without anything that shows it.", "Let it need evidence.")
