"""Everything that should not be so, until it is put right."""
