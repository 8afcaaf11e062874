"""Pure functions and single stages: tables of cases and properties."""
