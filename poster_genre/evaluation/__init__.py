"""How good a model is: measures, intervals, and the report."""
