"""`python -m benchmarks`: every measurement of the project, one after the other."""

from benchmarks import blind_spots, campaigns, cards, findings, imports, incidents, leavers, opening, pages

pages.main()
blind_spots.main()
imports.main()
leavers.main()
findings.main()
opening.main()
campaigns.main()
cards.main()
incidents.main()
