"""Ridge regression of a linear teacher: its errors, their finite-size terms, tests elsewhere."""
