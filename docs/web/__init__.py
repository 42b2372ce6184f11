"""The pages of the site: what Sphinx reads is assembled here."""
