# Short names for what `tests/run`, `.ci/run` and cargo do. Needs just (https://just.systems): `cargo install just`.

set positional-arguments

# Lists the recipes.
default:
    @just --list --unsorted

# Compiles everything, without making programs of it.
check:
    cargo check --locked --workspace --all-targets

# The whole suite, or the tests with a word in their name: `just test guard`.
test *arguments:
    tests/run "$@"

# Formats the source.
fmt:
    cargo fmt --all

# What the linters say; a warning fails.
lint:
    cargo fmt --all --check
    cargo clippy --locked --workspace --all-targets -- -D warnings
    cargo clippy --locked --lib --bins --no-default-features -- -D warnings

# Everything a change has to pass.
ci:
    .ci/run

# The whole service against simulated servers: `just demo --namespaces`.
demo *arguments:
    cargo run --locked --release -- demo "$@"

# Records the demo anew, for README.md and its picture.
record-demo:
    cargo build --locked --release
    docs/pictures/record.py target/release/lookup-gitlab-sync

# Everything that is measured, about half an hour, or one measurement: `just bench calls`.
bench *measurements:
    cargo bench --locked --bench performance -- "$@"

# Accepts the snapshots of a change that is meant: `just snapshots commands_and_their_options`.
snapshots *arguments:
    INSTA_UPDATE=always tests/run "$@"
    git diff --stat -- '*.snap'

# Plants mistakes in the Terraform module, one at a time, and says which of them no test notices: all of them in some
# hours, or those of one file, or every seventh: `just mutations alerts.tf 7`.
mutations file='' every='1':
    MUTATE={{ file }} MUTATE_EVERY={{ every }} cargo nextest run --locked --workspace --test project --run-ignored only --no-capture -E 'test(mistakes_in_the_module)'
