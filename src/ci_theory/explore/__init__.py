"""The interactive page: theory in JavaScript, and what shows it."""
