"""What the library is worth, measured: one file per benchmark, each with its subcommand."""
