"""`python -m benchmarks`: every measurement of the project, one after the other."""

from benchmarks import imports, pages

pages.main()
imports.main()
