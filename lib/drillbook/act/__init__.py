"""The only writers: one executor for plans, and the actions it carries out."""
