# Short names. `just --list` shows them.

# The server with data to try it on, on one SQLite file
demo:
    cargo run -- demo

# Every test and example, on real PostgreSQL, MongoDB and Kafka
test *filter:
    cargo xtask test -- {{filter}}

# Formatting, lints, documentation, dependencies
check:
    cargo xtask check

# What every change must pass
ci:
    bash .ci/run
