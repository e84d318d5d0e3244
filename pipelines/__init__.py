"""From file to file: prepare, infer, finish, measure, for every command."""
