"""Invented people. None of them works, or worked, for any agency that the public inventory names."""

from dataclasses import dataclass

from apps.people.rules import RoleName

# .example can never receive mail (RFC 2606), and 555-01xx numbers ring nowhere.
DOMAIN = "people.example"
# The same for every sign-in: the demo holds nothing that is not public, and refuses to load anywhere else.
SHARED_PHRASE = "show-me-who-answers"
ZONE = "America/New_York"


@dataclass(frozen=True)
class Part:
    """One invented person. `unit` is the code of an agency; `accepts` is how many of its systems they answer for."""

    handle: str
    name: str
    title: str
    seat: str = ""
    heads: str = ""
    unit: str = ""
    accepts: int = 0
    role: RoleName | None = None
    deputy: str = ""
    sign_in: str = ""
    leaves: bool = False

    @property
    def email(self) -> str:
        return f"{self.handle}@{DOMAIN}"


# The twelve largest agencies of the inventory: code and name as the inventory writes them.
AGENCIES = {
    "HHS": "Department of Health and Human Services",
    "NASA": "National Aeronautics and Space Administration",
    "VA": "Department of Veterans Affairs",
    "DOE": "Department of Energy",
    "DOJ": "Department of Justice",
    "DOI": "Department of the Interior",
    "DHS": "Department of Homeland Security",
    "DOC": "Department of Commerce",
    "USDA": "Department of Agriculture",
    "TREAS": "Department of the Treasury",
    "DOT": "Department of Transportation",
    "SEC": "Securities and Exchange Commission",
}

MANDATE_HOLDER = "marguerite.oyelaran"

# The seat of Finance is left vacant on purpose: the board's page shows what follows from that.
SEATS = (
    Part(MANDATE_HOLDER, "Marguerite Oyelaran", "VP IT and Platform", seat="platform",
         deputy="anselm.quist", sign_in="Mandate holder"),
    Part("ingrid.castellanos", "Ingrid Castellanos", "Chief Information Security Officer", seat="ciso",
         deputy="anselm.quist", sign_in="Seat holder (CISO)"),
    Part("tobias.adeyemi", "Tobias Adeyemi", "VP Engineering", seat="engineering", deputy="noor.haddad"),
    Part("noor.haddad", "Noor Haddad", "Chief Technology Officer", seat="cto", deputy="tobias.adeyemi"),
    Part("kenji.albrecht", "Kenji Albrecht", "Head of AI", seat="ai_lead", sign_in="Head of AI"),
    Part("philippa.strand", "Philippa Strand", "General Counsel", seat="legal", deputy="bram.osei",
         sign_in="General Counsel"),
    Part("rosalind.achterberg", "Rosalind Achterberg", "Chair of the AI oversight committee", seat="board"),
)  # fmt: skip

HEADS = (
    Part(
        "dolores.whitfield",
        "Dolores Whitfield",
        "Head of Health AI programmes",
        heads="HHS",
        accepts=6,
        deputy="imogen.tanaka",
        sign_in="Head of a unit",
    ),
    Part("emeka.lindqvist", "Emeka Lindqvist", "Head of Space AI programmes", heads="NASA", accepts=5),
    Part(
        "harriet.nakagawa",
        "Harriet Nakagawa",
        "Head of Veterans AI programmes",
        heads="VA",
        accepts=4,
        deputy="agnes.mulder",
    ),
    Part(
        "viktor.salazar",
        "Viktor Salazar",
        "Head of Energy AI programmes",
        heads="DOE",
        accepts=7,
        deputy="yusra.hollis",
    ),
    Part(
        "amara.pennington",
        "Amara Pennington",
        "Head of Justice AI programmes",
        heads="DOJ",
        accepts=3,
        deputy="delphine.arroyo",
    ),
    Part("joaquin.reyesholt", "Joaquín Reyes-Holt", "Head of Interior AI programmes", heads="DOI", accepts=5),
    Part(
        "sabine.okonkwo",
        "Sabine Okonkwo",
        "Head of Homeland AI programmes",
        heads="DHS",
        accepts=4,
        deputy="greta.nakamba",
    ),
    Part(
        "leopold.nguyen",
        "Leopold Nguyen",
        "Head of Commerce AI programmes",
        heads="DOC",
        accepts=6,
        deputy="lavinia.cho",
    ),
    Part("wilhelmina.hart", "Wilhelmina Hart", "Head of Agriculture AI programmes", heads="USDA", accepts=8),
    Part("farid.montgomery", "Farid Montgomery", "Head of Treasury AI programmes", heads="TREAS", accepts=9),
    Part("celeste.abara", "Celeste Abara", "Head of Transportation AI programmes", heads="DOT", accepts=12),
    Part("otto.fairweather", "Otto Fairweather", "Head of Securities AI programmes", heads="SEC", accepts=10),
)

# Twenty-five systems a person is the cap: three stand above it, one stands on it.
OWNERS = (
    Part("beatrix.lowell", "Beatrix Lowell", "Director, Clinical Decision Tools", unit="HHS", accepts=14,
         deputy="samir.devries", sign_in="Owner"),
    Part("samir.devries", "Samir de Vries", "Product owner, Claims and Benefits", unit="HHS", accepts=31,
         deputy="beatrix.lowell"),
    Part("imogen.tanaka", "Imogen Tanaka", "Programme manager, Research Models", unit="HHS", accepts=18),
    Part("caspian.moreau", "Caspian Moreau", "Lead, Earth Observation Models", unit="NASA", accepts=25,
         deputy="ludmila.barros"),
    Part("ludmila.barros", "Ludmila Barros", "Lead, Mission Planning Models", unit="NASA", accepts=12),
    Part("theo.ramanujan", "Theo Ramanujan", "Lead, Engineering Copilots", unit="NASA", accepts=27),
    Part("agnes.mulder", "Agnes Mulder", "Director, Imaging Support", unit="VA", accepts=15,
         deputy="rafael.eze"),
    Part("rafael.eze", "Rafael Eze", "Product owner, Veterans Contact", unit="VA", accepts=17),
    Part("yusra.hollis", "Yusra Hollis", "Programme manager, Grid Forecasting", unit="DOE", accepts=24,
         deputy="piotr.calloway"),
    Part("piotr.calloway", "Piotr Calloway", "Lead, Laboratory Models", unit="DOE", accepts=11),
    Part("delphine.arroyo", "Delphine Arroyo", "Director, Case Review Tools", unit="DOJ", accepts=16,
         deputy="magnus.iyer"),
    Part("magnus.iyer", "Magnus Iyer", "Product owner, Document Analysis", unit="DOJ", accepts=12),
    Part("winona.becker", "Winona Becker", "Lead, Wildlife and Land Models", unit="DOI", accepts=26),
    Part("idris.valente", "Idris Valente", "Lead, Water Forecasting", unit="DOI", accepts=10,
         deputy="winona.becker"),
    Part("greta.nakamba", "Greta Nakamba", "Director, Traveller Screening Tools", unit="DHS", accepts=18,
         deputy="hugo.sandoval"),
    Part("hugo.sandoval", "Hugo Sandoval", "Product owner, Emergency Response", unit="DHS", accepts=11),
    Part("lavinia.cho", "Lavinia Cho", "Lead, Weather Models", unit="DOC", accepts=19),
    Part("bastian.oduya", "Bastian Oduya", "Lead, Census Models", unit="DOC", accepts=13,
         deputy="lavinia.cho"),
    Part("marisol.greene", "Marisol Greene", "Director, Crop Insight", unit="USDA", accepts=15),
    Part("edmund.farouk", "Edmund Farouk", "Director, Fraud Analytics", unit="TREAS", accepts=14),
)  # fmt: skip

OTHERS = (
    Part("anselm.quist", "Anselm Quist", "Platform governance manager", role=RoleName.ADMINISTRATOR),
    Part("bram.osei", "Bram Osei", "Deputy General Counsel"),
    Part("eleni.marchand", "Eleni Marchand", "Internal auditor", role=RoleName.AUDITOR, sign_in="Auditor"),
    Part("soren.achebe", "Søren Achebe", "Member of the AI oversight committee", role=RoleName.BOARD,
         sign_in="Board member"),
    Part("tilda.ferreira", "Tilda Ferreira", "Service desk analyst", sign_in="Employee"),
    Part("quentin.abiodun", "Quentin Abiodun", "Programme manager, Road Safety Models", leaves=True),
)  # fmt: skip

CAST = (*SEATS, *HEADS, *OWNERS, *OTHERS)
# Handle of the person whose home page the tour shows.
FIRST_OWNER = OWNERS[0].handle
