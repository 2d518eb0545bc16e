"""The report: one page of HTML about a warehouse. Figures (`queries/`), charts and the page have a place each."""
