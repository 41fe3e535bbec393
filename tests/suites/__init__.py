"""All tests as suites: which test is in which, what a commit draws of the long ones, and the table of a night."""
