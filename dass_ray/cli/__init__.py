"""Layer 4: the command line, thin over functions that Python users call as well."""
