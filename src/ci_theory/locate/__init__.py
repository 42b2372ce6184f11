"""From curves to break points, with intervals."""
