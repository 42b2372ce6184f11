"""Mathematics only: spectra, fixed points and closed forms, in float64."""
