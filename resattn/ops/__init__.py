"""Pure functions of the attention core: no parameters, torch only."""
