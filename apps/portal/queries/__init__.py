"""Reading across apps for the pages."""
