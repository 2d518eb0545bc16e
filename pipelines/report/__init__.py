"""The report: one page of HTML about a warehouse. Figures (`queries/`), charts and the page have a place each."""

PAGE = "report.html"
"""What the page is called in the data directory, where nobody says otherwise."""
